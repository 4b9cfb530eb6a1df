"""Real workers, a real Redis and a beat: the bell may do what it likes, the work gets done."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator
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
from patience import until
from walk.walker import Walk, settings_for, walking

HOSTS, ITEMS, WORKERS = 4, 12, 2


@asynccontextmanager
async def engine(
    database: str, settings: Settings, folder: Path, *, beats: int = 1, workers: int = WORKERS
) -> AsyncIterator[Crew]:
    """Workers that hear the bell, and whoever rings it."""
    async with AsyncExitStack() as stack:
        for _ in range(beats):
            await stack.enter_async_context(Beat(settings))
        order = write_order(database, settings)
        yield await stack.enter_async_context(Crew(COMMAND, order, workers, folder / "worker.log"))


async def settled(walk: Walk) -> None:
    """Wait until everything announced has ended and is compared."""
    await until(
        lambda: walk.value(
            """
            SELECT NOT EXISTS (SELECT 1 FROM fetch_job WHERE state IN ('pending', 'leased'))
                AND NOT EXISTS (SELECT 1 FROM outbox)
                AND NOT EXISTS (SELECT 1 FROM source_state WHERE last_success_at IS NULL)
            """
        )
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
    async with Redis.from_url(valkey.url) as client:
        await client.config_set("maxmemory", "1")
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, redis_url=valkey.url)
        await walk.add(*net.sources())
        async with engine(database, settings, tmp_path):
            await settled(walk)
        await all_kept_once(walk)


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
        async with engine(database, settings, tmp_path, workers=1):
            await alive(walk, 1)
            # A beat that has rung says that the ears are open as well.
            async with Redis.from_url(valkey.url) as client:
                await until(partial(client.exists, "_kombu.binding.standard"))
            await walk.add(*net.sources())
            await settled(walk)
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
