"""What scores cost with a million articles: lists by score, and a change of the watchlist.

Run: .venv/bin/python bench/watchlist.py [--rows 1000000]
"""

import argparse
import asyncio
import time

from psycopg import sql

import rig
from ctiscraper.asking import understand
from ctiscraper.db.article_filters import AND, to_wanted
from ctiscraper.db.articles import Articles
from ctiscraper.db.best import BEHIND, TODAY, WALK
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sources import Sources
from ctiscraper.enrich.text_score import text_parts
from ctiscraper.intelligence import Extractor, Mention
from ctiscraper.scoring import AT_ONCE, ScoredText, Scoring
from ctiscraper.views import ArticleQuery
from ctiscraper.weighing import watch_given

SOURCES = 100
POOL = 2_000
SHORT, LONG = 60, 1_600
FULL = 5_000
NAMED = 30
ROUNDS = 30
BATCHES, BATCH = 5, 5_000

FILL_POOL = f"""
CREATE TABLE pool AS SELECT n, text, to_tsvector('english', text) AS search FROM (
    SELECT n, (SELECT string_agg('w' || floor(exp(random() * ln(30000)))::int, ' ')
        FROM generate_series(1, CASE WHEN n < {POOL} THEN {SHORT} ELSE {LONG} END)
        WHERE n >= 0) AS text
    FROM generate_series(0, {POOL + 199}) AS n) made
"""
# The newest have texts of some 10 KB, and what they mention; all are spread over ten years.
FILL = f"""
WITH arts AS (
    INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text, html,
        published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
    SELECT sha256(('u' || j.n)::bytea), 1 + j.n %% {SOURCES},
        (ARRAY['premium', 'standard', 'basic'])[1 + j.n %% 3], 'http://h.example/' || j.n, 'u',
        'Title ' || j.n, p.text, '', d, d, 60, 2, 'general', ''::bytea, p.search
    FROM (SELECT n, now() - (%(rows)s - n)::float8 * 3650 / %(rows)s * interval '1 day' AS d
        FROM generate_series(%(first)s::int, %(last)s::int) AS n) j
    JOIN pool p ON p.n = CASE WHEN j.n <= %(rows)s - {FULL} THEN j.n %% {POOL}
        ELSE {POOL} + j.n %% 200 END
    RETURNING id, sort_at)
INSERT INTO article_score (article_id, score, parts, text_parts, version, listed_at)
SELECT id, s, jsonb_build_array(jsonb_build_object('name', 'urgency', 'value', s, 'weight', 1)),
    jsonb_build_array(jsonb_build_object('name', 'urgency', 'value', s, 'weight', 1)), '1', sort_at
FROM (SELECT *, random()::real AS s FROM arts) made
"""
NAME = f"""
INSERT INTO entity (key, kind, value, articles, first_seen, last_seen)
SELECT sha256(('e' || n)::bytea), 'domain', 'e' || n || '.example', 3, now(), now()
FROM generate_series(1, {FULL * 10}) AS n
"""
MENTION = f"""
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, extractor,
    version)
SELECT a.id, e, a.source_id, a.sort_at, 1, '{{0}}', '{{5}}', 'observables', '1'
FROM (SELECT id, source_id, sort_at FROM article ORDER BY sort_at DESC LIMIT {FULL}) a,
    LATERAL (SELECT DISTINCT 1 + (a.id * {NAMED} + g * 7919) %% {FULL * 10} AS e
        FROM generate_series(1, {NAMED}) g) x
"""


