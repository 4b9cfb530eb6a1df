"""A beat sees to upkeep with Redis and without, and ends when it can do so no longer."""

import asyncio
import ctypes
import threading
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from cli.terminal import Terminal
from ctiscraper.cli.beat import _beat
from ctiscraper.cli.exits import Exit, exit_of
from ctiscraper.config import load_settings
from ctiscraper.errors import SettingsError, UnavailableError
from ctiscraper.loop import alongside
from ctiscraper.tasks import pulse
from ctiscraper.tasks.pulse import Pulse
from ctiscraper.tasks.valkey import EmbeddedValkey
from patience import until

PATIENCE = 40.0


async def test_a_beat_whose_thread_has_ended_ends_for_its_supervisor_to_start_it_again(
    database: str, tmp_path: Path, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.05)
    file = tmp_path / "pulse"
    settings = load_settings(
        data_dir=tmp_path, database_url=database, redis_url=valkey.url, pulse_file=file
    )
    running = asyncio.create_task(_beat(settings))
    await until(lambda: _age_below(file, 1.0))
    async with Redis.from_url(valkey.url) as client:
        await until(partial(client.exists, "premium"))
    end_thread("beat")
    with pytest.raises(
        UnavailableError, match=r"the beat no longer rings: .*start it again"
    ) as end:
        await asyncio.wait_for(running, PATIENCE)
    assert exit_of(end.value) is Exit.FAILED
    assert all(thread.name != "beat" for thread in threading.enumerate())


async def test_a_beat_without_redis_says_so_once_and_sees_to_upkeep(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.05)
    file = tmp_path / "pulse"
    settings = load_settings(
        data_dir=tmp_path, database_url=database, pulse_file=file, metrics_seconds=1
    )
    assert settings.redis_url is None
    said = ""

    async def all_is_done() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        events = {line["event"] for line in lines}
        return {"outlived_removed", "accounts_checked"} <= events and "QueueDepth" in said

    with capture_logs() as lines:
        async with alongside(_beat(settings)) as running:
            await until(all_is_done)
            await until(lambda: _age_below(file, 1.0))
            assert not running.done()
    assert [line["event"] for line in lines].count("beat_without_redis") == 1


async def test_a_beat_whose_pulse_cannot_be_written_ends_with_the_setting(
    database: str, tmp_path: Path
) -> None:
    settings = load_settings(
        data_dir=tmp_path, database_url=database, pulse_file=tmp_path / "none" / "pulse"
    )
    with pytest.raises(SettingsError, match="CTISCRAPER_PULSE_FILE"):
        await asyncio.wait_for(_beat(settings), PATIENCE)


def test_a_beat_that_cannot_run_says_so_before_it_makes_a_cluster(tmp_path: Path) -> None:
    terminal = Terminal(
        {
            "CTISCRAPER_DATA_DIR": str(tmp_path),
            "CTISCRAPER_RAW_STORE": "s3://bucket",
            "AWS_PROFILE": "nobodys",
        }
    )
    ended = terminal.run("beat", code=Exit.SETTINGS)
    assert "no S3 client can be made" in ended.err
    assert not (tmp_path / "cluster").exists()


async def _age_below(file: Path, seconds: float) -> bool:
    age = Pulse(file).age()
    return age is not None and age < seconds


def end_thread(name: str) -> None:
    """End a thread of this process as an error would that nobody foresaw."""
    [thread] = [one for one in threading.enumerate() if one.name == name]
    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
    )
    assert raised == 1
