"""Real workers, a real Redis and a beat: the bell may do what it likes, the work gets done."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.run import COMMAND, write_order
from ctiscraper.tasks.valkey import EmbeddedValkey
from internet.world import FakeInternet
from patience import SECONDS, until
from walk.walker import Walk, settings_for, walking

HOSTS, ITEMS, WORKERS = 4, 12, 2
# Workers that look by themselves once an hour, so that nothing but a bell can have woken them.
PATIENT = (sys.executable, str(Path(__file__).with_name("patient_worker.py")))
# Work goes on so soon after Redis is back, and after a beat that can reach it.
HEARD_WITHIN = 30.0
# Without a ring a worker looks every 5 seconds; as much again for a machine that has much to do.
SEEN_WITHIN = 10.0


@asynccontextmanager
async def engine(
    database: str,
    settings: Settings,
    folder: Path,
    *,
    beats: int = 1,
    workers: int = WORKERS,
    command: Sequence[str] = COMMAND,
) -> AsyncIterator[Crew]:
    """Workers that hear the bell, and whoever rings it."""
    async with AsyncExitStack() as stack:
        for _ in range(beats):
            await stack.enter_async_context(Beat(settings))
        order = write_order(database, settings)
        yield await stack.enter_async_context(Crew(command, order, workers, folder / "worker.log"))


async def settled(walk: Walk, seconds: float = SECONDS) -> None:
    """Wait until everything announced has ended and is compared, and no host is held."""
    await until(
        lambda: walk.value(
            """
            SELECT NOT EXISTS (SELECT 1 FROM fetch_job WHERE state IN ('pending', 'leased'))
                AND NOT EXISTS (SELECT 1 FROM outbox)
                AND NOT EXISTS (SELECT 1 FROM source_state WHERE last_success_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM host WHERE lease_until > now())
            """
        ),
        seconds=seconds,
    )


async def all_kept_once(walk: Walk) -> None:
    accounting = await walk.accounting()
    assert accounting.balanced
    assert accounting.discovered == HOSTS * ITEMS
    assert accounting.stored + accounting.duplicate == HOSTS * ITEMS
    assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0


async def alive(walk: Walk, workers: int = WORKERS) -> None:
    """Wait until so many workers have said that they are there."""
    await until(lambda: walk.value(f"SELECT count(*) = {workers} FROM worker_heartbeat"))


async def test_redis_emptied_and_restarted_at_any_moment_loses_nothing(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.05) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        async with engine(database, settings, tmp_path) as crew:
            await alive(walk)
            await walk.add(*net.sources())
            enough = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(_shake(valkey, enough))
                await settled(walk)
                enough.set()
            assert crew.restarts == 0
        await all_kept_once(walk)
        pages = sum(request.path.startswith("/a/") for request in net.requests)
        assert pages == HOSTS * ITEMS


async def _shake(valkey: EmbeddedValkey, enough: asyncio.Event) -> None:
    """Empty Redis again and again, and kill it in between."""
    for turn in itertools.count():
        if enough.is_set():
            return
        if turn % 5 == 4 and valkey.pid is not None:
            # Killed already, it may not have been waited for yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(valkey.pid, signal.SIGKILL)
        with contextlib.suppress(OSError, RedisError):
            async with Redis.from_url(valkey.url) as client:
                await client.flushall()
        await asyncio.sleep(0.1)


async def _end_and_await(valkey: EmbeddedValkey) -> None:
    """Kill Redis, and return once its keeper has another that answers."""
    before = valkey.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)

    async def is_back() -> bool:
        if valkey.pid in {None, before}:
            return False
        with contextlib.suppress(OSError, RedisError):
            async with Redis.from_url(valkey.url) as client:
                return bool(await client.execute_command("PING"))  # type: ignore[no-untyped-call]
        return False

    await until(is_back)


async def _ears_are_open(valkey: EmbeddedValkey) -> None:
    """Wait until somebody waits in Redis for a ring of each tier at once."""
    async with Redis.from_url(valkey.url) as client:
        await until(lambda: _waits(client))


async def _waits(client: Redis) -> bool:
    return any(one["cmd"] == "brpop" for one in await client.client_list())


async def test_the_bell_wakes_again_after_redis_was_emptied_and_killed(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        async with engine(database, settings, tmp_path, workers=1, command=PATIENT) as crew:
            await alive(walk, 1)
            await _ears_are_open(valkey)
            async with Redis.from_url(valkey.url) as client:
                await client.flushall()
            await walk.add(*net.sources())
            await settled(walk, HEARD_WITHIN)
            await all_kept_once(walk)
            await _end_and_await(valkey)
            await walk.all_due()
            await until(
                partial(walk.value, f"SELECT count(*) >= {2 * HOSTS} FROM source_check"),
                seconds=HEARD_WITHIN,
            )
            # One that fell silent would have been started anew, and looked once for that reason.
            assert crew.restarts == 0


async def test_without_redis_workers_look_by_themselves(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url="redis://127.0.0.1:1/0")
        await walk.add(*net.sources())
        async with engine(database, settings, tmp_path) as crew:
            await settled(walk)
            assert crew.restarts == 0
        await all_kept_once(walk)


async def test_a_full_redis_delays_nothing(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    """No ring gets through, each is refused, and workers look by themselves as often as ever."""
    async with (
        Redis.from_url(valkey.url) as client,
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await client.config_set("maxmemory", "1")
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        async with engine(database, settings, tmp_path) as crew:
            await alive(walk)
            added = await walk.value("SELECT clock_timestamp()")
            await walk.add(*net.sources())
            await settled(walk)
            # Whoever finds work rings for others, and says that nobody can have heard it.
            await until(partial(_unheard, tmp_path / "worker.log"))
            assert crew.restarts == 0
        await all_kept_once(walk)
        waited = f"SELECT extract(epoch FROM max(checked_at) - '{added}')::float FROM source_check"
        assert float(str(await walk.value(waited))) < SEEN_WITHIN
        rung, refused = await _rings(client)
        assert rung == 0
        assert refused > 0


async def _unheard(log: Path) -> list[str]:
    """Return what workers said of rings that failed for want of memory."""
    said = (await asyncio.to_thread(log.read_text, "utf-8")).splitlines()
    unheard = [line for line in said if "bell_not_heard" in line]
    return [line for line in unheard if "is full" in line or "maxmemory" in line]


async def _rings(client: Redis) -> tuple[int, int]:
    """Return how many rings Redis took, and how many commands it refused for want of memory."""
    taken = (await client.info("commandstats")).get("cmdstat_lpush", {}).get("calls", 0)
    refused = (await client.info("errorstats")).get("errorstat_OOM", {}).get("count", 0)
    return int(taken), int(refused)


@pytest.mark.parametrize("beats", [1, 5])
async def test_however_many_beats_there_are_each_source_is_asked_once(
    database: str, tmp_path: Path, valkey: EmbeddedValkey, beats: int
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        await walk.add(*net.sources())
        async with engine(database, settings, tmp_path, beats=beats):
            await settled(walk)
            for due in (2, 3):
                await walk.all_due()
                await until(
                    partial(walk.value, f"SELECT count(*) >= {due * HOSTS} FROM source_check")
                )
        assert await walk.value("SELECT count(*) FROM source_check") == 3 * HOSTS
        assert sum(request.path == "/feed.xml" for request in net.requests) == 3 * HOSTS


async def test_a_bell_wakes_a_worker_before_it_would_look_by_itself(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        async with engine(database, settings, tmp_path, workers=1, command=PATIENT) as crew:
            await alive(walk, 1)
            await _ears_are_open(valkey)
            await walk.add(*net.sources())
            await settled(walk, HEARD_WITHIN)
            assert crew.restarts == 0
        assert await walk.value("SELECT count(*) FROM article") == 2


async def test_a_frozen_worker_is_ended_and_its_work_goes_on(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.05) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, lease_seconds=2.0)
        order = write_order(database, settings)
        crew = Crew(COMMAND, order, 1, tmp_path / "worker.log", pulse_seconds=3.0)
        async with crew:
            await alive(walk, 1)
            [first] = crew.pids
            await walk.add(*net.sources())
            await until(lambda: walk.value("SELECT count(*) FROM article"))
            frozen = psutil.Process(first)
            frozen.suspend()
            await settled(walk)
            assert crew.pids != (first,)
            assert crew.restarts == 1
        await all_kept_once(walk)


async def _replaced(crew: Crew, pid: int) -> bool:
    return pid not in crew.pids and len(crew.pids) == WORKERS


async def test_all_workers_restarted_in_turn_during_collection_lose_nothing(
    database: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.05) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        async with engine(database, settings, tmp_path) as crew:
            await alive(walk)
            await walk.add(*net.sources())
            for pid in crew.pids:
                os.kill(pid, signal.SIGTERM)
                await until(partial(_replaced, crew, pid))
            await settled(walk)
        await all_kept_once(walk)
        assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
