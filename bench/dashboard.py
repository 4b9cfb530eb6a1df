"""The dashboard with a million articles: time in the database, filling, and what counting costs.

Run: .venv/bin/python bench/dashboard.py [--rows 1000000]
It ends with 1 where a dashboard, with its share of the trends that are kept for longer, takes more
than 10 ms of database time, where a step of filling takes longer than half a second, or where a
count differs from the rows.
"""

import argparse
import asyncio
import random
import sys
import time
from uuid import uuid4

import rig
from ctiscraper.db.dashboard import DashboardBoard
from ctiscraper.db.enrichments import Enrichments, Finding
from ctiscraper.db.rollups import Rollups
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.trends import HOT_KINDS, TrendBoard
from ctiscraper.intelligence import Enrichment, Extractor, Mention, Verdict
from ctiscraper.web.dashboard import SECONDS, TREND_SECONDS
from million import store_cost

BAR_MILLISECONDS = 10.0
STEP_SECONDS = 0.5
STEP = 50_000
DAYS = 1095
NAMED = 6
THINGS = 40_000
LOOKS = 40
# As many are made anew while one look at trends is kept.
LOOKS_A_TREND = round(TREND_SECONDS / SECONDS)
TURNS = 6
WRITTEN = 100
WATCHED = 40
OPTIONS = {
    **rig.SMALL_SERVER,
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_planning": "on",
}

ARTICLES = f"""
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    SELECT sha256(('u' || n)::bytea), 'http://h.example/' || n, 'h.example', 1 + n %% {rig.SOURCES},
        'stored', '{{"guid": "g", "url": "http://h.example/"}}', now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
    RETURNING id, url, url_hash, source_id)
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    summary, sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT j.id, j.url_hash, j.source_id,
    (ARRAY['premium', 'standard', 'basic'])[1 + j.source_id %% 3], j.url, j.url, 'Title ' || j.id,
    repeat('words and ', 40), '', repeat('words and ', 20),
    now() - interval '{DAYS} days' * (1 - j.id / %(rows)s::float8) - random() * interval '1 day',
    80, 1, 'general', j.url_hash, ''
FROM jobs j
"""
# Zipf's law: of three names one is a technique, of which there are few hundred.
THING = """
INSERT INTO entity (key, kind, value, name)
SELECT decode(md5('thing' || n), 'hex'), CASE WHEN n %% 100 = 1 THEN 'technique'
    ELSE (ARRAY['actor', 'malware', 'tool', 'cve', 'vendor', 'product', 'ransomware'])[1 + n %% 7] END,
    'thing ' || n, 'Thing ' || n FROM generate_series(1, %s) AS n
"""  # noqa: E501 - a list of kinds
MENTIONS = f"""
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, extractor,
    version)
SELECT DISTINCT ON (a.id, t.thing) a.id, t.thing, a.source_id, a.sort_at, 1, '{{1}}', '{{9}}',
    'names', '1'
FROM article a CROSS JOIN generate_series(1, {NAMED}) AS m
CROSS JOIN LATERAL (SELECT CASE WHEN m %% 3 = 0
    THEN 1 + 100 * floor(exp(random() * ln({THINGS} / 100)) - 1)::int
    ELSE ceil(exp(random() * ln({THINGS})))::int END AS thing WHERE a.id + m > 0) t
WHERE a.id BETWEEN %(first)s AND %(last)s
"""
# Ten things that were seldom named are in a dozen articles of this week each.
HOT = """
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, extractor,
    version)
SELECT a.id, e.id, a.source_id, a.sort_at, 1, '{1}', '{9}', 'names', '1'
FROM (SELECT *, row_number() OVER () AS n FROM (SELECT * FROM article ORDER BY id DESC LIMIT 1200) x)
    a JOIN (SELECT id, row_number() OVER () AS n FROM entity WHERE kind = 'malware' AND id > 30000
    LIMIT 10) e ON a.n % 100 = e.n
ON CONFLICT DO NOTHING
"""  # noqa: E501 - a subquery
SCORES = """
INSERT INTO article_score (article_id, score, parts, version, listed_at)
SELECT id, random(), '[]', '1', sort_at FROM article
"""
ENTRIES = """
INSERT INTO watchlist_entry (kind, term, weight, actor, settled)
SELECT 'product', 'term ' || n, 0.5, 'bench', true FROM generate_series(1, %s) AS n
"""
HITS = """
INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)
SELECT 1 + id % 40, id, 1, true, 0, 1 FROM article WHERE id % 20 = 0
"""
SUMS = """
UPDATE entity e SET articles = m.articles FROM (SELECT entity_id, count(*) AS articles
    FROM mention GROUP BY 1) m WHERE m.entity_id = e.id
"""
REBUILT = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('mention', 'article_score', 'article') AND indexname NOT LIKE '%pkey'
    AND indexname NOT LIKE '%key'
