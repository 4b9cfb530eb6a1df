"""What articles name with a million articles and five million mentions: asked, judged, written.

Run: .venv/bin/python bench/entities.py [--rows 1000000] [--rounds 40]
"""

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

import rig
from ctiscraper.db.enrichments import Enrichments, Finding
from ctiscraper.db.entities import Entities, EntityQuery
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.verdicts import Decision, Scope, Verdicts
from ctiscraper.intelligence import Enrichment, Extractor, Mention, Verdict
from ctiscraper.lookup import look_up_values

POOL = 500
STEP = 100_000
SMALL = 10_000
BAR = 0.2
LOOKED_UP = 10_000
WRITTEN = 100
NAMED = 20
BELOW = 10_000
TURNS = 4

# Words enough for the length of an article; what they say is not searched here.
POOL_OF_TEXTS = f"""
CREATE TABLE pool AS SELECT n, (SELECT string_agg(substr(md5(n || ':' || w), 1, 7), ' ')
    FROM generate_series(1, 400) AS w) AS text FROM generate_series(0, {POOL - 1}) AS n
"""
ARTICLES = f"""
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    SELECT sha256(('u' || n)::bytea), 'http://h.example/' || n, 'h.example', 1 + n %% {rig.SOURCES},
        'stored', '{{"guid": "g", "url": "http://h.example/"}}', now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
    RETURNING id, url, url_hash, source_id)
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    summary, sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT j.id, j.url_hash, j.source_id, 'standard', j.url, j.url, 'Title ' || j.id, p.text, '',
    left(p.text, 300), now() - random() * interval '3650 days', 400, 2, 'general', j.url_hash, ''
FROM jobs j JOIN pool p ON p.n = j.id %% {POOL}
"""
# Of a hundred mentions forty are of what one article names alone, the others follow Zipf's law:
# the first thing stands in one article of seven, the hundredth in one of five hundred. One
# article of two thousand is a list of three hundred.
CLAIMED = """
CREATE UNLOGGED TABLE claimed AS
SELECT DISTINCT a.id AS article, a.source_id AS source, a.sort_at AS at, CASE
    WHEN random() < 0.4 THEN 2000000000::bigint + a.id * 1000 + m
    ELSE floor(exp(random() * ln(2000000)))::bigint END AS thing
FROM article a, generate_series(1, CASE WHEN a.id % 2000 = 0 THEN 300 ELSE 5 END) AS m
"""
THINGS = f"""
CREATE UNLOGGED TABLE thing AS
SELECT t.thing, t.n, t.articles, t.first_at, t.last_at, t.sources, k.kind, CASE k.kind
    WHEN 'domain' THEN CASE WHEN t.n <= {BELOW * 5 // 2} THEN 'h' || t.n || '.cloud.example'
        ELSE 'd' || t.n || '.example' END
    WHEN 'ipv4' THEN (1 + (t.n >> 24)) || '.' || (t.n >> 16) % 256 || '.' || (t.n >> 8) % 256
        || '.' || t.n % 256
    WHEN 'sha256' THEN encode(sha256(t.n::text::bytea), 'hex')
    WHEN 'url' THEN 'http://u' || t.n || '.example/x' ELSE 'Name ' || t.n END AS value
FROM (SELECT thing, row_number() OVER (ORDER BY count(*) DESC, thing) AS n,
        count(*) AS articles, min(at) AS first_at, max(at) AS last_at,
        count(DISTINCT source) AS sources
    FROM claimed GROUP BY thing) t
CROSS JOIN LATERAL (SELECT (ARRAY['domain', 'ipv4', 'sha256', 'domain', 'url', 'domain',
    'sha256', 'ipv4', 'domain', 'malware'])[1 + t.n % 10] AS kind) k
"""
ENTITIES = r"""
INSERT INTO entity (id, key, kind, value, name, host, articles, sources, first_seen, last_seen,
    level)
OVERRIDING SYSTEM VALUE
SELECT n, substring(sha256(convert_to(kind, 'UTF8') || '\x00'::bytea || convert_to(value, 'UTF8'))
        FOR 16), kind, value, '', CASE
        WHEN kind = 'domain' AND value LIKE '%.cloud.example' THEN 'example.cloud.h' || n
        WHEN kind = 'domain' THEN 'example.d' || n WHEN kind = 'url' THEN 'example.u' || n END,
    articles, sources, first_at, last_at,
    CASE WHEN kind = 'malware' OR n % 5 = 0 THEN 0 WHEN n % 50 = 1 THEN 3
        WHEN n % 50 = 2 THEN 2 ELSE 1 END
FROM thing ORDER BY n
"""
MENTIONS = """
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, verdict,
    reasons, extractor, version)
SELECT c.article, t.n, c.source, c.at, 2, ARRAY[100, 400], ARRAY[120, 420],
    CASE WHEN kind = 'malware' THEN NULL WHEN t.n % 5 = 0 THEN 'benign'
        WHEN t.n % 50 = 1 THEN 'malicious' WHEN t.n % 50 = 2 THEN 'suspicious'
        ELSE 'mentioned' END,
    ARRAY['defanged', 'section:Indicators'], 'observables', '1'
FROM claimed c JOIN thing t USING (thing)
"""
BY_SOURCE = """
INSERT INTO entity_source (entity_id, source_id, articles, first_seen, last_seen)
SELECT t.n, c.source, count(*), min(c.at), max(c.at)
FROM claimed c JOIN thing t USING (thing) GROUP BY 1, 2
"""
REBUILT = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('entity', 'mention', 'entity_source')
    AND indexname NOT LIKE '%pkey' AND indexname NOT LIKE '%key'