async def fill(conn: Conn, rows: int) -> None:
    await conn.execute("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
    await conn.execute(FILL_POOL)
    cursor = await conn.execute(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'article_search'"
    )
    definition = await cursor.fetchone()
    assert definition is not None
    await conn.execute("DROP INDEX article_search")
    for first in range(1, rows + 1, 50_000):
        values = {"rows": rows, "first": first, "last": min(first + 49_999, rows)}
        await conn.execute(FILL, values)
    await conn.execute(definition[0])
    for statement in (NAME, MENTION, "VACUUM ANALYZE"):
        await conn.execute(statement.replace("%%", "%"))


async def plan(conn: Conn) -> None:
    """The server's own plan and time for the best of 30 days."""
    wanted = to_wanted(ArticleQuery(days=30))
    conditions, values = wanted.conditions, wanted.values
    statement = WALK.format(
        today=TODAY, order=BEHIND[1], conditions=AND.join([*conditions, sql.SQL("true")])
    )
    explain = sql.SQL("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {}").format(statement)
    cursor = await conn.execute(explain, values | {"days": 30, "limit": 51})
    for [line] in await cursor.fetchall():
        print(f"    {line}")


async def lists(articles: Articles) -> None:
    asked = {
        "today": ArticleQuery(days=1),
        "7 days": ArticleQuery(days=7),
        "30 days": ArticleQuery(days=30),
        "30 days, score from .9": ArticleQuery(days=30, min_score=0.9),
        "30 days, one source": ArticleQuery(days=30, source="host-3"),
        "30 days, a word": ArticleQuery(days=30, q=understand("w17")),
        "newest, score from .9": ArticleQuery(min_score=0.9),
    }
    for name, query in asked.items():
        spent = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            page = await articles.page(query)
            spent.append((time.perf_counter() - began) * 1e3)
        middle, late = rig.middle_and_late(sorted(spent))
        deep = 0.0
        if page.next is not None:
            began = time.perf_counter()
            await articles.page(query, cursor=page.next)
            deep = (time.perf_counter() - began) * 1e3
        print(
            f"  {name}: {len(page.articles)} articles, p50 {middle:.1f} ms, "
            f"p95 {late:.1f} ms, the next page {deep:.1f} ms"
        )


async def changes(database: Database) -> None:
    scoring = Scoring(database)
    for kind, term in (("keyword", "w9000"), ("keyword", "w1 w2"), ("keyword", "w1")):
        cpu = time.process_time()
        began = time.perf_counter()
        entry = await scoring.add(watch_given(kind, term), actor="bench")
        await scoring.rescore()
        spent, own = time.perf_counter() - began, time.process_time() - cpu
        found = (await scoring.watchlist.get(entry.id)).recent_articles
        print(
            f"  {term!r}: {spent:.2f} s ({own:.2f} s of it here) until the newest {AT_ONCE:,} "
            f"follow, {found} have it"
        )
    began = time.perf_counter()
    for _ in range(BATCHES):
        await scoring.rescore(BATCH)
    spent = time.perf_counter() - began
    print(f"  older ones follow: {BATCHES * BATCH / spent:,.0f} articles a second")


async def joins(database: Database) -> None:
    """What the transaction that writes an article's mentions pays for its score."""
    scoring = Scoring(database)
    async with database.connection() as conn:
        cursor = await conn.execute(
            "SELECT id, title, text FROM article ORDER BY sort_at DESC LIMIT 200"
        )
        rows = await cursor.fetchall()
    mention = Mention(
        kind="domain", value="x.example", extractor=Extractor.NAMES, places=((0, 1),), count=1
    )
    cpu = time.process_time()
    for row in rows:
        text_parts(row[2], row[1], ())
    size = sum(len(row[2]) for row in rows)
    print(f"  its text: {(time.process_time() - cpu) / size * 1e7:.2f} ms for 10 KB")
    texts = [
        ScoredText(
            article_id=row[0],
            title=row[1],
            text=row[2],
            mentions=(mention,) * NAMED,
            parts=text_parts(row[2], row[1], ()),
        )
        for row in rows
    ]
    cpu, began = time.process_time(), time.perf_counter()
    for start in range(0, len(texts), 20):
        async with database.transaction() as conn:
            await scoring.join(conn, texts[start : start + 20])
    spent, own = time.perf_counter() - began, time.process_time() - cpu
    print(f"  joining one: {spent / len(texts) * 1e3:.2f} ms, {own / len(texts) * 1e3:.2f} here")


async def main(rows: int) -> None:
    async with rig.installation(options=rig.SMALL_SERVER) as made:
        async with Database(made.conninfo) as admin, admin.connection() as conn:
            await conn.execute("CREATE DATABASE scores")
        conninfo = made.server.conninfo_for("scores")
        await asyncio.to_thread(upgrade, conninfo)
        async with Database(conninfo, statement_seconds=3600) as database:
            await Sources(database).seed(tuple(rig.sources(SOURCES)))
            began = time.monotonic()
            async with database.connection() as conn:
                await fill(conn, rows)
            print(f"{rows:,} articles filled in {time.monotonic() - began:.0f} s", flush=True)
            print("lists by score")
            async with database.connection() as conn:
                await plan(conn)
            await lists(Articles(database))
            print("an entry of the watchlist comes")
            await changes(database)
            print("an article is stored")
            await joins(database)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))