"""


async def fill(conn: Conn, rows: int) -> None:
    """Add articles with what they name, as they stand before there are any counts."""
    await conn.execute("SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'")
    definitions = await (await conn.execute(REBUILT)).fetchall()
    for name, _ in definitions:
        await conn.execute(f"DROP INDEX {name}")
    await conn.execute("SET session_replication_role = replica")
    await conn.execute(THING, (THINGS,))
    for first in range(1, rows + 1, STEP):
        bounds = {"first": first, "last": min(first + STEP - 1, rows), "rows": rows}
        await conn.execute(ARTICLES, bounds)
        await conn.execute(MENTIONS, bounds)
    for statement in (HOT, SCORES, SUMS, HITS):
        await conn.execute(statement)
    await conn.execute(ENTRIES, (WATCHED,))
    await conn.execute("UPDATE source_state SET health = 'ok', next_check_at = now() + '1 d'")
    await conn.execute("UPDATE source_state SET health = 'failing' WHERE source_id % 30 = 0")
    await conn.execute("SET session_replication_role = DEFAULT")
    for _, definition in definitions:
        await conn.execute(definition)
    await conn.execute("UPDATE rollup_fill SET filled = 0, last = %s", (rows,))
    await conn.execute("VACUUM ANALYZE")
    for table in ("article", "mention", "entity"):
        print(f"  {table}: {await value(conn, f'SELECT count(*) FROM {table}'):,}", flush=True)


async def value(conn: Conn, query: str) -> int:
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def count_before(database: Database) -> float:
    """Fill the counts as workers do; return the longest step in seconds."""
    rollups, steps = Rollups(database), []
    began = time.perf_counter()
    while True:
        at = time.perf_counter()
        if await rollups.fill() is False:
            break
        steps.append(time.perf_counter() - at)
    await rollups.fold()
    middle, late = rig.middle_and_late(sorted(steps))
    print(
        f"  filling: {time.perf_counter() - began:.0f} s in {len(steps)} steps, p50 "
        f"{middle * 1e3:.0f} ms, p95 {late * 1e3:.0f} ms, longest {max(steps) * 1e3:.0f} ms"
    )
    async with database.connection() as conn:
        await conn.execute("VACUUM ANALYZE entity_week, tier_week, source_week")
        for table in ("tier_week", "source_week", "entity_week"):
            size = await value(conn, f"SELECT pg_total_relation_size('{table}')")
            rows = await value(conn, f"SELECT count(*) FROM {table}")
            print(f"  {table}: {rows:,} rows, {size / 1e6:.1f} MB")
    return late


async def looks(database: Database) -> float:
    """Return the database's milliseconds for one dashboard, planning included."""
    board, trends = DashboardBoard(database), TrendBoard(database)
    found = await board.morning()
    day, week = await trends.trends(HOT_KINDS)
    print(
        f"  shown: {len(week.trends)} hot in 7 days, {len(day.trends)} in 24 h, "
        f"{len(found.watched)} watched, {len(found.techniques)} techniques, "
        f"{len(found.failing)} failing"
    )
    async with database.connection() as conn:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        await conn.execute("SELECT pg_stat_statements_reset()")
        spent: list[float] = []
        for _ in range(LOOKS):
            at = time.perf_counter()
            await board.morning()
            if not len(spent) % LOOKS_A_TREND:
                await trends.trends(HOT_KINDS)
            spent.append((time.perf_counter() - at) * 1e3)
        cursor = await conn.execute(
            """
            SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 70),
                (total_exec_time + total_plan_time) / %s, total_plan_time / %s
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
            WHERE d.datname = current_database() AND query NOT LIKE '%%pg_stat_statements%%'
            ORDER BY 2 DESC
            """,
            (LOOKS, LOOKS),
        )
        rows = await cursor.fetchall()
    for query, each, planned in rows[:12]:
        print(f"    {each:7.3f} ms (planning {planned:.3f}): {query}")
    total = float(sum(row[1] for row in rows))
    middle, late = rig.middle_and_late(sorted(spent))
    print(f"  dashboard: {total:.2f} ms of database time; wall p50 {middle:.1f}, p95 {late:.1f} ms")
    return total


