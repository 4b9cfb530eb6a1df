"""How well articles become stories, and what it costs when a million are stored.

Run: .venv/bin/python bench/stories.py [--articles 1000] [--shuffle] [--million]

The articles are those of the local internet with events planted among them: reports that tell
parts of one event, copies, digests, echoes months later and advisories from one template.
"""

import argparse
import asyncio
import functools
import importlib
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import psycopg

import planted
import rig
from ctiscraper.db.scoreboard import SourceScores
from ctiscraper.db.session import Database
from ctiscraper.db.stories import Stories
from ctiscraper.db.story_pages import StoryPages
from ctiscraper.enrich.enrichment import Knowledge, knowledge_of
from ctiscraper.enrich.stories import Stories as Judge
from ctiscraper.extract.fingerprint import fingerprint
from ctiscraper.packs.registry import KNOWN, build_default

LEAST = 0.95
MOST_MS = 20.0
BATCH = 25
SAMPLE = 400
COMMON = 2_000

# Names that many share, by Zipf, and things that one or two articles have.
FILL_ARTICLES = """
WITH arts AS (
    INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text, html,
        published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
    SELECT sha256(('u' || n)::bytea), 1 + n % 100, 'standard', 'http://h.example/' || n, '',
        'Title ' || n || ' of ' || n % 977, 'Text', '', d, d, 450, 2, 'general',
        sha256(('t' || n)::bytea), ''
    FROM (SELECT n, now() - (1 - n::float8 / %(rows)s) * interval '3650 days' AS d
        FROM generate_series(%(first)s::int, %(last)s::int) AS n) made
    RETURNING id)
INSERT INTO article_fingerprint (article_id, version, shingles, signature, bands)
SELECT id, %(version)s, 450, decode(repeat(md5(id::text), %(bytes)s / 16), 'hex'),
    (SELECT array_agg(hashtext(id || ':' || b)) FROM generate_series(1, %(bands)s) AS b)
FROM arts
""".replace("n % 100", "n %% 100").replace("n % 977", "n %% 977")
FILL_MENTIONS = f"""
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, verdict,
    extractor, version)
SELECT a.id, e.id, a.source_id, a.sort_at, 1, '{{0}}', '{{1}}',
    CASE WHEN e.id %% 7 = 0 THEN 'malicious' END, 'observables', '1'
FROM article a CROSS JOIN LATERAL (
    SELECT DISTINCT CASE WHEN k <= 2 THEN 1 + floor(exp(random() * ln({COMMON} - 1)))::bigint
        ELSE {COMMON} + 1 + (a.id * 3 + k + floor(random() * 40)::bigint) * 2 / 3 %% %(rare)s
        END AS id
    FROM generate_series(1, 5) AS k WHERE a.id > 0) e
WHERE a.id BETWEEN %(first)s AND %(last)s
"""
FILL_ENTITIES = f"""
INSERT INTO entity (id, key, kind, value, articles, sources, first_seen, last_seen)
OVERRIDING SYSTEM VALUE
SELECT n, sha256(convert_to('bulk ' || n, 'UTF8')), CASE WHEN n <= {COMMON}
        THEN (ARRAY['malware', 'actor', 'tool', 'technique', 'vendor'])[1 + n % 5]
        ELSE (ARRAY['sha256', 'domain', 'ipv4', 'cve', 'file_path'])[1 + n % 5] END,
    'value-' || n, c.articles, c.sources, c.first, c.last
FROM (SELECT entity_id AS n, count(*)::int AS articles, min(seen_at) AS first, max(seen_at) AS last,
        least(count(*), count(DISTINCT source_id))::int AS sources
    FROM mention GROUP BY entity_id) c
"""
NUMBERS = "SELECT setval(pg_get_serial_sequence('entity', 'id'), (SELECT max(id) FROM entity))"
FILL_SOURCES = """
INSERT INTO entity_source (entity_id, source_id, articles, first_seen, last_seen)
SELECT entity_id, source_id, count(*), min(seen_at), max(seen_at) FROM mention GROUP BY 1, 2
"""
# A third of all articles are in stories of three that lie close together.
FILL_STORIES = """
INSERT INTO story (first_article, first_at, last_at, articles)
SELECT a.id, a.sort_at, b.sort_at, 3 FROM article a JOIN article b ON b.id = a.id + 2
WHERE a.id % 9 = 1 ORDER BY a.id
"""
FILL_STANDING = """
INSERT INTO story_article (article_id, story_id)
SELECT a.id, s.id FROM article a
LEFT JOIN story s ON s.first_article = a.id - (a.id - 1) % 9 AND (a.id - 1) % 9 < 3
"""


