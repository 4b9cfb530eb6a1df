"""Clocks that are wrong change nothing: a worker's is not asked, the database's may jump."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
from walk.crew import crew_of
from walk.walker import Walk, settings_for, walking

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOSTS, ITEMS = 2, 4

needs_faketime = pytest.mark.skipif(
    not LIBRARIES, reason="a worker's clock is bent by libfaketime (Debian: apt install faketime)"
)


def bent(offset: str) -> dict[str, str]:
    """What makes a process and its children live that far from the present."""
    return {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


async def until(happened: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await happened():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


# What a row's moment may differ by from the database's present, and which moments there are.
NEAR = """
    SELECT 'robots' WHERE EXISTS (SELECT FROM robots
        WHERE abs(extract(epoch FROM fetched_at - now())) > 120)
    UNION ALL SELECT 'snapshot' WHERE EXISTS (SELECT FROM snapshot
        WHERE abs(extract(epoch FROM fetched_at - now())) > 120)
    UNION ALL SELECT 'check' WHERE EXISTS (SELECT FROM source_state
        WHERE next_check_at NOT BETWEEN now() AND now() + interval '1 day')
    UNION ALL SELECT 'rhythm' WHERE EXISTS (SELECT FROM source_state
        WHERE items_per_day IS NULL)
    UNION ALL SELECT 'pace' WHERE EXISTS (SELECT FROM host
        WHERE next_allowed_at > now() + interval '1 minute')
    UNION ALL SELECT 'collected' WHERE EXISTS (SELECT FROM article
        WHERE abs(extract(epoch FROM collected_at - now())) > 120)
    UNION ALL SELECT 'published' WHERE EXISTS (SELECT FROM article
        WHERE published_at IS NULL)
"""


@needs_faketime
@pytest.mark.parametrize("offset", ["-400d", "-1d", "+1d", "+400d"])
async def test_a_worker_with_a_wrong_clock_does_as_any_other(
    database: str, tmp_path: Path, offset: str
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        for site in net.sites:
            site.epoch = datetime.now(UTC) - timedelta(hours=ITEMS + 1)
        await walk.add(*net.sources())
        settings = settings_for(net, tmp_path, lease_seconds=2.0, min_gap=0.01)
        with crew_of(write_order(database, settings), environments=[bent(offset)]) as crew:
            crew.fill()
            await until(lambda: _ended(walk, HOSTS * ITEMS))
            assert crew.workers[0].poll() is None
        accounting = await walk.accounting()
        assert (accounting.discovered, accounting.stored) == (HOSTS * ITEMS,) * 2
        assert await walk.rows(NEAR) == []
        assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
        # Who comes next finds nothing due, and a robots.txt that is neither old nor of tomorrow.
        net.requests.clear()
        await walk.collect()
        assert net.requests == []
        await walk.all_due()
        await walk.collect()
        assert [request.path for request in net.requests] == ["/feed.xml"] * HOSTS


async def _ended(walk: Walk, items: int) -> bool:
    done = await walk.value("SELECT count(*) FROM analysis")
    return done == items


SHIFTED = (
    ("fetch_job", ("run_after", "lease_until")),
    ("host", ("next_allowed_at", "work_at", "open_until", "lease_until", "turn_at")),
    ("source_state", ("next_check_at",)),
)


async def shift(walk: Walk, seconds: int) -> None:
    """Move every moment that is ahead, as a jump of the server's clock would."""
    for table, moments in SHIFTED:
        changes = ", ".join(f"{m} = {m} + make_interval(secs => {seconds})" for m in moments)
        await walk.run(f"UPDATE {table} SET {changes}")


async def test_a_database_clock_that_jumps_back_an_hour_delays_and_loses_nothing(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        settings = settings_for(net, tmp_path, concurrency=1)
        net.sites[0].faults["/a/1"] = "hang"
        net.sites[1].faults["/a/1"] = "hang"
        with crew_of(write_order(database, settings)) as crew:
            crew.fill()
            await until(lambda: _held(walk))
        # The worker is gone with its leases; then the clock goes back.
        net.sites[0].faults.clear()
        net.sites[1].faults.clear()
        await shift(walk, 3600)
        before = await walk.accounting()
        # What others seem to hold is waited for, and nothing else is due.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(walk.collect(), 2)
        assert await walk.accounting() == before
        await shift(walk, -3600 - 60)
        await walk.all_due()
        await walk.collect()
        await walk.all_due()
        await walk.collect()
        after = await walk.accounting()
        assert (after.discovered, after.stored) == (HOSTS * ITEMS,) * 2
        assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0


async def _held(walk: Walk) -> bool:
    return (await walk.value("SELECT count(*) FROM fetch_job WHERE state = 'leased'")) != 0