"""

Work = Callable[[], Awaitable[object]]


async def fill(conn: Conn, rows: int) -> None:
    """Add articles and what they name; the indexes are made anew at the end."""
    await conn.execute("SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'")
    await conn.execute(POOL_OF_TEXTS)
    for first in range(1, rows + 1, STEP):
        values = {"first": first, "last": min(first + STEP - 1, rows)}
        await conn.execute(ARTICLES, values)
    await conn.execute(CLAIMED)
    await conn.execute(THINGS)
    definitions = await (await conn.execute(REBUILT)).fetchall()
    for name, _ in definitions:
        await conn.execute(f"DROP INDEX {name}")
    # Every row refers to one that is there: it was made from it.
    await conn.execute("SET session_replication_role = replica")
    for statement in (ENTITIES, MENTIONS, BY_SOURCE):
        await conn.execute(statement)
    await conn.execute("SET session_replication_role = DEFAULT")
    for _, definition in definitions:
        await conn.execute(definition)
    await conn.execute(
        "SELECT setval(pg_get_serial_sequence('entity', 'id'), (SELECT max(id) FROM entity))"
    )
    await conn.execute("DROP TABLE claimed, thing, pool; TRUNCATE enrichment_job")
    await conn.execute("VACUUM ANALYZE")
    await conn.execute("RESET work_mem")
    for table in ("article", "entity", "mention", "entity_source"):
        print(f"  {table}: {await _value(conn, f'SELECT count(*) FROM {table}'):,}")


async def _value(conn: Conn, query: str, *values: object) -> int:
    row = await (await conn.execute(query, values)).fetchone()
    assert row is not None
    return int(row[0])


class Times:
    """Times what is asked for and holds it against the bar, where it has one."""

    def __init__(self, made: rig.Installation, rounds: int) -> None:
        self._made = made
        self._rounds = rounds
        self.beyond: list[str] = []

    async def of(self, name: str, *works: Work, barred: bool = False) -> None:
        """Print p50 and p95 of works done in turn, after one warm round of each."""
        for work in works:
            await work()
        spent: list[float] = []
        turns = max(self._rounds, len(works))
        cpu = self._made.postgres_cpu() + time.process_time()
        for turn in range(turns):
            began = time.perf_counter()
            await works[turn % len(works)]()
            spent.append(time.perf_counter() - began)
        # What a quiet machine would not be quicker than: others may have had it meanwhile.
        cpu = (self._made.postgres_cpu() + time.process_time() - cpu) / turns
        middle, late = rig.middle_and_late(sorted(spent))
        verdict = "" if not barred else "  within" if late <= BAR else "  BEYOND"
        shown = f"p50 {middle * 1e3:.1f} ms, p95 {late * 1e3:.1f} ms, CPU {cpu * 1e3:.1f} ms"
        print(f"  {name}: {shown}{verdict}", flush=True)
        if barred and late > BAR:
            self.beyond.append(name)


async def pivots(database: Database, times: Times) -> None:
    """Time the pivot on things of which many, some and one article speak."""
    entities = Entities(database)
    async with database.connection() as conn:
        last = await _value(conn, "SELECT max(id) FROM entity")
        for name, wanted in (("common", 1), ("middling", 300), ("rare", 200_000)):
            number = min(wanted, last)
            articles = await _value(conn, "SELECT articles FROM entity WHERE id = %s", number)
            title = f"{name} ({articles:,} articles)"
            cursor = None
            for _ in range(9):
                page = await entities.sightings(number, cursor=cursor)
                cursor = page.next or cursor
            await times.of(f"{title}, detail", partial(entities.get, number), barred=True)
            await times.of(f"{title}, first page", partial(entities.sightings, number), barred=True)
            if cursor is not None:
                await times.of(
                    f"{title}, tenth page",
                    partial(entities.sightings, number, cursor=cursor),
                    barred=True,
                )


async def lookups(database: Database, times: Times) -> None:
    """Time the look-up of many values, half of them known, the most common ones included."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            "(SELECT kind, value FROM entity ORDER BY id LIMIT 1000) UNION ALL "
            "(SELECT kind, value FROM entity TABLESAMPLE SYSTEM (1) LIMIT %s)",
            (LOOKED_UP // 2 - 1000,),
        )
        known = [(row[0], row[1]) for row in await cursor.fetchall()]
    unknown = [("domain", f"nowhere-{n}.example") for n in range(LOOKED_UP - len(known))]
    asked = [*known, *unknown]
    random.Random(4).shuffle(asked)
    entities = Entities(database)
    values = [value for _, value in asked]
    title = f"lookup of {len(asked):,} values, {len(known):,} known"
    await times.of(title, partial(entities.lookup, asked), barred=True)
    await times.of(f"{title}, recognised first", partial(look_up_values, entities, values))


