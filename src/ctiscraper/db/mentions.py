"""Writing what articles name, and the counts of each thing that follow from it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from ctiscraper.db.arrays import array
from ctiscraper.db.session import Conn
from ctiscraper.intelligence import Mention, Verdict

# Counts are written last and by one worker at a time: two that count the same things in another
# order would wait for each other for ever.
COUNTING = 0x656E7469
# Held by all who add things, and alone by who decides of them: a thing that a decision does not
# see yet would never be told of it, and two that write to the same things could block each other.
_DECIDING = 0x76657264
# A thing counts as what its gravest mention says.
LEVELS = {Verdict.BENIGN: 0, Verdict.MENTIONED: 1, Verdict.SUSPICIOUS: 2, Verdict.MALICIOUS: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one article names, by extractors of these versions; what they found before goes.

    Without `delta` it is not told what that changed; what is not `named` has no mention yet.
    """

    article_id: int
    source_id: int
    seen_at: datetime
    mentions: Sequence[Mention]
    versions: dict[str, str]
    delta: bool = True
    named: bool = True


@dataclass(frozen=True, slots=True)
class Delta:
    """The things that an article names now and did not before, and the other way round."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


@dataclass(slots=True)
class _Thing:
    """A thing that a batch names, with what that counts for if no article named it before."""

    mention: Mention
    first: datetime
    last: datetime
    level: int = 0
    articles: int = 0
    sources: set[int] = field(default_factory=set)
    number: int = 0
    is_new: bool = False

    def add(self, article: Claims, mention: Mention) -> None:
        self.first = min(self.first, article.seen_at)
        self.last = max(self.last, article.seen_at)
        self.level = max(self.level, LEVELS[mention.verdict] if mention.verdict else 0)
        self.articles += 1
        self.sources.add(article.source_id)


_Named = tuple[Claims, Mention, _Thing]


def key_of(kind: str, value: str) -> bytes:
    """Return what a thing is found by: 16 bytes of a hash of its kind and value."""
    return hashlib.sha256(f"{kind}\0{value}".encode("utf-8", "replace")).digest()[:16]


def backwards(host: str) -> str:
    """Return a host name with its last label first, so that all below a domain stand together."""
    return ".".join(reversed(host.split(".")))


async def write_mentions(conn: Conn, claims: Sequence[Claims]) -> dict[int, Delta]:
    """Put the mentions of articles in the place of those before; return what that changed.

    Call it as the last step of a transaction: counting is for one at a time.
    """
    await hold_decisions(conn)
    things, named = _gather(claims)
    await _keep_things(conn, things)
    removed = await _remove(conn, claims)
    if not named and not removed:
        return {}
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (COUNTING,))
    added = await _add(conn, named, removed)
    if removed:
        await _count_again(conn, removed, added)
    return _deltas({one.article_id for one in claims if one.delta}, removed, added)


def _gather(claims: Sequence[Claims]) -> tuple[list[_Thing], list[_Named]]:
    """Return each thing once, and once for each article that names it."""
    things: dict[tuple[str, str], _Thing] = {}
    named: list[_Named] = []
    for article in claims:
        seen: set[tuple[str, str]] = set()
        for mention in article.mentions:
            pair = (mention.kind, mention.value)
            if pair in seen:
                continue
            seen.add(pair)
            thing = things.get(pair)
            if thing is None:
                thing = things[pair] = _Thing(mention, article.seen_at, article.seen_at)
            thing.add(article, mention)
            named.append((article, mention, thing))
    return list(things.values()), named


async def _keep_things(conn: Conn, things: list[_Thing]) -> None:
    """Find the rows of things; make those that are not there, as what the team decided before.

    What another made at the same time is found when that is committed.
    """
    while things:
        cursor = await conn.execute(_FIND_OR_MAKE, _thing_columns(things))
        new = []
        for place, number, is_new, judged in await cursor.fetchall():
            thing = things[place - 1]
            thing.number, thing.is_new = number, is_new
            if is_new and judged:
                new.append(number)
        if new:
            await apply_verdicts(conn, new)
        things = [thing for thing in things if not thing.number]


def _thing_columns(things: Sequence[_Thing]) -> dict[str, str]:
    of = [thing.mention for thing in things]
    return {
        "keys": array([key_of(one.kind, one.value).hex() for one in of]),
        "kinds": array([one.kind for one in of]),
        "values": array([one.value for one in of]),
        "names": array([one.name for one in of]),
        "hosts": array([backwards(one.host) if one.host else None for one in of]),
        "articles": array([thing.articles for thing in things]),
        "sources": array([len(thing.sources) for thing in things]),
        "firsts": array([str(thing.first) for thing in things]),
        "lasts": array([str(thing.last) for thing in things]),
        "levels": array([thing.level for thing in things]),
    }


# A new row begins with what this batch counts for: written once, it is in each index once. All
# make rows in the order of their keys.
_FIND_OR_MAKE = """
WITH given AS MATERIALIZED (
    SELECT g.*, k.key, (SELECT e.id FROM entity e WHERE e.key = k.key) AS id
    FROM unnest(%(keys)s::text[], %(kinds)s::text[], %(values)s::text[], %(names)s::text[],
        %(hosts)s::text[], %(articles)s::integer[], %(sources)s::integer[],
        %(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(levels)s::smallint[])
        WITH ORDINALITY
        AS g (hex, kind, value, name, host, articles, sources, first_at, last_at, level, place)
    CROSS JOIN LATERAL (SELECT decode(g.hex, 'hex') AS key) k
),
made AS (
    INSERT INTO entity (key, kind, value, name, host, articles, sources, first_seen, last_seen,
        level)
    SELECT key, kind, value, name, host, articles, sources, first_at, last_at, level
    FROM given WHERE id IS NULL ORDER BY key
    ON CONFLICT (key) DO NOTHING RETURNING id, key
)
SELECT place, id, false, false FROM given WHERE id IS NOT NULL
UNION ALL
SELECT g.place, m.id, true, EXISTS (SELECT 1 FROM verdict WHERE undone_at IS NULL)
FROM made m JOIN given g ON g.key = m.key
"""


async def apply_verdicts(conn: Conn, entity_ids: Sequence[int]) -> list[int]:
    """Write to things what the team holds of them: of the value itself, else of its domain.

    Return those that are held benign now and were not before, or the other way round.
    """
    cursor = await conn.execute(
        """
        WITH t AS (SELECT id, key, host, team, team_verdict FROM entity WHERE id = ANY(%s)),
        above AS (
            SELECT t.id, array_to_string((string_to_array(t.host, '.'))[:n], '.') AS value
            FROM t CROSS JOIN LATERAL
                generate_series(1, cardinality(string_to_array(t.host, '.'))) AS n
        ),
        held AS (
            SELECT t.id AS entity, v.id, v.verdict, 0 AS far
            FROM t JOIN verdict v ON v.key = t.key
            WHERE v.scope = 'value' AND v.undone_at IS NULL
            UNION ALL
            SELECT a.id, v.id, v.verdict, 300 - length(v.value)
            FROM above a JOIN verdict v ON v.value = a.value
            WHERE v.scope = 'domain' AND v.undone_at IS NULL
        ),
        nearest AS (
            SELECT DISTINCT ON (entity) entity, id, verdict FROM held
            ORDER BY entity, far, id DESC
        )
        UPDATE entity e SET team = n.verdict, team_verdict = n.id
        FROM t LEFT JOIN nearest n ON n.entity = t.id
        WHERE e.id = t.id AND (t.team, t.team_verdict) IS DISTINCT FROM (n.verdict, n.id)
        RETURNING e.id, t.team, n.verdict
        """,
        (list(entity_ids),),
    )
    # Without a decision the text of each article says whether it is benign there.
    return [
        entity
        for entity, before, now in await cursor.fetchall()
        if before != now and not {before, now}.isdisjoint({Verdict.BENIGN.value, None})
    ]


async def hold_decisions(conn: Conn) -> None:
    """Let no decision be made until this transaction ends: what it adds will be told of all."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_DECIDING,))


async def await_writers(conn: Conn) -> None:
    """Wait for the writers that are under way, and let none begin until a decision is told."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_DECIDING,))


Change = tuple[int, int, int, datetime, str | None]
"""A mention that came or went: article, entity, source, when it was seen, and its verdict."""


async def _remove(conn: Conn, claims: Sequence[Claims]) -> list[Change]:
    """Take away what the same extractors found before."""
    asked: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for article in claims:
        if not article.named:
            continue
        asked[tuple(sorted(article.versions))].append(article.article_id)
    removed: list[Change] = []
    for extractors, articles in asked.items():
        cursor = await conn.execute(
            """
            DELETE FROM mention WHERE article_id = ANY(%s) AND extractor = ANY(%s)
            RETURNING article_id, entity_id, source_id, seen_at, verdict
            """,
            (articles, list(extractors)),
        )
        removed += [(row[0], row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()]
    return removed


async def _add(conn: Conn, named: list[_Named], removed: list[Change]) -> list[Change]:
    """Write mentions and what they count for; return those that deltas and lost counts need."""
    lost = Counter((entity, source) for _, entity, source, *_ in removed)
    articles = list({article.article_id: article for article, *_ in named}.values())
    told = {one.article_id for one in articles if one.delta} | {article for article, *_ in removed}
    cursor = await conn.execute(
        _ADD,
        {
            "ids": array([one.article_id for one in articles]),
            "sources": array([one.source_id for one in articles]),
            "seen": array([str(one.seen_at) for one in articles]),
            **_mention_columns(named),
            "new": array(list({thing.number for *_, thing in named if thing.is_new})),
            "lost_things": array([entity for entity, _ in lost]),
            "lost_sources": array([source for _, source in lost]),
            "lost": array(list(lost.values())),
            "told": array(list(told)),
        },
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()]


def _mention_columns(named: list[_Named]) -> dict[str, str]:
    found = [mention for _, mention, _ in named]
    lengths = [len(one.places) for one in found]
    reasons = {one.reasons: array(one.reasons) for one in found}
    return {
        "articles": array([article.article_id for article, *_ in named]),
        "things": array([thing.number for *_, thing in named]),
        "counts": array([one.count for one in found]),
        "afters": array([0, *accumulate(lengths[:-1])]),
        "lengths": array(lengths),
        "starts": array([start for one in found for start, _ in one.places]),
        "ends": array([end for one in found for _, end in one.places]),
        "verdicts": array([one.verdict for one in found]),
        "reasons": array([reasons[one.reasons] for one in found]),
        "aliases": array([one.alias for one in found]),
        "rules": array([one.rule for one in found]),
        "extractors": array([one.extractor for one in found]),
        "versions": array([article.versions[one.extractor] for article, one, _ in named]),
    }


# What an extractor found before and finds again is no change; new things are counted already.
_ADD = """
WITH article AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(sources)s::bigint[], %(seen)s::timestamptz[])
        AS a (id, source_id, seen_at)
),
placed AS (
    INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends,
        verdict, reasons, alias, rule, extractor, version)
    SELECT a.id, m.entity_id, a.source_id, a.seen_at, m.count,
        (%(starts)s::integer[])[m.after + 1 : m.after + m.length],
        (%(ends)s::integer[])[m.after + 1 : m.after + m.length],
        m.verdict, m.reasons::text[], m.alias, m.rule, m.extractor, m.version
    FROM unnest(%(articles)s::bigint[], %(things)s::bigint[], %(counts)s::integer[],
        %(afters)s::integer[], %(lengths)s::integer[], %(verdicts)s::text[], %(reasons)s::text[],
        %(aliases)s::text[], %(rules)s::text[], %(extractors)s::text[], %(versions)s::text[])
        AS m (article_id, entity_id, count, after, length, verdict, reasons, alias, rule,
            extractor, version)
    JOIN article a ON a.id = m.article_id
    ON CONFLICT (article_id, entity_id) DO NOTHING
    RETURNING article_id, entity_id, source_id, seen_at, verdict
),
change AS (
    SELECT entity_id, source_id, sum(number) AS number, min(seen_at) AS first_at,
        max(seen_at) AS last_at, max(level) AS level
    FROM (
        SELECT entity_id, source_id, 1 AS number, seen_at, CASE verdict WHEN 'malicious' THEN 3
            WHEN 'suspicious' THEN 2 WHEN 'mentioned' THEN 1 ELSE 0 END AS level FROM placed
        UNION ALL
        SELECT entity_id, source_id, -number, NULL, 0
        FROM unnest(%(lost_things)s::bigint[], %(lost_sources)s::bigint[], %(lost)s::integer[])
            AS l (entity_id, source_id, number)
    ) c
    GROUP BY entity_id, source_id HAVING sum(number) > 0
),
told AS (
    INSERT INTO entity_source AS s (entity_id, source_id, articles, first_seen, last_seen)
    SELECT entity_id, source_id, number, first_at, last_at FROM change
    ON CONFLICT (entity_id, source_id) DO UPDATE SET articles = s.articles + excluded.articles,
        first_seen = least(s.first_seen, excluded.first_seen),
        last_seen = greatest(s.last_seen, excluded.last_seen)
    RETURNING entity_id, source_id, (xmax = 0)::integer AS new
),
counted AS (
    UPDATE entity e SET articles = e.articles + c.articles, sources = e.sources + c.sources,
        first_seen = least(e.first_seen, c.first_at), last_seen = greatest(e.last_seen, c.last_at),
        level = greatest(e.level, c.level)
    FROM (
        SELECT entity_id, sum(number) AS articles, sum(new) AS sources, min(first_at) AS first_at,
            max(last_at) AS last_at, max(level)::smallint AS level
        FROM change JOIN told USING (entity_id, source_id)
        WHERE entity_id <> ALL(%(new)s::bigint[]) GROUP BY entity_id
    ) c
    WHERE e.id = c.entity_id
)
SELECT article_id, entity_id, source_id, seen_at, verdict FROM placed
WHERE article_id = ANY(%(told)s::bigint[]) OR entity_id = ANY(%(lost_things)s::bigint[])
"""


@dataclass(slots=True)
class _Change:
    """What a thing in one source gains or loses."""

    number: int = 0
    changed: bool = False


async def _count_again(conn: Conn, removed: list[Change], added: list[Change]) -> None:
    """Bring the counts of things up to what was taken away from the articles of these."""
    changes: dict[tuple[int, int], _Change] = defaultdict(_Change)
    before = {(one[0], one[1]): one for one in removed}
    for _, entity, source, *_ in removed:
        changes[entity, source].number -= 1
    for one in added:
        article, entity, source, *_ = one
        change = changes[entity, source]
        change.number += 1
        change.changed |= before.pop((article, entity), one) != one
    # What went may have been first, last or gravest, even where as many others came.
    for _, entity, source, *_ in before.values():
        changes[entity, source].changed = True
    less = [(*pair, -change.number) for pair, change in changes.items() if change.number < 0]
    again = [pair for pair, change in changes.items() if change.changed]
    if less:
        await conn.execute(_COUNT_LESS, _pairs(less))
    if again:
        await conn.execute(_LOOK_AGAIN, _pairs(again))


def _pairs(rows: Sequence[tuple[int, ...]]) -> dict[str, str]:
    names = ("entities", "sources", "numbers")
    columns = zip(*sorted(rows), strict=True)
    return {name: array(column) for name, column in zip(names, columns, strict=False)}


_COUNT_LESS = """
WITH given AS (
    SELECT * FROM unnest(%(entities)s::bigint[], %(sources)s::bigint[], %(numbers)s::integer[])
        AS g (entity_id, source_id, number)
),
fewer AS (
    UPDATE entity_source s SET articles = s.articles - g.number
    FROM given g WHERE s.entity_id = g.entity_id AND s.source_id = g.source_id
        AND s.articles > g.number
),
gone AS (
    DELETE FROM entity_source s USING given g
    WHERE s.entity_id = g.entity_id AND s.source_id = g.source_id AND s.articles <= g.number
    RETURNING s.entity_id
)
UPDATE entity e SET articles = greatest(0, e.articles - s.number),
    sources = greatest(0, e.sources - (SELECT count(*) FROM gone WHERE entity_id = e.id))
