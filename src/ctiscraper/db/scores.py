"""Scores of articles: the facts that they are made of, where they are kept, and which are stale."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.arrays import array
from ctiscraper.db.session import Conn, Database
from ctiscraper.intelligence import ScorePart
from ctiscraper.weighing import CveFact, ScoreFacts, SeenEntity, WatchHit, WatchKind, WatchTerm

URGENT_DAYS = 90
"""For how long what is learnt of a vulnerability changes the score of an article that names it."""

EARLIER_MOST = 3
"""How many earlier articles of an entity are counted: after a few it is no news."""

# What is never new: a place in a list that everybody knows.
_NEVER_NEW = ("sector", "country", "technique", "attack")

Parts = tuple[ScorePart, ...]
_parts = msgspec.json.Decoder(Parts)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """A score as it is kept; `basis` is what it was joined under.

    `text_parts` are what the text alone gave. After `fresh_days` age alone changes it; None: never.
    """

    article_id: int
    score: float
    parts: Parts
    text_parts: Parts
    version: str
    basis: str
    fresh_days: float | None = None


# Each thing along its index, and how often it stood earlier only where that can count.
_SEEN = """
    SELECT m.article_id, e.kind, e.value, e.name, m.starts[1], m.ends[1], m.count,
        CASE WHEN o.old OR e.articles <= 1 THEN 0 ELSE (SELECT count(*) FROM (
            SELECT 1 FROM mention o
            WHERE o.entity_id = m.entity_id
                AND (o.seen_at, o.article_id) < (m.seen_at, m.article_id)
            LIMIT %(most)s) few) END,
        o.old
    FROM mention m
    CROSS JOIN LATERAL (SELECT * FROM entity e WHERE e.id = m.entity_id LIMIT 1) e
    CROSS JOIN LATERAL (SELECT e.kind = ANY(%(never)s)
        OR coalesce(e.team, m.verdict, '') = 'benign' AS old) o
    WHERE m.article_id = ANY(%(ids)s) AND (e.kind = 'cve' OR NOT o.old)
"""

_AGES = """
    SELECT a.id, extract(epoch FROM now() - a.sort_at)::float8 / 86400, a.duplicate_of IS NOT NULL
    FROM article a WHERE a.id = ANY(%s)
"""

_HITS = """
    SELECT h.article_id, w.id, w.kind, w.term, w.weight, h.count, h.prominent, h.starts, h.ends
    FROM watch_hit h JOIN watchlist_entry w ON w.id = h.entry_id
    WHERE h.article_id = ANY(%s) AND w.removed_at IS NULL ORDER BY w.id
"""

_LOCK = """
    SELECT article_id FROM article_score WHERE article_id = ANY(%s)
    ORDER BY article_id DESC FOR UPDATE
"""

_WRITE = """
    INSERT INTO article_score (article_id, score, parts, text_parts, version, basis, listed_at,
        stale_at)
    SELECT v.id, v.score, v.parts::jsonb, v.text_parts::jsonb, v.version, v.basis, a.sort_at,
        now() + make_interval(secs => v.fresh * 86400)
    FROM unnest(%(ids)s::bigint[], %(scores)s::real[], %(parts)s::text[], %(text_parts)s::text[],
        %(versions)s::text[], %(bases)s::text[], %(fresh)s::float8[])
        AS v (id, score, parts, text_parts, version, basis, fresh)
    JOIN article a ON a.id = v.id
    ON CONFLICT (article_id) DO UPDATE SET score = excluded.score, parts = excluded.parts,
        text_parts = excluded.text_parts, version = excluded.version, basis = excluded.basis,
        listed_at = excluded.listed_at, stale_at = excluded.stale_at, made_at = now()
"""

_STALE = """
    SELECT article_id, text_parts::text, version FROM article_score
    WHERE stale_at <= now() ORDER BY stale_at LIMIT %s FOR UPDATE SKIP LOCKED