LISTS = {
    "all": EntityQuery(),
    "kind": EntityQuery(kinds=["sha256"]),
    "rare kind": EntityQuery(kinds=["malware"]),
    "kind of which there is none": EntityQuery(kinds=["ja3"]),
    "two kinds": EntityQuery(kinds=["ipv4", "url"]),
    "malicious": EntityQuery(verdicts=["malicious"]),
    "two verdicts": EntityQuery(verdicts=["malicious", "suspicious"]),
    "benign": EntityQuery(verdicts=["benign"]),
    "kind and verdict": EntityQuery(kinds=["url"], verdicts=["suspicious"]),
    "none of the kind with the verdict": EntityQuery(kinds=["malware"], verdicts=["malicious"]),
    "beginning, one letter": EntityQuery(q="d"),
    "beginning, few": EntityQuery(q="d1234"),
    "beginning, none": EntityQuery(q="zzz"),
    "beginning and verdict": EntityQuery(q="h", verdicts=["malicious"]),
    "under a domain": EntityQuery(under="cloud.example"),
    "under a suffix": EntityQuery(under="example"),
    "source": EntityQuery(source="host-17"),
    "source and kind": EntityQuery(source="host-17", kinds=["malware"]),
    "source and verdict": EntityQuery(source="host-17", verdicts=["malicious"]),
}


async def lists(database: Database, times: Times) -> None:
    """Time the list of things, narrowed by each filter."""
    entities = Entities(database)
    for name, query in LISTS.items():
        await times.of(f"list, {name}", partial(entities.page, query))