FROM (SELECT entity_id, sum(number) AS number FROM given GROUP BY entity_id) s
WHERE e.id = s.entity_id
"""
# What was seen first or last, or judged worst, may be what went: looked up along indexes, as
# there may be any number of others.
_LOOK_AGAIN = """
WITH given AS (
    SELECT * FROM unnest(%(entities)s::bigint[], %(sources)s::bigint[])
        AS g (entity_id, source_id)
),
by_source AS (
    UPDATE entity_source s SET first_seen = t.first_at, last_seen = t.last_at
    FROM given g CROSS JOIN LATERAL (SELECT
        (SELECT m.seen_at FROM mention m WHERE m.entity_id = g.entity_id
            AND m.source_id = g.source_id ORDER BY m.seen_at LIMIT 1) AS first_at,
        (SELECT m.seen_at FROM mention m WHERE m.entity_id = g.entity_id
            AND m.source_id = g.source_id ORDER BY m.seen_at DESC LIMIT 1) AS last_at) t
    WHERE s.entity_id = g.entity_id AND s.source_id = g.source_id AND t.first_at IS NOT NULL
)
UPDATE entity e SET
    first_seen = (SELECT min(m.seen_at) FROM mention m WHERE m.entity_id = e.id),
    last_seen = (SELECT max(m.seen_at) FROM mention m WHERE m.entity_id = e.id),
    level = coalesce((SELECT l.level
        FROM (VALUES ('malicious', 3), ('suspicious', 2), ('mentioned', 1)) AS l (verdict, level)
        WHERE EXISTS (SELECT 1 FROM mention m WHERE m.entity_id = e.id
            AND m.verdict = l.verdict AND m.verdict <> 'benign')
        ORDER BY l.level DESC LIMIT 1), 0)
WHERE e.id = ANY(%(entities)s)
"""


def _deltas(
    articles: Iterable[int], removed: list[Change], added: list[Change]
) -> dict[int, Delta]:
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for article, entity, *_ in removed:
        before[article].add(entity)
    for article, entity, *_ in added:
        after[article].add(entity)
    return {
        article: Delta(
            added=tuple(sorted(after[article] - before[article])),
            removed=tuple(sorted(before[article] - after[article])),
        )
        for article in articles
    }