async def enrich_cost(made: rig.Installation, database: Database, turn: int) -> float:
    """Return PostgreSQL's CPU milliseconds to write what an article names, six names among it."""
    chance = random.Random(turn)
    enrichments = Enrichments(database)
    async with database.connection() as conn:
        most = await value(conn, "SELECT max(id) FROM article")
        cursor = await conn.execute("SELECT kind, value FROM entity WHERE id <= %s", (THINGS,))
        known = [(row[0], row[1]) for row in await cursor.fetchall()]
    ids = [most - 10 * WRITTEN + n * 7 % (10 * WRITTEN) for n in range(WRITTEN)]
    await enrichments.queue((Extractor.OBSERVABLES,), article_ids=ids)
    found = []
    for text in await enrichments.claim(uuid4(), limit=WRITTEN):
        names = {known[int(len(known) ** chance.random()) - 1] for _ in range(NAMED)}
        pairs = names | {("domain", f"n{turn}-{text.article_id}-{n}.example") for n in range(8)}
        mentions = tuple(mention(*pair) for pair in sorted(pairs))
        versions = {"observables": "2"}
        found.append(
            Finding(
                text=text, enrichment=Enrichment(mentions=mentions, parts=(), versions=versions)
            )
        )
    before = made.postgres_cpu()
    for start in range(0, len(found), 10):
        await enrichments.keep(found[start : start + 10])
    return (made.postgres_cpu() - before) / len(found) * 1e3


def mention(kind: str, thing: str) -> Mention:
    return Mention(
        kind=kind,
        value=thing,
        extractor=Extractor.OBSERVABLES,
        places=((100, 120),),
        count=1,
        host=thing if kind == "domain" else "",
        verdict=Verdict.MENTIONED,
    )


async def counting(database: Database, *, on: bool) -> None:
    """Have writes counted or not."""
    word = "ENABLE" if on else "DISABLE"
    async with database.connection() as conn:
        for table, trigger in (
            ("article", "rollup_new"), ("article", "rollup_changed"), ("article", "rollup_gone"),
            ("mention", "rollup_new"), ("mention", "rollup_gone"),
        ):  # fmt: skip
            await conn.execute(f"ALTER TABLE {table} {word} TRIGGER {trigger}")


async def costs(made: rig.Installation, database: Database) -> None:
    """Print what counting adds to storing and to enriching, turn about."""
    stored: dict[bool, list[float]] = {False: [], True: []}
    named: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(TURNS * 2):
        on = turn % 2 == 1
        await counting(database, on=on)
        stored[on].append((await store_cost(made, database, 5_000_000 + turn * 1000))[0])
        named[on].append(await enrich_cost(made, database, turn))
    for name, spent in (("storing", stored), ("writing what it names", named)):
        without, with_counts = (sorted(spent[on])[len(spent[on]) // 2] for on in (False, True))
        print(
            f"  {name}: {without:.2f} ms without counts, {with_counts:.2f} with: "
            f"{(with_counts / without - 1) * 100:+.1f} %"
        )


async def main(rows: int) -> None:
    async with (
        rig.installation(options=OPTIONS) as made,
        rig.filled(made, (rows,), fill) as databases,
    ):
        database = databases[rows]
        step = await count_before(database)
        differences = await Rollups(database).differences()
        print(f"  differences from a full count: {len(differences)}")
        total = await looks(database)
        await costs(made, database)
    if differences or total > BAR_MILLISECONDS or step > STEP_SECONDS:
        sys.exit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))
