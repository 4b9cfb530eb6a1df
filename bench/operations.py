"""What it costs to look at operations on a large database, and to count what is looked at.

Run: .venv/bin/python bench/operations.py [--items 1000000] [--waiting 250000] [--rounds 3000]

The database is throw-away, filled by generate_series. Every statement of `OperationsBoard` is
explained and timed, the best of seven. Then the end of an item is timed with the counting triggers
and without them, in turns.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psycopg
import uvloop
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ctiscraper.db import operations
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.session import Database
from ctiscraper.operations import COUNTED_MOST

HOSTS = 20_000
VALUES = {
    "most": COUNTED_MOST,
    "looked_at": operations.LOOKED_AT,
    "shown": operations.HOSTS_SHOWN,
    "alive": 60.0,
    "workers": operations.WORKERS_SHOWN,
}
FILL = (
    """
    INSERT INTO source (key, settings) SELECT 's' || n, jsonb_build_object('name', 'S' || n,
        'tier', (ARRAY['premium', 'standard', 'basic'])[1 + n % 3], 'active', true)
    FROM generate_series(0, {hosts} - 1) n
    """,
    """
    INSERT INTO source_state (source_id, host, next_check_at)
    SELECT id, 'h' || (id - 1) || '.example', now() + make_interval(secs => id % 3600 - 60)
    FROM source
    """,
    """
    INSERT INTO host (host, rank, requests, work_at, open_until, next_allowed_at, reason)
    SELECT 'h' || n || '.example', n % 3, n, now() + make_interval(secs => n % 600 - 60),
        CASE WHEN n % 50 = 0 THEN now() + make_interval(mins => n % 90) END,
        now() + make_interval(secs => n % 7 - 5), 'timeout'
    FROM generate_series(0, {hosts} - 1) n
    """,
    """
    INSERT INTO fetch_job (url_hash, url, host, source_id, rank, state, attempts, run_after, entry,
        lease_until, finished_at)
    SELECT sha256(n::text::bytea), 'https://h' || n % {hosts} || '.example/' || n,
        'h' || n % {hosts} || '.example', 1 + n % {hosts}, n % {hosts} % 3,
        CASE WHEN n < {waiting} THEN 'pending' WHEN n < {waiting} + 200 THEN 'leased'
            WHEN n % 10 = 0 THEN 'filtered' WHEN n % 10 = 1 THEN 'failed'
            WHEN n % 100 = 2 THEN 'dead' ELSE 'stored' END,
        0, now() + make_interval(secs => CASE WHEN n % 4 = 0 THEN n % 3600 ELSE -n % 3600 END),
        jsonb_build_object('guid', n, 'url', 'https://h.example/' || n, 'title', repeat('w ', 60)),
        now() + interval '1 h', now()
    FROM generate_series(0, {items} - 1) n
    """,
    """
    INSERT INTO sighting SELECT source_id, url_hash, id, url_hash, true, now() FROM fetch_job
    """,
    """
    INSERT INTO source_check (source_id, checked_at, status, unchanged, requests, wire_bytes)
    SELECT 1 + n % {hosts}, now() - make_interval(secs => ({items} - n) * 0.5), 304, true, 1, 200
    FROM generate_series(0, {items} - 1) n
    """,
    """
    INSERT INTO work_count (minute, lane, stored)
    SELECT now() - make_interval(mins => m), lane, 50
    FROM generate_series(0, 119) m, generate_series(1, 16) lane
    """,
    """
    INSERT INTO worker_heartbeat (worker, pid) SELECT gen_random_uuid(), n
    FROM generate_series(1, 8) n
    """,
)
STATEMENTS = (
    "_FACTS",
    "_TIERS",
    "_RESTING",
    "_SOURCES",
    "_HOSTS",
    "_RESTS",
    "_PACES",
    "_FLOW",
    "_MARK",
    "_WORKERS",
    "_STANDING",
    "_DAY",
    "_BALANCED",
)
# A claim and an end as a worker does them; the item is then as it was before.
CLAIM = """
UPDATE fetch_job SET state = 'leased', attempts = attempts + 1, lease_owner = gen_random_uuid(),
    lease_until = now() + interval '1 min'
