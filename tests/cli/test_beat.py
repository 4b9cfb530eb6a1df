"""A beat whose thread has ended ends too, and is well to nobody meanwhile."""

import asyncio
import ctypes
import threading
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from ctiscraper.cli.beat import _beat
from ctiscraper.cli.exits import Exit, exit_of
from ctiscraper.config import load_settings
from ctiscraper.errors import SettingsError, UnavailableError
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


async def test_a_beat_whose_pulse_cannot_be_written_says_so(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    settings = load_settings(
        data_dir=tmp_path,
        database_url=database,
        redis_url=valkey.url,
        pulse_file=tmp_path / "none" / "pulse",
    )
    with pytest.raises(SettingsError, match="CTISCRAPER_PULSE_FILE cannot be written"):
        await asyncio.wait_for(_beat(settings), PATIENCE)


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
