"""PostgreSQL restarted without warning and Redis emptied in one run: little is fetched again."""

import asyncio
from functools import partial
from pathlib import Path

from redis.asyncio import Redis

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.migrate import upgrade
from ctiscraper.errors import StorageError
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.run import write_order
from ctiscraper.tasks.valkey import EmbeddedValkey
from internet.world import FakeInternet
from patience import until
from servers import own_server
from walk.crew import crew_of
from walk.walker import Walk, settings_for, walking

# A restart may cost each host the item that is in hand just then: four of 144.
WORKERS, HOSTS, ITEMS = 2, 4, 36
MOST_AGAIN = 0.03
# So many articles lie before each disturbance, and at least so many behind the last.
APART = 40


async def _stored(walk: Walk, least: int) -> bool:
    """Whether so many are; while the database is away nobody knows."""
    try:
        return bool(await walk.value(f"SELECT count(*) >= {least} FROM article"))
    except StorageError:
        return False


async def _all_stored(walk: Walk) -> bool:
    """Whether all are; what was put back need not wait the half minute that it would."""
    try:
        await walk.run("UPDATE fetch_job SET run_after = now() WHERE state = 'pending'")
        await walk.run("UPDATE host SET work_at = now() WHERE work_at < 'tomorrow'")
    except StorageError:
        return False
    return await _stored(walk, HOSTS * ITEMS)


async def test_a_restart_and_a_flush_lose_nothing_and_cost_little(
    place: Path, binaries: PgBinaries, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with (
        own_server(place / "pg", binaries) as server,
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.1) as net,
        Redis.from_url(valkey.url) as client,
    ):
        server.run("CREATE DATABASE it")
        conninfo = server.conninfo("it")
        await asyncio.to_thread(upgrade, conninfo)
        settings = settings_for(net, tmp_path, lease_seconds=2.0, redis_url=valkey.url)

        async def restart() -> None:
            await server.stop()
            await server.start()

        async def flush() -> None:
            await client.flushall()

        async with walking(conninfo, net, tmp_path) as walk, Beat(settings):
            await walk.add(*net.sources())
            with crew_of(write_order(conninfo, settings), WORKERS) as crew:
                crew.fill()
                for number, step in enumerate([restart, flush], 1):
                    await until(partial(_stored, walk, number * APART))
                    await step()
                # Each came while there was work left for it to disturb.
                assert not await _stored(walk, HOSTS * ITEMS - APART)
                await until(partial(_all_stored, walk))
                assert all(worker.poll() is None for worker in crew.workers)
            accounting = await walk.accounting()
            assert (accounting.discovered, accounting.stored) == (HOSTS * ITEMS, HOSTS * ITEMS)
            assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0
            pages = [one.path for one in net.requests if one.path.startswith("/a/")]
            assert 0 <= len(pages) / (HOSTS * ITEMS) - 1 <= MOST_AGAIN
