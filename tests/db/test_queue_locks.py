"""Whoever locks several hosts or items does so in one order: two such never wait for each other."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import make
from ctiscraper.db.queue import Held
from ctiscraper.db.session import Database
from ctiscraper.types import Tier
from db.stage import Stage
from lock_waits import until_waiting

WRITTEN = ("d.example", "c.example", "b.example", "a.example")
"""The hosts as they lie in the table, which is not as they are sorted."""

BY_AN_INDEX = ("enable_indexscan", "enable_bitmapscan", "enable_nestloop")
"""Ways to read tables that give the rows of such small ones in order by chance."""


async def _held(stage: Stage) -> Held:
    """A worker has all hosts and two items; it does not know that it has one of them."""
    await stage.announce([make.announced(f"https://{host}/1", host=host) for host in WRITTEN[::-1]])
    leases = await stage.hosts.lease(stage.worker, limit=10, seconds=60)
    known, _ = await stage.claim("d.example"), await stage.claim("b.example")
    for host in WRITTEN:
        is_it = f"WHERE host = '{host}'"
        await stage.run(f"UPDATE host SET requests = 1 {is_it}")
        await stage.run(f"UPDATE fetch_job SET lease_until = now() + interval '29 seconds' {is_it}")
    return Held(
        jobs={known.lease_owner},
        hosts={lease.owner for lease in leases if lease.host != "b.example"},
    )


async def _renew(stage: Stage, held: Held) -> None:
    await stage.queue.renew(stage.worker, held, pid=1, seconds=60, done=0)


async def _retire(stage: Stage, held: Held) -> None:
    del held
    await stage.queue.retire(stage.worker)


async def _have_another_tier(stage: Stage, held: Held) -> None:
    del held
    settings = replace(make.settings(), tier=Tier.PREMIUM)
    await stage.sources.update("acme", settings, actor="test")


@pytest.mark.parametrize("locking", [_renew, _retire, _have_another_tier])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT host FROM host ORDER BY host {}",
        "SELECT id FROM fetch_job WHERE host IN ('b.example', 'd.example') ORDER BY id {}",
    ],
    ids=["hosts", "items"],
)
async def test_who_waits_for_the_first_has_locked_no_other(
    stage: Stage,
    database: str,
    locking: Callable[[Stage, Held], Awaitable[None]],
    query: str,
) -> None:
    held = await _held(stage)
    for way in BY_AN_INDEX:
        await stage.run(f"ALTER DATABASE {conninfo_to_dict(database)['dbname']} SET {way} = off")
    with psycopg.connect(database) as holder:
        every = holder.execute(query.format("")).fetchall()
        holder.execute(query.format("LIMIT 1 FOR UPDATE"))
        async with Database(database, size=2) as other:
            waiting = asyncio.ensure_future(locking(Stage(other, worker=stage.worker), held))
            await asyncio.to_thread(until_waiting, database)
            free = holder.execute(query.format("FOR UPDATE SKIP LOCKED")).fetchall()
            holder.rollback()
            await waiting
    assert free == every