"""

_SWEEP = """
    WITH these AS (
        SELECT s.article_id, s.listed_at FROM article_score s
        WHERE (s.listed_at, s.article_id) < (
            (SELECT coalesce(swept_at, 'infinity') FROM score_sweep),
            (SELECT coalesce(swept_id, 0) FROM score_sweep))
        ORDER BY s.listed_at DESC, s.article_id DESC LIMIT %(limit)s),
    last AS (
        SELECT listed_at, article_id, (SELECT count(*) FROM these) < %(limit)s AS over
        FROM these ORDER BY listed_at, article_id LIMIT 1),
    moved AS (
        UPDATE score_sweep SET done = coalesce((SELECT over FROM last), true),
            swept_at = coalesce((SELECT listed_at FROM last), swept_at),
            swept_id = coalesce((SELECT article_id FROM last), swept_id))
    SELECT s.article_id, s.text_parts::text, s.version
    FROM these JOIN article_score s USING (article_id)
    WHERE s.basis <> %(basis)s FOR UPDATE OF s SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class StoredScore:
    """What a score can be made of anew without its article's text."""

    article_id: int
    text_parts: Parts
    version: str


class Scores:
    """The scores of this installation."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def facts(
        self, conn: Conn, article_ids: Sequence[int], *, watched: bool
    ) -> dict[int, ScoreFacts]:
        """Return what the scores of articles depend on beside their texts.

        Where nothing is `watched` nobody looks for hits.
        """
        ids = list(article_ids)
        hits = await _hits(conn, ids) if watched else {}
        cursor = await conn.execute(
            _SEEN, {"ids": ids, "never": list(_NEVER_NEW), "most": EARLIER_MOST}
        )
        seen: dict[int, dict[tuple[str, str], SeenEntity]] = {}
        named: dict[int, dict[str, TupleRow]] = {}
        for row in await cursor.fetchall():
            if row[1] == "cve":
                named.setdefault(row[0], {})[row[2]] = row
            if not row[8]:
                seen.setdefault(row[0], {})[row[1], row[2]] = _seen(row)
        cves = await _cves(conn, named)
        cursor = await conn.execute(_AGES, (ids,))
        return {
            row[0]: ScoreFacts(
                age_days=row[1],
                duplicate=row[2],
                seen=tuple(seen.get(row[0], {}).values()),
                cves=cves.get(row[0], ()),
                watched=watched,
                hits=hits.get(row[0], ()),
            )
            for row in await cursor.fetchall()
        }

    async def lock(self, conn: Conn, article_ids: Sequence[int]) -> list[int]:
        """Take articles before their hits or scores are written; return those that have any.

        All who write these do so first and in one order, so that none wait in a ring.
        """
        cursor = await conn.execute(_LOCK, (list(article_ids),))
        return [row[0] for row in await cursor.fetchall()]

    async def write(self, conn: Conn, rows: Sequence[ScoreRow]) -> None:
        """Keep scores, in the transaction that writes what their articles mention."""
        await conn.execute(
            _WRITE,
            {
                "ids": array([one.article_id for one in rows]),
                "scores": array([one.score for one in rows]),
                "parts": array([_document(one.parts) for one in rows]),
                "text_parts": array([_document(one.text_parts) for one in rows]),
                "versions": array([one.version for one in rows]),
                "bases": array([one.basis for one in rows]),
                "fresh": array([one.fresh_days for one in rows]),
            },
        )

    async def stale(self, conn: Conn, limit: int) -> list[StoredScore]:
        """Return scores that something they depend on changed since; no other takes them."""
        cursor = await conn.execute(_STALE, (limit,))
        return [_stored(row) for row in await cursor.fetchall()]

    async def sweep(self, conn: Conn, basis: str, limit: int) -> list[StoredScore] | None:
        """Return the next scores that were joined under another basis, the newest articles first.

        None when all are joined under this one, or another goes through them just now.
        """
        cursor = await conn.execute("SELECT basis, done FROM score_sweep FOR UPDATE SKIP LOCKED")
        row = await cursor.fetchone()
        if row is None or (row[0] == basis and row[1]):
            return None
        if row[0] != basis:
            await conn.execute(
                "UPDATE score_sweep SET basis = %s, swept_at = NULL, swept_id = NULL, done = false",
                (basis,),
            )
        cursor = await conn.execute(_SWEEP, {"basis": basis, "limit": limit})
        return [_stored(row) for row in await cursor.fetchall()]

    async def touch_cves(self, conn: Conn, ids: Sequence[str] | None = None) -> int:
        """Let the articles that name these CVEs be scored anew; return how many.

        Without `ids` those that name any, of the days in which urgency has not faded.
        """
        if ids is None:
            cursor = await conn.execute(
                """
                UPDATE article_score SET stale_at = now() WHERE article_id IN (
                    SELECT s.article_id FROM article_score s
                    WHERE s.listed_at > now() - make_interval(days => %s) AND EXISTS (
                        SELECT 1 FROM mention m JOIN entity e ON e.id = m.entity_id
                        WHERE m.article_id = s.article_id AND e.kind = 'cve')
                    ORDER BY s.article_id DESC FOR UPDATE)
                """,
                (URGENT_DAYS,),
            )
            return cursor.rowcount
        cursor = await conn.execute(
            """
            UPDATE article_score SET stale_at = now() WHERE article_id IN (
                SELECT s.article_id FROM article_score s WHERE s.article_id IN (
                    SELECT m.article_id FROM entity e JOIN mention m ON m.entity_id = e.id
                    WHERE e.kind = 'cve' AND e.value = ANY(%s))
                ORDER BY s.article_id DESC FOR UPDATE)
            """,
            (list(ids),),
        )
        return cursor.rowcount

    async def waiting(self, basis: str) -> int:
        """Return how many scores are stale or joined under another basis, at most 10,000."""
        async with self.database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT (SELECT count(*) FROM (SELECT 1 FROM article_score
                        WHERE stale_at <= now() LIMIT 10000) s)
                    + (SELECT count(*) FROM (SELECT 1 FROM article_score
                        WHERE basis <> %s LIMIT 10000) b)
                """,
                (basis,),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0


