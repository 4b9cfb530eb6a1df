"""What updates leave behind, and whether partitions would pay.

Run: .venv/bin/python bench/upkeep.py [--rows 1000000] [--checks 2000000]

First fifty rounds of checks and items go through the product's own statements, with autovacuum as
it is by default; then deleting old checks is measured against dropping a partition, and lists and
search on one table against monthly partitions.
"""

import argparse
import asyncio
import hashlib
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import rig
from ctiscraper.db.checks import Checks
from ctiscraper.db.hosts import Hosts
from ctiscraper.db.queue import Held, Queue
from ctiscraper.db.retention import Retention
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sources import Sources
from ctiscraper.types import (
    Announced,
    CheckSummary,
    FeedEntry,
    Health,
    SourceStanding,
    Tier,
    Validators,
)

SOURCES = 40
ROUNDS = 50
NEW_ITEMS = 10
WATCHED = ("source_state", "host", "fetch_job", "source_check")
MONTHS = 60
STANDING = SourceStanding(
    health=Health.OK,
    next_check_seconds=0,
    validators=Validators(etag='"1"'),
    failures=0,
    succeeded=True,
)


def items(turn: int, key: str, host: str) -> list[Announced]:
    """Return what a source announces in a round: nothing new in most."""
    if turn % 10:
        return []
    made = []
    for n in range(NEW_ITEMS):
        url = f"http://{host}/{key}/{turn}/{n}"
        digest = hashlib.sha256(url.encode()).digest()
        made.append(
            Announced(
                url_hash=digest,
                guid_hash=digest,
                entry_hash=digest,
                url=url,
                host=host,
                entry=FeedEntry(guid=url, url=url),
            )
        )
    return made


async def one_round(database: Database, turn: int, worker: UUID) -> None:
    """Lease every host, check its sources and end its items, as a worker does."""
    hosts, checks, queue = Hosts(database), Checks(database), Queue(database)
    while leases := await hosts.lease(worker, limit=50, seconds=60):
        await queue.renew(
            worker, Held(hosts={lease.owner for lease in leases}), pid=1, seconds=60, done=turn
        )
        for lease in leases:
            await hosts.reserve(lease.host, 0.0, most=3600)
            for _ in range(lease.sources_due):
                due = await checks.claim(lease.host, seconds=60)
                if due is None:
                    break
                key = due.source.settings.key
                await checks.record(
                    due,
                    CheckSummary(source_key=key, status=200),
                    STANDING,
                    items(turn, key, lease.host),
                )
            while job := await queue.claim(lease.host, worker, seconds=60):
                await hosts.reserve(lease.host, 0.0, most=3600)
                await queue.finish(job, "failed", "not_found", "", None)
            async with database.connection() as conn:
                await conn.execute(
                    "UPDATE source_state SET next_check_at = 'infinity' WHERE host = %s",
                    (lease.host,),
                )
            await hosts.release(lease)


