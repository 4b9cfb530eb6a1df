"""The Redis of one machine: a real server, private, and there again when it dies."""

import asyncio
import importlib.util
import os
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest
import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from ctiscraper.errors import SettingsError
from ctiscraper.tasks import valkey as valkey_module
from ctiscraper.tasks.valkey import EmbeddedValkey
from patience import until

HOLDER = """
import asyncio, sys
from pathlib import Path
from ctiscraper.tasks.valkey import EmbeddedValkey

async def main():
    async with EmbeddedValkey(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def answering(server: EmbeddedValkey) -> None:
    """Wait until the server takes commands."""
    async with asyncio.timeout(30):
        while True:
            async with Redis.from_url(server.url) as client:
                try:
                    await client.set("there", 1)
                except (RedisError, OSError):
                    await asyncio.sleep(0.02)
                else:
                    return


async def test_it_keeps_its_promises_to_a_queue(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await client.config_get("bind") == {"bind": "127.0.0.1"}
        assert await client.config_get("save") == {"save": ""}


async def test_nobody_without_its_password_is_served(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    async with Redis(host="127.0.0.1", port=valkey.port) as client:
        with pytest.raises((AuthenticationError, ResponseError)):
            await client.set("a", 1)
    mode = (tmp_path / "valkey" / "valkey.conf").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_a_killed_server_is_there_again_at_the_same_place(valkey: EmbeddedValkey) -> None:
    first, url = valkey.pid, valkey.url
    assert first is not None
    os.kill(first, signal.SIGKILL)

    async def another() -> bool:
        return valkey.pid not in {first, None}

    await until(another)
    await answering(valkey)
    assert valkey.url == url


async def test_a_server_that_cannot_be_started_for_a_while_is_there_again(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    file, first = tmp_path / "valkey" / "valkey.conf", valkey.pid
    assert first is not None
    file.unlink()
    file.mkdir()
    with structlog.testing.capture_logs() as logged:
        os.kill(first, signal.SIGKILL)

        async def is_told() -> bool:
            return any(line["event"] == "valkey_does_not_start" for line in logged)

        await until(is_told)
    file.rmdir()
    await answering(valkey)


async def test_a_first_start_that_is_cut_off_leaves_no_server(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    starting = asyncio.create_task(server.__aenter__())
    while (number := server.pid) is None:  # noqa: ASYNC110 - it is to be met before it answers
        await asyncio.sleep(0)
    process = psutil.Process(number)
    starting.cancel()
    await asyncio.wait({starting})
    assert starting.cancelled()
    assert not process.is_running()
    assert server.pid is None


async def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / "held"), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    server = psutil.Process(int(await holder.stdout.readline()))
    holder.kill()
    await holder.wait()
    await asyncio.to_thread(server.wait, 30)


async def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    wrong = EmbeddedValkey(tmp_path / "valkey", options={"maxmemory-policy": "nonsense"})
    with pytest.raises(SettingsError, match="does not start"):
        await wrong.start()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"does not start in .*: .*Not a directory"):
        await EmbeddedValkey(tmp_path / "file" / "valkey").start()


def test_a_system_without_the_wheel_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="REDIS_URL"):
        valkey_module.find_valkey()
