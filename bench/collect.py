"""Collect 40 hosts of 50 articles with two workers, then again unchanged, then after a restart.

Run: .venv/bin/python bench/collect.py [--hosts 40] [--items 50] [--workers 2]
"""

import argparse
import asyncio
import time

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources


async def _tables(database: Database) -> dict[str, tuple[int, int]]:
    async with database.connection() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        cursor = await conn.execute("SELECT relname, n_tup_ins, n_tup_upd FROM pg_stat_user_tables")
        return {name: (new, changed) for name, new, changed in await cursor.fetchall()}


async def first_round(
    made: rig.Installation, database: Database, options: argparse.Namespace
) -> None:
    expected = options.hosts * options.items
    await made.start_workers(database, options.workers)
    starting = made.worker_cpu()
    before = made.postgres_cpu()
    started = time.monotonic()
    await Sources(database).seed(tuple(rig.sources(options.hosts)))
    await rig.until_idle(database, expected=expected, seconds=600)
    wall = time.monotonic() - started
    workers, postgres = made.worker_cpu() - starting, made.postgres_cpu() - before
    print(f"first round: {await rig.counts(database)}")
    print(f"  requests {rig.control('/stats')['req']}")
    print(
        f"  CPU ms an article: {(workers + postgres) / expected * 1e3:.2f}"
        f" = workers {workers / expected * 1e3:.2f} + PostgreSQL {postgres / expected * 1e3:.2f};"
        f" {expected / wall:.0f} articles/s in {wall:.1f} s;"
        f" starting the workers took {starting:.1f} s of CPU"
    )
    for worker in made.workers:
        print("  memory MB (pss):", [f"{n}: {mb:.0f}" for n, mb in rig.memory_of_tree(worker.pid)])


async def again(made: rig.Installation, database: Database, hosts: int, label: str) -> None:
    """One unchanged round: every source due at once."""
    rig.control("/reset")
    await asyncio.sleep(3)
    tables = await _tables(database)
    workers, postgres = made.worker_cpu(), made.postgres_cpu()
    async with database.connection() as conn:
        await conn.execute("UPDATE source_state SET next_check_at = now()")
        await conn.execute("UPDATE host SET work_at = now()")
        cursor = await conn.execute("SELECT max(id) FROM source_check")
        row = await cursor.fetchone()
        last = row[0] if row else 0
        while True:
            cursor = await conn.execute("SELECT count(*) FROM source_check WHERE id > %s", (last,))
            row = await cursor.fetchone()
            if row and row[0] >= hosts:
                break
            await asyncio.sleep(0.1)
    mine, theirs = made.worker_cpu() - workers, made.postgres_cpu() - postgres
    await asyncio.sleep(2)
    after = await _tables(database)
    written = {
        name: (after[name][0] - old[0], after[name][1] - old[1])
        for name, old in tables.items()
        if after[name] != old
    }
    print(f"{label}: requests {rig.control('/stats')['req']}")
    print(f"  rows inserted, updated by table: {written}")
    print(
        f"  CPU ms a feed: {(mine + theirs) / hosts * 1e3:.2f}"
        f" = workers {mine / hosts * 1e3:.2f} + PostgreSQL {theirs / hosts * 1e3:.2f}"
    )


async def main(options: argparse.Namespace) -> None:
    arguments = ["--hosts", str(options.hosts), "--items", str(options.items), "--prerender"]
    with rig.internet(*arguments):
        async with rig.installation() as made, Database(made.conninfo) as database:
            await first_round(made, database, options)
            await again(made, database, options.hosts, "second round, unchanged")
            made.stop_workers()
            await made.start_workers(database, options.workers)
            await again(made, database, options.hosts, "after a restart, unchanged")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    asyncio.run(main(parser.parse_args()))