async def articles(database: Database, times: Times) -> None:
    """Time what articles name, and which others name the same."""
    entities = Entities(database)
    async with database.connection() as conn:
        most = await _value(conn, "SELECT max(id) FROM article")
    chance = random.Random(5)
    some = [chance.randrange(1, most + 1) for _ in range(20)]
    long = max(2000, most // 4000 * 2000) if most >= 2000 else most
    await times.of("an article's things", *(partial(entities.of_article, n) for n in some))
    await times.of("things of a list of 300", lambda: entities.of_article(long))
    await times.of("neighbours", *(partial(entities.neighbours, n) for n in some))
    await times.of("neighbours of a list of 300", lambda: entities.neighbours(long))


async def verdicts(database: Database, _: Times) -> None:
    """Time a verdict on a domain with ten thousand things below it, and its undoing."""
    decided = Verdicts(database)
    async with database.connection() as conn:
        # A team that has decided much: what holds of a thing is found among all of it.
        await conn.execute(
            """
            INSERT INTO verdict (scope, kind, value, key, verdict, actor)
            SELECT CASE WHEN n % 2 = 0 THEN 'domain' ELSE 'value' END, 'domain',
                'example.decided' || n, decode(md5(n::text), 'hex'), 'benign', 'bench'
            FROM generate_series(1, 5000) AS n
            """
        )
        await conn.execute("ANALYZE verdict")
        covered = await _value(
            conn, "SELECT count(*) FROM entity WHERE host LIKE 'example.cloud.%%'"
        )
    wanted = Decision(
        scope=Scope.DOMAIN, kind="domain", value="cloud.example", verdict=Verdict.BENIGN
    )
    made: list[int] = []

    async def make() -> None:
        made.append((await decided.make(wanted, actor="bench")).id)

    async def undo() -> None:
        await decided.undo(made[-1], actor="bench")

    for name, work, other in (("make", make, undo), ("undo", undo, make)):
        if name == "undo":
            await make()
        spent = []
        for _turn in range(TURNS):
            began = time.perf_counter()
            await work()
            spent.append(time.perf_counter() - began)
            await other()
        print(f"  {name} a verdict over {covered:,} things: {max(spent) * 1e3:.0f} ms at most")


async def write_cost(made: rig.Installation, database: Database, turn: int) -> tuple[float, float]:
    """Return milliseconds to write what an article names: CPU of PostgreSQL, and wall."""
    chance = random.Random(turn)
    async with database.connection() as conn:
        most = await _value(conn, "SELECT max(id) FROM entity")
        numbers = [max(1, int(most ** chance.random())) for _ in range(WRITTEN * NAMED // 2)]
        cursor = await conn.execute(
            "SELECT id, kind, value FROM entity WHERE id = ANY(%s)", (list(set(numbers)),)
        )
        known = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
        cursor = await conn.execute(
            "SELECT id FROM article WHERE id %% 7 = %s AND id %% 2000 <> 0 ORDER BY id LIMIT %s",
            (turn % 7, WRITTEN),
        )
        ids = [row[0] for row in await cursor.fetchall()]
    enrichments = Enrichments(database)
    await enrichments.queue((Extractor.OBSERVABLES,), article_ids=ids)
    texts = await enrichments.claim(uuid4(), limit=WRITTEN)
    found = []
    for place, text in enumerate(texts):
        old = numbers[place * NAMED // 2 : (place + 1) * NAMED // 2]
        pairs = {known[n] for n in old if n in known}
        pairs |= {("domain", f"n{turn}-{place}-{n}.fresh.example") for n in range(NAMED // 2)}
        found.append(Finding(text=text, enrichment=_enrichment(pairs)))
    before, began = made.postgres_cpu(), time.perf_counter()
    for start in range(0, len(found), 10):
        await enrichments.keep(found[start : start + 10])
    wall = time.perf_counter() - began
    return (made.postgres_cpu() - before) / len(found) * 1e3, wall / len(found) * 1e3


def _enrichment(pairs: set[tuple[str, str]]) -> Enrichment:
    mentions = tuple(
        Mention(
            kind=kind,
            value=value,
            extractor=Extractor.OBSERVABLES,
            places=((100, 120), (400, 420)),
            count=2,
            host=value if kind == "domain" else "",
            verdict=Verdict.MENTIONED,
            reasons=("defanged",),
        )
        for kind, value in sorted(pairs)
    )
    return Enrichment(mentions=mentions, parts=(), versions={"observables": "2"})


async def requeue(database: Database, _: Times) -> None:
    """Time the wish to have every article looked through again, and the next claim."""
    enrichments = Enrichments(database)
    began = time.perf_counter()
    queued = await enrichments.queue((Extractor.OBSERVABLES,))
    spent = time.perf_counter() - began
    began = time.perf_counter()
    await enrichments.claim(uuid4(), limit=10)
    claimed = time.perf_counter() - began
    print(f"  queueing {queued:,} articles: {spent:.1f} s, then a claim {claimed * 1e3:.1f} ms")
    async with database.connection() as conn:
        await conn.execute("TRUNCATE enrichment_job")


async def writes(made: rig.Installation, sizes: dict[int, Database]) -> None:
    """Print what writing an article's mentions costs in each database, and the ratio."""
    spent = {size: [0.0, 0.0] for size in sizes}
    # Turn about, so that whatever else the machine does weighs on both alike.
    for turn in range(TURNS):
        for size, database in sizes.items():
            cpu, wall = await write_cost(made, database, turn)
            spent[size][0] += cpu / TURNS
            spent[size][1] += wall / TURNS
    for size, (cpu, wall) in spent.items():
        print(f"  writing an article's {NAMED} at {size:,}: {cpu:.2f} ms CPU, {wall:.2f} ms")
    small, large = min(sizes), max(sizes)
    cpu, wall = (spent[large][n] / max(spent[small][n], 1e-9) for n in (0, 1))
    print(f"  writing at {large:,} costs {cpu:.2f} times the CPU, {wall:.2f} times the time")


async def main(rows: int, rounds: int) -> None:
    async with (
        rig.installation(options=rig.SMALL_SERVER) as made,
        rig.filled(made, (SMALL, rows), fill) as databases,
    ):
        times = Times(made, rounds)
        for step in (pivots, lookups, lists, articles, verdicts, requeue):
            await step(databases[rows], times)
        await writes(made, databases)
    if times.beyond:
        raise SystemExit(f"beyond the bar of {BAR * 1e3:.0f} ms: {'; '.join(times.beyond)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    asyncio.run(main(given.rows, given.rounds))
