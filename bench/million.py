"""What storing, listing and comparing cost with ten thousand articles and with a million.

Run: .venv/bin/python bench/million.py [--rows 1000000]
"""

import argparse
import asyncio
import hashlib
import random
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import rig
from ctiscraper.db.checks import Checks
from ctiscraper.db.links import CANDIDATES, PLAN, Links
from ctiscraper.db.queue import Queue
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import Store
from ctiscraper.extract.fingerprint import fingerprint, is_near_duplicate, similarity
from ctiscraper.types import (
    Announced,
    ArticleContent,
    CheckSummary,
    FeedEntry,
    Fingerprint,
    Health,
    SourceStanding,
    Validators,
)

POOL = 4000
WORDS = 450
SAMPLE = 150
ROUNDS = 6
SMALL = 10_000

# Words with a language's frequencies (Zipf), so that the text index is as in life.
FILL_POOL = f"""
CREATE TABLE pool AS SELECT n, text, to_tsvector('english', text) AS search FROM (
    SELECT n, (SELECT string_agg('w' || floor(exp(random() * ln(30000)))::int, ' ')
        FROM generate_series(1, {WORDS}) WHERE n >= 0) AS text
    FROM generate_series(0, {POOL - 1}) AS n) made
"""
FILL = f"""
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    SELECT sha256(('u' || n)::bytea), 'http://h.example/' || n, 'h.example', 1 + n %% {rig.SOURCES},
        'stored', '{{"guid": "g", "url": "http://h.example/"}}', now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
    RETURNING id, url, url_hash, source_id),
arts AS (
    INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
        published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
    SELECT j.id, j.url_hash, j.source_id,
        (ARRAY['premium', 'standard', 'basic'])[1 + j.source_id %% 3], j.url, j.url,
        'Title ' || j.id, p.text, '<p>' || p.text || '</p>', d, d, {WORDS}, 2, 'general',
        j.url_hash, p.search
    FROM (SELECT *, now() - random() * interval '3650 days' AS d FROM jobs) j
    JOIN pool p ON p.n = j.id %% {POOL}
    RETURNING id)
INSERT INTO article_fingerprint (article_id, version, shingles, signature, bands)
SELECT id, %(version)s, {WORDS}, decode(repeat(md5(id::text), %(bytes)s / 16), 'hex'),
    (SELECT array_agg(hashtext(id || ':' || b)) FROM generate_series(1, %(bands)s) AS b)
FROM arts
"""
REBUILT = ("article_search", "article_fingerprint_bands")


async def fill(conn: Conn, rows: int) -> None:
    """Add articles, the large indexes made anew at the end."""
    mark = fingerprint("one two three four five six")
    await conn.execute("SET maintenance_work_mem = '1GB'")
    await conn.execute(FILL_POOL)
    cursor = await conn.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY(%s)", (list(REBUILT),)
    )
    definitions = await cursor.fetchall()
    for name, _ in definitions:
        await conn.execute(f"DROP INDEX {name}")
    for start in range(1, rows + 1, 20_000):
        await conn.execute(
            FILL,
            {
                "first": start,
                "last": min(start + 19_999, rows),
                "version": mark.version,
                "bytes": len(mark.signature),
                "bands": len(mark.bands),
            },
        )
    for _, definition in definitions:
        await conn.execute(definition)
    await conn.execute("VACUUM ANALYZE")


def article(number: int, chance: random.Random) -> ArticleContent:
    words = " ".join(f"w{int(30_000 ** chance.random())}" for _ in range(WORDS))
    url = f"http://new.example/{number}"
    return ArticleContent(
        title=f"New {number}",
        text=words,
        html=f"<p>{words}</p>",
        url=url,
        canonical_url=url,
        published=datetime.now(UTC) - timedelta(days=chance.random() * 300),
        word_count=WORDS,
        reading_minutes=2,
        fingerprint=fingerprint(words),
    )


