"""A worker process: what it is told, and how it ends."""

import os
import subprocess
import sys
import time
import weakref
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import psutil
import pytest

from ctiscraper.config import Settings
from ctiscraper.errors import SettingsError
from ctiscraper.tasks.run import (
    COMMAND,
    SILENT_SECONDS,
    give_back_what_is_free,
    give_sign,
    read_order,
    write_order,
)
from ctiscraper.tasks.work import Worker

if TYPE_CHECKING:
    from ctiscraper.bootstrap import Services

PATIENCE = 60.0


def order_for(conninfo: str, folder: Path, *, once: bool = False) -> bytes:
    settings = Settings(data_dir=folder, min_gap=0.5, egress_allow_cidrs=("10.0.0.0/8",))  # type: ignore[arg-type]  # checked by pydantic
    return write_order(conninfo, settings, once=once, source_id=7 if once else None)


def worker(order: bytes) -> "subprocess.Popen[bytes]":
    """A worker that has been told what to do, its pipe open."""
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(order)
    process.stdin.flush()
    return process


def test_an_order_carries_every_setting(tmp_path: Path) -> None:
    file = tmp_path / "order"
    file.write_bytes(order_for("host=/run", tmp_path, once=True))
    with FileIO(file) as stream:
        order = read_order(stream)
    settings = Settings.model_validate(order.settings)
    assert (order.conninfo, order.once, order.source_id) == ("host=/run", True, 7)
    assert settings.min_gap == 0.5
    assert [str(network) for network in settings.egress_allow_cidrs] == ["10.0.0.0/8"]


def test_settings_of_the_parent_win_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_for("", tmp_path)
    monkeypatch.setenv("CTISCRAPER_PROXY", "http://127.0.0.1:1")
    file = tmp_path / "order"
    file.write_bytes(order)
    with FileIO(file) as stream:
        assert Settings.model_validate(read_order(stream).settings).proxy is None


def _unused(folder: Path) -> "Services":
    """What a worker is made with that never runs."""
    nothing = SimpleNamespace(put_back=None)
    settings = Settings(data_dir=folder)
    return cast("Services", SimpleNamespace(queue=None, pipeline=nothing, settings=settings))


@pytest.mark.parametrize("silent", ["looking", "holding"])
def test_a_worker_that_does_not_look_for_work_falls_silent(tmp_path: Path, silent: str) -> None:
    """What its parent makes of the silence is shown where a frozen worker is ended."""
    worker = Worker(_unused(tmp_path))
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        give_sign(worker, writer)
        assert os.read(reader, 64) == b"."
        if silent == "looking":
            worker._looked_at -= SILENT_SECONDS + 1
        else:
            worker.holding._kept_at -= SILENT_SECONDS + 1
        give_sign(worker, writer)
        with pytest.raises(BlockingIOError):
            os.read(reader, 64)
        os.close(reader)
        worker._looked_at = worker.holding._kept_at = time.monotonic()
        give_sign(worker, writer)
    finally:
        os.close(writer)


def test_what_is_no_order_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "order"
    file.write_bytes(b"work!\n")
    with FileIO(file) as stream, pytest.raises(SettingsError, match="ctiscraper worker"):
        read_order(stream)


def test_a_single_round_ends_by_itself(database: str, tmp_path: Path) -> None:
    with worker(order_for(database, tmp_path, once=True)) as process:
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("end", ["signal", "parent"])
def test_a_worker_ends_when_told_or_left_alone(database: str, tmp_path: Path, end: str) -> None:
    with worker(order_for(database, tmp_path)) as process:
        # Its parsers run once it is at work.
        while not psutil.Process(process.pid).children():
            assert process.poll() is None
        if end == "signal":
            process.terminate()
        else:
            assert process.stdin is not None
            process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_worker_without_a_database_says_so(tmp_path: Path) -> None:
    with worker(order_for("host=127.0.0.1 port=1 connect_timeout=1", tmp_path)) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 1
    assert "worker_failed" in said
    assert "Traceback" not in said


def test_a_worker_does_not_carry_the_pages() -> None:
    listing = "import sys, ctiscraper.tasks.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert loaded.isdisjoint({"fastapi", "sqlalchemy", "typer", "uvicorn"})


class Ring:
    """What only a collection can free."""

    def __init__(self) -> None:
        self.me = self


def test_rings_that_nobody_holds_are_given_back() -> None:
    ring = Ring()
    held = weakref.ref(ring)
    give_back_what_is_free()
    assert held() is ring
    del ring
    assert held() is not None
    give_back_what_is_free()
    assert held() is None
