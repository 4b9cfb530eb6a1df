"""Writing what articles name, and the counts of each thing that follow from it."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from ctiscraper.db.session import Conn
from ctiscraper.intelligence import Mention, Verdict

# Counts are written last and by one worker at a time: two that count the same things in another
# order would wait for each other for ever.
_COUNTING = 0x656E7469
# Held by all who add things, and alone by who decides of them: a thing that a decision does not
# see yet would never be told of it, and two that write to the same things could block each other.
_DECIDING = 0x76657264
# A thing counts as what its gravest mention says.
LEVELS = {Verdict.BENIGN: 0, Verdict.MENTIONED: 1, Verdict.SUSPICIOUS: 2, Verdict.MALICIOUS: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one article names, by extractors of these versions; what they found before goes."""

    article_id: int
    source_id: int
    seen_at: datetime
    mentions: Sequence[Mention]
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Delta:
    """The things that an article names now and did not before, and the other way round."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


class _Row(msgspec.Struct):
    """A mention on its way into the database; `key` is hexadecimal."""

    article_id: int
    source_id: int
    seen_at: datetime
    key: str
    count: int
    starts: list[int]
    ends: list[int]
    verdict: str | None
    reasons: tuple[str, ...]
    alias: str
    rule: str
    extractor: str
    version: str


class _Thing(msgspec.Struct):
    key: str
    kind: str
    value: str
    name: str
    host: str | None


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
    await _keep_things(conn, claims)
    removed = await _remove(conn, claims)
    added = await _insert(conn, claims)
    await _count(conn, removed, added)
    return _deltas(removed, added)


async def _keep_things(conn: Conn, claims: Sequence[Claims]) -> None:
    """Make a row for each thing that has none, and tell it what the team decided before."""
    things: dict[str, _Thing] = {}
    for mention in (one for article in claims for one in article.mentions):
        key = key_of(mention.kind, mention.value).hex()
        host = backwards(mention.host) if mention.host else None
        things[key] = _Thing(key, mention.kind, mention.value, mention.name, host)
    if not things:
        return
    cursor = await conn.execute(
        """
        INSERT INTO entity (key, kind, value, name, host)
        SELECT decode(t.key, 'hex'), t.kind, t.value, t.name, t.host
        FROM json_to_recordset(%s::json)
            AS t (key text, kind text, value text, name text, host text)
        ORDER BY t.key
        ON CONFLICT (key) DO NOTHING RETURNING id
        """,
        (_json(things[key] for key in sorted(things)),),
    )
    new = [row[0] for row in await cursor.fetchall()]
    if new:
        await apply_verdicts(conn, new)


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
    cursor = await conn.execute(
        """
        DELETE FROM mention m
        USING unnest(%s::bigint[], %s::text[]) AS old (article_id, extractor)
        WHERE m.article_id = old.article_id AND m.extractor = old.extractor
        RETURNING m.article_id, m.entity_id, m.source_id, m.seen_at, m.verdict
        """,
        (
            [article.article_id for article in claims for _ in article.versions],
            [extractor for article in claims for extractor in article.versions],
        ),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()]


async def _insert(conn: Conn, claims: Sequence[Claims]) -> list[Change]:
    rows = [_row(article, mention) for article in claims for mention in article.mentions]
    if not rows:
        return []
    cursor = await conn.execute(
        """
        INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends,
            verdict, reasons, alias, rule, extractor, version)
        SELECT m.article_id, e.id, m.source_id, m.seen_at, m.count, m.starts, m.ends,
            m.verdict, m.reasons, m.alias, m.rule, m.extractor, m.version
        FROM json_to_recordset(%s::json) AS m (article_id bigint, source_id bigint,
            seen_at timestamptz, key text, count integer, starts integer[], ends integer[],
            verdict text, reasons text[], alias text, rule text, extractor text, version text)
        JOIN entity e ON e.key = decode(m.key, 'hex')
        ON CONFLICT (article_id, entity_id) DO NOTHING
        RETURNING article_id, entity_id, source_id, seen_at, verdict
        """,
        (_json(rows),),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()]


def _row(article: Claims, mention: Mention) -> _Row:
    return _Row(
        article_id=article.article_id,
        source_id=article.source_id,
        seen_at=article.seen_at,
        key=key_of(mention.kind, mention.value).hex(),
        count=mention.count,
        starts=[start for start, _ in mention.places],
        ends=[end for _, end in mention.places],
        verdict=mention.verdict,
        reasons=mention.reasons,
        alias=mention.alias,
        rule=mention.rule,
        extractor=mention.extractor,
        version=article.versions[mention.extractor],
    )


@dataclass(slots=True)
class _Change:
    """What a thing in one source gains or loses."""

    number: int = 0
    times: list[datetime] = field(default_factory=list)
    level: int = 0
    changed: bool = False


async def _count(conn: Conn, removed: list[Change], added: list[Change]) -> None:
    """Bring the counts of things up to what was taken away and what came."""
    changes: dict[tuple[int, int], _Change] = defaultdict(_Change)
    before = {(one[0], one[1]): one for one in removed}
    for _, entity, source, *_ in removed:
        changes[entity, source].number -= 1
    for one in added:
        article, entity, source, at, verdict = one
        change = changes[entity, source]
        change.number += 1
        change.times.append(at)
        change.level = max(change.level, LEVELS[Verdict(verdict)] if verdict else 0)
        change.changed |= before.pop((article, entity), one) != one
    # What went may have been first, last or gravest, even where as many others came.
    for _, entity, source, *_ in before.values():
        changes[entity, source].changed = True
    more = sorted(pair for pair, change in changes.items() if change.number > 0)
    less = sorted(pair for pair, change in changes.items() if change.number < 0)
    again = sorted(pair for pair, change in changes.items() if change.changed)
    if not more and not again:
        return
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_COUNTING,))
    if more:
        await conn.execute(_COUNT_MORE, _columns(more, changes))
    if less:
        await conn.execute(_COUNT_LESS, _columns(less, changes))
    if again:
        await conn.execute(_LOOK_AGAIN, _columns(again, changes))


def _columns(
    pairs: list[tuple[int, int]], changes: Mapping[tuple[int, int], _Change]
) -> dict[str, list[object]]:
    found = [changes[pair] for pair in pairs]
    return {
        "entities": [entity for entity, _ in pairs],
        "sources": [source for _, source in pairs],
        "numbers": [abs(change.number) for change in found],
        "firsts": [min(change.times, default=None) for change in found],
        "lasts": [max(change.times, default=None) for change in found],
        "levels": [change.level for change in found],
    }


_COUNT_MORE = """
WITH given AS (
    SELECT * FROM unnest(%(entities)s::bigint[], %(sources)s::bigint[], %(numbers)s::integer[],
        %(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(levels)s::smallint[])
        AS g (entity_id, source_id, number, first_at, last_at, level)
),
told AS (
    INSERT INTO entity_source AS s (entity_id, source_id, articles, first_seen, last_seen)
    SELECT entity_id, source_id, number, first_at, last_at FROM given
    ON CONFLICT (entity_id, source_id) DO UPDATE SET articles = s.articles + excluded.articles,
        first_seen = least(s.first_seen, excluded.first_seen),
        last_seen = greatest(s.last_seen, excluded.last_seen)
    RETURNING entity_id, (xmax = 0)::integer AS new
),
summed AS (
    SELECT g.entity_id, sum(g.number) AS articles, min(g.first_at) AS first_at,
        max(g.last_at) AS last_at, max(g.level) AS level
    FROM given g GROUP BY g.entity_id
)
UPDATE entity e SET articles = e.articles + s.articles,
    sources = e.sources + n.sources,
    first_seen = least(e.first_seen, s.first_at), last_seen = greatest(e.last_seen, s.last_at),
    level = greatest(e.level, s.level)
FROM summed s JOIN (SELECT entity_id, sum(new) AS sources FROM told GROUP BY entity_id) n
    USING (entity_id)
WHERE e.id = s.entity_id
"""
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


def _deltas(removed: list[Change], added: list[Change]) -> dict[int, Delta]:
    before: dict[int, set[int]] = {}
    after: dict[int, set[int]] = {}
    for article, entity, *_ in removed:
        before.setdefault(article, set()).add(entity)
    for article, entity, *_ in added:
        after.setdefault(article, set()).add(entity)
    nothing: set[int] = set()
    return {
        article: Delta(
            added=tuple(sorted(after.get(article, nothing) - before.get(article, nothing))),
            removed=tuple(sorted(before.get(article, nothing) - after.get(article, nothing))),
        )
        for article in before.keys() | after.keys()
    }


def _json(rows: Iterable[msgspec.Struct]) -> str:
    return msgspec.json.encode(list(rows)).decode()