def _document(parts: Parts) -> str:
    return _encoder.encode(parts).decode()


def _stored(row: TupleRow) -> StoredScore:
    return StoredScore(row[0], _parts.decode(row[1]), row[2])


def _seen(row: TupleRow) -> SeenEntity:
    return SeenEntity(
        kind=row[1],
        value=row[2],
        name=row[3],
        earlier=row[7] or 0,
        start=row[4] or 0,
        end=row[5] or 0,
    )


async def _hits(conn: Conn, ids: list[int]) -> dict[int, tuple[WatchHit, ...]]:
    cursor = await conn.execute(_HITS, (ids,))
    found: dict[int, list[WatchHit]] = {}
    for row in await cursor.fetchall():
        entry = WatchTerm(id=row[1], kind=WatchKind(row[2]), term=row[3], weight=row[4])
        hit = WatchHit(entry=entry, count=row[5], prominent=row[6], start=row[7], end=row[8])
        found.setdefault(row[0], []).append(hit)
    return {number: tuple(hits) for number, hits in found.items()}


async def _cves(
    conn: Conn, named: dict[int, dict[str, TupleRow]]
) -> dict[int, tuple[CveFact, ...]]:
    """Return the CVEs of each article with what the data packs know of them."""
    values = {value for rows in named.values() for value in rows}
    known = await _known(conn, sorted(values)) if values else {}
    return {
        number: tuple(_cve(row, known.get(value)) for value, row in rows.items())
        for number, rows in named.items()
    }


async def _known(conn: Conn, ids: list[str]) -> dict[str, TupleRow]:
    cursor = await conn.execute(
        """
        SELECT id, cvss::float8, epss::float8, epss_percentile::float8,
            coalesce(kev_added::date::text, ''),
            extract(epoch FROM now() - kev_added::timestamptz)::float8 / 86400,
            coalesce(kev_ransomware, false)
        FROM cve WHERE id = ANY(%s)
        """,
        (ids,),
    )
    return {row[0]: row for row in await cursor.fetchall()}


def _cve(row: TupleRow, known: TupleRow | None) -> CveFact:
    place = {"count": row[6], "start": row[4] or 0, "end": row[5] or 0}
    if known is None:
        return CveFact(id=row[2], **place)
    return CveFact(
        id=row[2],
        cvss=known[1],
        epss=known[2],
        epss_percentile=known[3],
        kev_added=known[4],
        kev_age=known[5],
        kev_ransomware=known[6],
        **place,
    )