def world() -> planted.World:
    sys.path.insert(0, str(rig.INTERNET.parent))
    gen = importlib.import_module("gen")
    return planted.World(
        write=gen.article, malware=gen.KNOWN, actors=gen.ACTORS, vendors=gen.VENDORS
    )


@functools.cache
def knowledge() -> Knowledge:
    """Return the recognisers of the data packs that come along."""
    return knowledge_of({name: build_default(known) for name, known in KNOWN.items()})


async def told(
    made: rig.Installation, articles: Sequence[planted.Planted]
) -> tuple[list[int], list[int | None]]:
    """Return the numbers of articles as they came in, and the story of each in the end."""
    numbers = []
    judge = Judge(planted.alike)
    async with Database(made.conninfo) as database:
        stories = Stories(database)
        with psycopg.connect(made.conninfo, autocommit=True) as conn:
            for start in range(0, len(articles), BATCH):
                for one in articles[start : start + BATCH]:
                    named = planted.named_in(one, knowledge())
                    numbers.append(planted.store(conn, one, named))
                while await stories.assign_next(judge):
                    pass
            cursor = conn.execute("SELECT article_id, story_id FROM story_article")
            rows: dict[int, int | None] = {row[0]: row[1] for row in cursor.fetchall()}
    return numbers, [rows[number] for number in numbers]


async def quality(count: int, *, seed: int, shuffle: bool, verbose: bool) -> bool:
    here = world()
    articles = here.make(count, seed)
    if shuffle:
        random.Random(seed).shuffle(articles)
    knowledge()
    async with rig.installation() as made:
        began = time.process_time()
        _, stories = await told(made, articles)
        spent = time.process_time() - began
    found = planted.scored(articles, stories)
    events = {one.event for one in articles if one.event}
    print(
        f"{len(articles)} articles, {len(events)} planted events, "
        f"{len({one for one in stories if one is not None})} stories: pair precision "
        f"{found.precision:.3f}, recall {found.recall:.3f} ({found.right} right, {found.wrong} "
        f"wrong, {found.missed} missed; {spent / len(articles) * 1e3:.1f} ms an article, "
        "filling included)"
    )
    if verbose:
        for name, pairs in (("wrong", found.wrong_pairs), ("missed", found.missed_pairs)):
            for one, other in pairs[:25]:
                both = (articles[one], articles[other])
                print(name, [(each.event, each.title[:50], str(each.at)[:16]) for each in both])
    return found.precision >= LEAST and found.recall >= LEAST


def fill(conninfo: str, rows: int) -> None:
    mark = fingerprint("any text at all")
    values = {
        "rows": rows,
        "rare": rows * 2,
        "version": mark.version,
        "bytes": len(mark.signature),
        "bands": len(mark.bands),
    }
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        # What is made here refers to what is made here: looking each row up would take an hour.
        conn.execute("SET session_replication_role = replica")
        conn.execute("SET maintenance_work_mem = '512MB'")
        conn.execute("SET work_mem = '256MB'")
        for number in range(100):
            planted.source_id(conn, f"bulk-{number}")
        dropped = (
            "article_fingerprint_bands",
            "article_search",
            "article_tags",
            "entity_source_source",
            "mention_entity",
            "story_article_story",
        )
        definitions = conn.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY(%s)",
            (list(dropped),),
        ).fetchall()
        for name, _ in definitions:
            conn.execute(f"DROP INDEX {name}".encode())
        for first in range(1, rows + 1, 50_000):
            part = {**values, "first": first, "last": min(first + 49_999, rows)}
            conn.execute(FILL_ARTICLES.encode(), part)
            conn.execute(FILL_MENTIONS.encode(), part)
        for statement in (FILL_ENTITIES, NUMBERS, FILL_SOURCES, FILL_STORIES, FILL_STANDING):
            conn.execute(statement.encode())
        for _, definition in definitions:
            conn.execute(definition.encode())
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")


