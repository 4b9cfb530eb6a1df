"""The worker processes of one parent, with small programs in their place."""

import asyncio
import errno
import sys
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from structlog.testing import capture_logs

from ctiscraper.tasks import crew as crew_module
from ctiscraper.tasks.crew import Crew
from patience import until

WAITS = (
    "import sys; sys.stdin.buffer.readline(); open(sys.argv[1], 'a').write('x'); sys.stdin.read()"
)
STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'a').write('x'); sys.stdin.read()"
)
FAILS_ONCE = (
    "import os, sys; first = not os.path.exists(sys.argv[1]); open(sys.argv[1], 'a').write('x');"
    "print('said', file=sys.stderr); sys.exit(first)"
)


def crew_of(program: str, folder: Path, *, size: int = 1, once: bool = False) -> Crew:
    command = (sys.executable, "-c", program, str(folder / "seen"))
    return Crew(command, b"order\n", size, folder / "worker.log", once=once)


async def seen(folder: Path, count: int) -> None:
    """Wait until so many programs have started."""
    async with asyncio.timeout(60):
        while not (  # noqa: ASYNC110 - another process says so, by a file
            (folder / "seen").exists() and len((folder / "seen").read_text()) >= count
        ):
            await asyncio.sleep(0.01)


async def test_workers_run_and_are_ended(tmp_path: Path) -> None:
    async with crew_of(WAITS, tmp_path, size=2) as crew:
        await seen(tmp_path, 2)
        pids = crew.pids
        assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert crew.pids == ()


async def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    async with crew_of(WAITS, tmp_path) as crew:
        await seen(tmp_path, 1)
        [first] = crew.pids
        psutil.Process(first).kill()
        await seen(tmp_path, 2)
        assert crew.pids != (first,)
        assert crew.restarts == 1


@pytest.mark.parametrize("once", [False, True])
async def test_a_place_is_filled_again_after_a_start_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, once: bool
) -> None:
    start, failures = Crew._start, [BlockingIOError(errno.EAGAIN, "too many processes")]

    async def sometimes(crew: Crew, sink: BinaryIO | None) -> asyncio.subprocess.Process:
        if failures:
            raise failures.pop()
        return await start(crew, sink)

    monkeypatch.setattr(Crew, "_start", sometimes)
    with capture_logs() as logs:
        async with crew_of(WAITS, tmp_path, once=once) as crew:
            await seen(tmp_path, 1)
            assert crew.restarts == 1
    assert [line["detail"] for line in logs if line["event"] == "worker_not_started"] == [
        f"[Errno {errno.EAGAIN}] too many processes"
    ]


async def test_a_single_round_that_can_never_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "worker.log").mkdir()
    async with crew_of(WAITS, tmp_path, once=True) as crew, asyncio.timeout(60):
        with pytest.raises(IsADirectoryError):
            await crew.finished()


async def test_a_round_is_over_when_every_worker_ended_well(tmp_path: Path) -> None:
    async with crew_of(FAILS_ONCE, tmp_path, once=True) as crew, asyncio.timeout(60):
        await crew.finished()
        assert crew.restarts == 1
    assert (tmp_path / "worker.log").read_text() == "said\nsaid\n"


async def _known(crew: Crew) -> bool:
    return bool(crew.pids)


async def test_a_worker_that_does_not_stop_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "STOP_SECONDS", 0.2)
    async with crew_of(STUBBORN, tmp_path) as crew:
        await seen(tmp_path, 1)
        # It may have begun before its parent knows its number.
        await until(lambda: _known(crew))
        [pid] = crew.pids
    assert not psutil.pid_exists(pid)


def opened_to_others(folder: Path) -> Path:
    """A log that everybody may read, in a folder that everybody may look into."""
    folder.chmod(0o755)
    file = folder / "worker.log"
    file.write_text("before\n")
    file.chmod(0o644)
    return file


async def test_a_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also one that was there before, in a folder that is open to others."""
    file = opened_to_others(tmp_path)
    async with crew_of(FAILS_ONCE, tmp_path, once=True) as crew:
        await crew.finished()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("before\n")


async def test_a_long_log_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "LOG_LIMIT", 3)
    (tmp_path / "worker.log").write_text("long")
    async with crew_of(FAILS_ONCE, tmp_path, once=True) as crew:
        await crew.finished()
    assert (tmp_path / "worker.log.1").read_text() == "long"