async def all_due(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("UPDATE source_state SET next_check_at = now()")
        await conn.execute("UPDATE host SET work_at = now(), next_allowed_at = now()")


async def collection(database: Database) -> None:
    """Print how updates were done during fifty rounds, and what they left behind."""
    await Sources(database).seed(tuple(rig.sources(SOURCES)))
    worker = uuid4()
    started = time.monotonic()
    for turn in range(ROUNDS):
        await all_due(database)
        await one_round(database, turn, worker)
    print(
        f"{ROUNDS} rounds of {SOURCES} sources, a tenth of them with {NEW_ITEMS} new items each: "
        f"{time.monotonic() - started:.0f} s"
    )
    async with database.connection() as conn:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple")
        await conn.execute("SELECT pg_stat_force_next_flush()")
        await asyncio.sleep(1.5)
        cursor = await conn.execute(
            """
            SELECT relname, n_tup_upd, n_tup_hot_upd, n_live_tup, n_dead_tup, autovacuum_count,
                pg_table_size(relid), pg_indexes_size(relid)
            FROM pg_stat_user_tables WHERE relname = ANY(%s) ORDER BY relname
            """,
            (list(WATCHED),),
        )
        for name, updates, hot, live, dead, vacuums, table, indexes in await cursor.fetchall():
            share = f"{hot / updates:.1%}" if updates else "-"
            print(
                f"  {name:13} updates {updates:7,}, in place {share:>6}; live {live:6,}, dead "
                f"{dead:6,}, vacuumed {vacuums} times; table {table >> 10:6,} KB, indexes "
                f"{indexes >> 10:6,} KB"
            )
        await bloat(conn)


async def bloat(conn: Conn) -> None:
    """Print what a rebuilt table and its indexes would take instead."""
    for name in WATCHED:
        before = await sizes(conn, name)
        await conn.execute(f"VACUUM FULL {name}")
        after = await sizes(conn, name)
        print(
            f"  {name:13} table {before[0] / after[0]:.2f} and indexes {before[1] / after[1]:.2f} "
            "times their size when rebuilt"
        )


async def sizes(conn: Conn, name: str) -> tuple[int, int]:
    cursor = await conn.execute(
        "SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", (name, name)
    )
    row = await cursor.fetchone()
    assert row is not None
    return max(1, row[0]), max(1, row[1])


async def old_checks(database: Database, rows: int) -> None:
    """Print what removing a month of checks costs in batches, and as a partition."""
    async with database.connection() as conn:
        await conn.execute("TRUNCATE source_check")
        await conn.execute(
            """
            CREATE TABLE by_month (LIKE source_check INCLUDING DEFAULTS)
                PARTITION BY RANGE (checked_at);
            CREATE INDEX ON by_month (source_id, id DESC)
            """
        )
        for n in range(12):
            await conn.execute(
                f"""
                CREATE TABLE month_{n} PARTITION OF by_month FOR VALUES
                    FROM (date_trunc('day', now()) - interval '{30 * (n + 1) - 1} days')
                    TO (date_trunc('day', now()) - interval '{30 * n - 1} days')
                """.replace("date_trunc('day', now())", f"'{await today(conn)}'::timestamptz")
            )
        fill = """
            INSERT INTO {} (id, source_id, checked_at, status)
            {} SELECT n, 1 + n %% %s, now() - interval '350 days' * (1 - n / %s::float), 200
            FROM generate_series(1, %s) AS n
        """
        values = (SOURCES, rows, rows)
        await conn.execute(fill.format("source_check", "OVERRIDING SYSTEM VALUE"), values)
        await conn.execute(fill.format("by_month", ""), values)
        await conn.execute("VACUUM ANALYZE source_check, by_month")
        days = dict.fromkeys(Tier, 320)
        started, longest, removed, batches = time.monotonic(), 0.0, 0, 0
        while True:
            began = time.monotonic()
            batch = await Retention(database).drop_checks(days)
            if batch.over:
                break
            longest = max(longest, time.monotonic() - began)
            removed, batches = removed + batch.removed, batches + 1
        spent = time.monotonic() - started
        print(
            f"{removed:,} of {rows:,} checks deleted in {batches:,} batches: {spent:.1f} s, "
            f"{spent / max(1, removed) * 1e6:.0f} us each, the longest batch {longest * 1e3:.0f} ms"
        )
        began = time.monotonic()
        await conn.execute("VACUUM source_check")
        print(f"  the vacuum after it: {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        await conn.execute("DROP TABLE month_11")
        print(f"  dropping a month's partition: {(time.monotonic() - began) * 1e3:.0f} ms")
        newest = "SELECT * FROM {} WHERE source_id = %s ORDER BY id DESC LIMIT 20"
        for table in ("source_check", "by_month"):
            spent_each = await timed(conn, newest.format(table), [(n,) for n in range(1, 60)])
            print(f"  last 20 checks of a source from {table}: {spent_each}")


async def today(conn: Conn) -> str:
    row = await (await conn.execute("SELECT date_trunc('day', now())::text")).fetchone()
    assert row is not None
    return str(row[0])


async def timed(conn: Conn, query: str, values: Sequence[tuple[object, ...]]) -> str:
    """Return p50 and p95 of planning and running together."""
    middle, late = rig.middle_and_late(await rig.timed(conn, query, values, planning=True))
    return f"p50 {middle:.2f} ms, p95 {late:.2f} ms"


COLUMNS = """
    id bigint NOT NULL, url_hash bytea NOT NULL, source_id bigint NOT NULL, tier text NOT NULL,
    title text NOT NULL, text text NOT NULL, sort_at timestamptz NOT NULL, search tsvector NOT NULL
"""
INDEXES = (
    "CREATE INDEX ON {} (sort_at DESC, id DESC)",
    "CREATE INDEX ON {} (source_id, sort_at DESC, id DESC)",
    "CREATE INDEX ON {} (tier, sort_at DESC, id DESC)",
    "CREATE INDEX ON {} USING gin (search)",
)
QUERIES = {
    "latest 50 at any depth": "(sort_at, id) < (now() - %s * interval '29 days', 0)",
    "latest 50 of one source": "source_id = %s",
    "latest 50 of one tier": "tier = 'premium' AND sort_at < now() - %s * interval '29 days'",
    "search, a rare word": "search @@ websearch_to_tsquery('english', 'rare' || %s)",
}
BY_NUMBER = {
    "one by its number": "id = %s",
    "one by its address": "url_hash = sha256(('u' || %s)::bytea)",
}


async def articles(database: Database, rows: int) -> None:
    """Print what lists and search cost on one table and on monthly partitions of the same rows."""
    async with database.connection() as conn:
        await conn.execute(f"CREATE TABLE plain ({COLUMNS}, PRIMARY KEY (id), UNIQUE (url_hash))")
        # No key without the partition's own column: an address could come twice.
        await conn.execute(
            f"""
            CREATE TABLE monthly ({COLUMNS}, PRIMARY KEY (id, sort_at),
                UNIQUE (url_hash, sort_at)) PARTITION BY RANGE (sort_at)
            """
        )
        day = await today(conn)
        for n in range(MONTHS):
            await conn.execute(
                f"""
                CREATE TABLE monthly_{n} PARTITION OF monthly FOR VALUES
                    FROM ('{day}'::timestamptz - interval '{30 * (n + 1) - 1} days')
                    TO ('{day}'::timestamptz - interval '{30 * n - 1} days')
                """
            )
        await conn.execute(
            """
            INSERT INTO plain SELECT n, sha256(('u' || n)::bytea), 1 + n %% 100,
                (ARRAY['premium', 'standard', 'basic'])[1 + n %% 3], 'Title ' || n, words,
                now() - (n / %s::float) * interval '1790 days',
                to_tsvector('english', words)
            FROM generate_series(1, %s) AS n CROSS JOIN LATERAL
                (SELECT 'rare' || n %% 10000 || ' ' || string_agg('w' ||
                    floor(exp(random() * ln(5000)))::int, ' ') AS words
                FROM generate_series(1, 15) WHERE n > 0) made
            """,
            (rows, rows),
        )
        await conn.execute("INSERT INTO monthly SELECT * FROM plain")
        await conn.execute("SET maintenance_work_mem = '512MB'")
        for index in INDEXES:
            await conn.execute(index.format("plain"))
            await conn.execute(index.format("monthly"))
        await conn.execute("VACUUM ANALYZE plain, monthly")
        print(f"{rows:,} articles, on one table and in {MONTHS} months")
        for words, where in {**QUERIES, **BY_NUMBER}.items():
            order = " ORDER BY sort_at DESC, id DESC LIMIT 50" if words in QUERIES else ""
            for table in ("plain", "monthly"):
                query = f"SELECT id, title FROM {table} WHERE {where}{order}"
                print(f"  {words}, {table}: {await timed(conn, query, [(n,) for n in range(60)])}")


async def main(rows: int, checks: int) -> None:
    # What waiting for the disk costs is not what is measured.
    options = {"shared_buffers": "512MB", "max_wal_size": "8GB", "synchronous_commit": "off"}
    async with (
        rig.installation(options=options) as made,
        Database(made.conninfo, statement_seconds=3600) as database,
    ):
        await collection(database)
        await old_checks(database, checks)
        await articles(database, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--checks", type=int, default=2_000_000)
    given = parser.parse_args()
    asyncio.run(main(given.rows, given.checks))