async def cost(rows: int) -> bool:
    """Return whether putting an article into its story stays cheap with so many stored."""
    here = world()
    async with rig.installation(options=rig.SMALL_SERVER) as made:
        began = time.monotonic()
        await asyncio.to_thread(fill, made.conninfo, rows)
        with psycopg.connect(made.conninfo, autocommit=True) as conn:
            counts = conn.execute(
                "SELECT (SELECT count(*) FROM article), (SELECT count(*) FROM mention)"
            ).fetchone()
            assert counts is not None
            print(
                f"{counts[0]:,} articles, {counts[1]:,} mentions ({time.monotonic() - began:.0f} s)"
            )
            _add(conn, here, rows)
        good = await _assigned(made)
        await _read(made)
    return good


def _add(conn: psycopg.Connection[tuple[object, ...]], here: planted.World, rows: int) -> None:
    """Add articles of today: planted ones, that also name what old ones and many others do."""
    chance = random.Random(7)
    articles = here.make(SAMPLE, 3)
    last = max(one.at for one in articles)
    row = conn.execute("SELECT now()").fetchone()
    assert row is not None
    shift = row[0] - last  # type: ignore[operator]  # a moment
    for one in articles:
        named = planted.named_in(one, knowledge())
        at = one.at + shift
        number = planted.store(conn, replace(one, at=at), named)
        old = [chance.randrange(1, COMMON) for _ in range(8)]
        old += [COMMON + 1 + (rows - chance.randrange(3_000)) * 2 % (rows * 2) for _ in range(4)]
        conn.execute(
            """
            INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends,
                extractor, version)
            SELECT %s, id, 1, %s, 1, '{0}', '{1}', 'observables', '1' FROM entity
            WHERE id = ANY(%s) ON CONFLICT DO NOTHING
            """,
            (number, at, old),
        )


async def _assigned(made: rig.Installation) -> bool:
    judge = Judge(planted.alike)
    wall, own, server = [], time.process_time(), made.postgres_cpu()
    async with Database(made.conninfo) as database:
        stories = Stories(database)
        began = time.perf_counter()
        while await stories.assign_next(judge, limit=1):
            wall.append((time.perf_counter() - began) * 1e3)
            began = time.perf_counter()
    own, server = time.process_time() - own, made.postgres_cpu() - server
    cuts = statistics.quantiles(wall, n=100)
    here, there = own / len(wall) * 1e3, server / len(wall) * 1e3
    print(
        f"putting one of {len(wall)} into its story: CPU {here:.1f} ms here and {there:.1f} ms in "
        f"PostgreSQL (at most {MOST_MS:g} ms); wall p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, "
        f"with {os.getloadavg()[0]:.1f} at work on {os.cpu_count()} cores"
    )
    # The clock tells what else the machine does; the processor what this costs.
    return here + there <= MOST_MS


async def _read(made: rig.Installation) -> None:
    async with Database(made.conninfo) as database:
        pages, scores = StoryPages(database), SourceScores(database)
        page = await pages.page()
        for name, read in (
            ("a page of stories", partial(pages.page)),
            ("one story", partial(pages.story, page.stories[0].id)),
        ):
            print(f"{name}: {await _timed(read):.1f} ms")
        now = database.clock()
        for days in (30, 60, 92):
            since = now - timedelta(days=days)
            spent = await _timed(partial(scores.scoreboard, since=since, until=now))
            print(f"the scoreboard over {days} days: {spent:.0f} ms")


async def _timed(read: Callable[[], Awaitable[object]], rounds: int = 5) -> float:
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        await read()
        spent.append((time.perf_counter() - began) * 1e3)
    return statistics.median(spent)


async def main(options: argparse.Namespace) -> int:
    if options.million:
        return 0 if await cost(options.rows) else 1
    good = await quality(
        options.articles, seed=options.seed, shuffle=options.shuffle, verbose=options.verbose
    )
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shuffle", action="store_true", help="articles come in any order")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--verbose", action="store_true")
    raise SystemExit(asyncio.run(main(parser.parse_args())))