async def store_cost(made: rig.Installation, database: Database, start: int) -> tuple[float, float]:
    """Return CPU milliseconds an article: PostgreSQL, and this process."""
    chance = random.Random(start)
    contents = [article(start + n, chance) for n in range(SAMPLE)]
    await _announce(database, contents)
    queue, store, links = Queue(database), Store(database), Links(database)
    source = (await Sources(database).all())[0]
    worker = uuid4()
    by_url = {content.url: content for content in contents}
    before, own = made.postgres_cpu(), time.process_time()
    for _ in contents:
        job = await queue.claim("new.example", worker, seconds=60)
        assert job is not None
        key = hashlib.sha256(job.url.encode()).digest()
        assert await store.keep(job, source.settings, by_url[job.url], key, None)
    while await links.link_next(_near):
        pass
    own = time.process_time() - own
    return (made.postgres_cpu() - before) / SAMPLE * 1e3, own / SAMPLE * 1e3


def _near(one: Fingerprint, other: Fingerprint) -> float | None:
    return similarity(one, other) if is_near_duplicate(one, other) else None


async def _announce(database: Database, contents: list[ArticleContent]) -> None:
    async with database.connection() as conn:
        await conn.execute("UPDATE source_state SET next_check_at = now() WHERE source_id = 1")
    lease = await Checks(database).claim("127.10.0.1", seconds=60)
    assert lease is not None
    items = [
        Announced(
            url_hash=hashlib.sha256(content.url.encode()).digest(),
            guid_hash=hashlib.sha256(content.url.encode()).digest(),
            entry_hash=b"e",
            url=content.url,
            host="new.example",
            entry=FeedEntry(guid=content.url, url=content.url),
        )
        for content in contents
    ]
    standing = SourceStanding(
        health=Health.OK,
        next_check_seconds=3600,
        validators=Validators(),
        failures=0,
        succeeded=True,
    )
    await Checks(database).record(lease, CheckSummary(source_key="host-0"), standing, items)


async def timed(conn: Conn, query: str, values: list[tuple[object, ...]]) -> str:
    """Return p50 and p95 of the execution alone."""
    middle, late = rig.middle_and_late(await rig.timed(conn, query, values, planning=False))
    return f"p50 {middle:.3f} ms, p95 {late:.3f} ms"


LIST = """
SELECT a.id, a.title, a.url, a.source_id, a.sort_at, a.summary FROM article a
WHERE {where} AND (a.sort_at, a.id) < (%s::timestamptz, 9223372036854775807)
ORDER BY a.sort_at DESC, a.id DESC LIMIT 50
"""


async def lists(conn: Conn) -> None:
    now = datetime.now(UTC)
    depths = [now - timedelta(days=3650 * n / 60) for n in range(60)]
    folded = LIST.format(where="a.duplicate_of IS NULL")
    print("  latest 50 at any depth:", await timed(conn, folded, [(d,) for d in depths]))
    source = LIST.format(where="a.source_id = 17")
    print("  of one source:", await timed(conn, source, [(d,) for d in depths[:50]]))
    tier = LIST.format(where="a.tier = 'premium' AND a.duplicate_of IS NULL")
    print("  of one tier:", await timed(conn, tier, [(d,) for d in depths]))


async def lookups(conn: Conn) -> None:
    cursor = await conn.execute(
        "SELECT article_id FROM article_fingerprint ORDER BY random() LIMIT 150"
    )
    values: list[tuple[object, ...]] = [([row[0]],) for row in await cursor.fetchall()]
    async with conn.transaction():
        await conn.execute(PLAN)
        print("  near-duplicate look-up:", await timed(conn, CANDIDATES, values))


async def main(rows: int) -> None:
    async with (
        rig.installation(options=rig.SMALL_SERVER) as made,
        rig.filled(made, (SMALL, rows), fill) as databases,
    ):
        spent = {size: [0.0, 0.0] for size in databases}
        # Turn about, so that whatever else the machine does weighs on both alike.
        for turn in range(ROUNDS):
            for size, database in databases.items():
                server, client = await store_cost(made, database, size * 10 + turn * SAMPLE)
                spent[size][0] += server / ROUNDS
                spent[size][1] += client / ROUNDS
        for size, database in databases.items():
            print(f"{size:,} articles")
            print("  storing one: PostgreSQL {:.2f} + client {:.2f} ms".format(*spent[size]))
            async with database.connection() as conn:
                await lists(conn)
                await lookups(conn)
        ratio = sum(spent[rows]) / sum(spent[SMALL])
        print(f"storing at {rows:,} costs {ratio:.2f} times what it costs at {SMALL:,}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))
