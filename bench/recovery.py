"""How long what a killed worker held waits for another: at most its lease, and a few seconds.

Run: .venv/bin/python bench/recovery.py [--kills 10] [--lease 10] [--workers 2]

A worker that holds items is killed without warning; then the time is taken until each of them is
in the hands of another worker, or over. The killed one is replaced, as a supervisor does. Items
that lost a worker before are not counted: they may have ended it, and wait to be worked on alone.
"""

import argparse
import asyncio
import os
import signal
import time

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources

MOST_OVER = 5.0
LEAST_HELD = 3
HOSTS, ITEMS = 40, 200


async def holders(database: Database) -> dict[int, tuple[str, list[int]]]:
    """Return, by process, the worker's name and the items that it holds."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT h.pid, h.worker::text, array_agg(j.id) FROM worker_heartbeat h
            JOIN fetch_job j ON j.worker = h.worker AND j.state = 'leased' AND j.attempts = 1
            GROUP BY 1, 2 HAVING count(*) >= %s
            """,
            (LEAST_HELD,),
        )
        return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def waiting(database: Database, worker: str, items: list[int]) -> int:
    """Return how many of the items nobody has taken since that worker had them."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT count(*) FROM fetch_job WHERE id = ANY(%s)
                AND (state = 'pending' OR (state = 'leased' AND worker = %s::uuid))
            """,
            (items, worker),
        )
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def kill_one(made: rig.Installation, database: Database) -> tuple[float, int]:
    """Return how long what a killed worker held had to wait (s), and how much it was."""
    while not (held := await holders(database)):
        await asyncio.sleep(0.05)
    pid, (worker, items) = max(held.items(), key=lambda one: len(one[1][1]))
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    for process in [one for one in made.workers if one.pid == pid]:
        await asyncio.to_thread(process.wait)
        made.workers.remove(process)
    made.start_worker()
    while await waiting(database, worker, items):
        await asyncio.sleep(0.1)
    return time.monotonic() - killed, len(items)


async def main(options: argparse.Namespace) -> int:
    environment = {"CTISCRAPER_LEASE_SECONDS": str(options.lease), "CTISCRAPER_MIN_GAP": "0.2"}
    arguments = ["--hosts", str(HOSTS), "--items", str(ITEMS), "--latency", "500", "--prerender"]
    with rig.internet(*arguments):
        async with rig.installation(environment) as made, Database(made.conninfo) as database:
            await Sources(database).seed(tuple(rig.sources(HOSTS)))
            for _ in range(options.workers):
                made.start_worker()
            times = []
            for number in range(options.kills):
                seconds, items = await kill_one(made, database)
                print(f"kill {number + 1}: {items} items, all taken again after {seconds:.1f} s")
                times.append(seconds)
    most = options.lease + MOST_OVER
    print(f"the longest wait: {max(times):.1f} s of {most:.0f} (lease {options.lease:.0f} s)")
    return 0 if max(times) <= most else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--lease", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    raise SystemExit(asyncio.run(main(parser.parse_args())))