WHERE id = (SELECT id FROM fetch_job WHERE host = %s AND state = 'pending'
    ORDER BY rank, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
END = """
UPDATE fetch_job SET state = 'stored', finished_at = now(), lease_owner = NULL, lease_until = NULL
WHERE id = %s
"""
TRIGGERS = "ALTER TABLE fetch_job {} TRIGGER USER"


def explain(conninfo: str) -> None:
    """Time each statement of the board and print what of its plan reads a whole table."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name in STATEMENTS:
            statement = getattr(operations, name)
            times = []
            for _ in range(7):
                began = time.perf_counter()
                connection.execute(statement, VALUES if "%(" in statement else None).fetchall()
                times.append((time.perf_counter() - began) * 1000)
            plan = connection.execute(
                f"EXPLAIN {statement}", VALUES if "%(" in statement else None
            ).fetchall()
            scans = {str(row[0]).split("->")[-1].split("  (")[0].strip() for row in plan}
            whole = sorted(scan for scan in scans if scan.startswith(("Seq", "Parallel Seq")))
            print(f"{name:<12}{min(times):9.1f} ms  {', '.join(whole)}")


async def look(conninfo: str) -> None:
    """Time whole looks: the first, which sums all, and those after it."""
    async with Database(conninfo, size=2) as database:
        board = operations.OperationsBoard(database, patience=60.0)
        times = []
        for _ in range(6):
            began = time.perf_counter()
            seen = await board.read()
            times.append((time.perf_counter() - began) * 1000)
        assert seen.work is not None
        print(f"a look     {times[0]:9.1f} ms the first, {min(times[1:]):.1f} after")


def count(conninfo: str, rounds: int) -> None:
    """Time ends of items with the counters and without, in turns."""
    spent: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for turn in range(rounds):
            way = ("ENABLE", "DISABLE")[turn // 100 % 2]
            if turn % 100 == 0:
                connection.execute(sql.SQL(TRIGGERS).format(sql.SQL(way)))
            host = f"h{turn % HOSTS}.example"
            found = connection.execute(CLAIM, (host,)).fetchone()
            if found is None:
                continue
            began = time.perf_counter()
            connection.execute(END, (found[0],))
            spent[way].append((time.perf_counter() - began) * 1e6)
        connection.execute("ALTER TABLE fetch_job ENABLE TRIGGER USER")
    for way, times in spent.items():
        print(f"an end, counters {way.lower()}d: {statistics.median(times):.0f} µs, {len(times)}")


async def measure(given: argparse.Namespace, folder: Path) -> None:
    """Fill a database and measure."""
    server = EmbeddedPostgres(folder, find_binaries())
    await server.start()
    try:
        conninfo = make_conninfo(server.conninfo)
        await asyncio.to_thread(upgrade, conninfo)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in FILL:
                values = {"hosts": HOSTS, "items": given.items, "waiting": given.waiting}
                began = time.perf_counter()
                connection.execute(statement.format(**values))
                print(f"filled in {time.perf_counter() - began:.1f} s", flush=True)
            connection.execute("ANALYZE")
        print(f"{given.items} items, {given.waiting} of them pending; never vacuumed:")
        explain(conninfo)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        print("vacuumed:")
        explain(conninfo)
        await look(conninfo)
        count(conninfo, given.rounds)
    finally:
        await server.stop()


def main() -> None:
    """Measure with the sizes of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=3000)
    with tempfile.TemporaryDirectory(prefix="ctiscraper-bench-") as folder:
        Path(folder).chmod(0o711)
        uvloop.run(measure(parser.parse_args(), Path(folder) / "data"))


if __name__ == "__main__":
    main()
