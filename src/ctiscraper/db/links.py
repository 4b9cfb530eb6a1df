"""Near-duplicates: each stored text is compared once, and what it repeats is linked."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn, Database
from ctiscraper.db.store import TOPIC
from ctiscraper.types import Fingerprint

STAGE = "near_duplicate"
# A template that fills bands for hundreds of articles must not make each look-up long.
MOST_CANDIDATES = 200
_LOCK_KEY = 0x6C696E6B

Similarity = Callable[[Fingerprint, Fingerprint], float | None]


@dataclass(frozen=True, slots=True)
class _Candidate:
    article_id: int
    root_id: int
    mark: Fingerprint


class Links:
    """The stage that links near-duplicates, fed by the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def link_next(self, similarity: Similarity, *, limit: int = 50) -> int:
        """Compare up to `limit` stored texts with all before them; return how many.

        `similarity` gives None for texts that are not near-duplicates. One worker at a time
        does this, so that two copies stored at once still see each other; the effect, its
        record and the end of the outbox row are one transaction.
        """
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK_KEY,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return 0
            rows = await _waiting(conn, limit)
            for outbox_id, article_id, revision, mark in rows:
                found = await _candidates(conn, article_id, mark)
                await _link(conn, article_id, revision, mark, _best(mark, found, similarity))
                await conn.execute("DELETE FROM outbox WHERE id = %s", (outbox_id,))
        return len(rows)

    async def waiting(self) -> int:
        """Return how many texts are still to be compared."""
        async with self._database.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM outbox WHERE topic = %s", (TOPIC,))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0


async def _waiting(conn: Conn, limit: int) -> list[tuple[int, int, int, Fingerprint]]:
    cursor = await conn.execute(
        """
        SELECT o.id, o.article_id, o.revision, f.version, a.text_sha256, f.signature, f.bands,
            f.shingles
        FROM outbox o JOIN article_fingerprint f USING (article_id)
        JOIN article a ON a.id = o.article_id
        WHERE o.topic = %s ORDER BY o.id LIMIT %s FOR UPDATE OF o SKIP LOCKED
        """,
        (TOPIC, limit),
    )
    return [(row[0], row[1], row[2], _mark(row[3:])) for row in await cursor.fetchall()]


def _mark(row: TupleRow) -> Fingerprint:
    return Fingerprint(
        version=row[0],
        text_sha256=bytes(row[1]),
        signature=bytes(row[2]),
        bands=tuple(row[3]),
        shingles=row[4],
    )


async def _candidates(conn: Conn, article_id: int, mark: Fingerprint) -> list[_Candidate]:
    cursor = await conn.execute(
        """
        SELECT f.article_id, coalesce(a.duplicate_of, f.article_id), f.version, a.text_sha256,
            f.signature, f.bands, f.shingles
        FROM (SELECT * FROM article_fingerprint
            WHERE bands && %s::integer[] AND version = %s AND article_id < %s
            ORDER BY article_id DESC LIMIT %s) f
        JOIN article a ON a.id = f.article_id
        """,
        (list(mark.bands), mark.version, article_id, MOST_CANDIDATES),
    )
    return [_Candidate(row[0], row[1], _mark(row[2:])) for row in await cursor.fetchall()]


def _best(
    mark: Fingerprint, candidates: list[_Candidate], similarity: Similarity
) -> tuple[_Candidate, float] | None:
    scored = [
        (value, -candidate.article_id, candidate)
        for candidate in candidates
        if (value := similarity(mark, candidate.mark)) is not None
    ]
    if not scored:
        return None
    value, _, candidate = max(scored, key=lambda entry: entry[:2])
    return candidate, value


async def _link(
    conn: Conn,
    article_id: int,
    revision: int,
    mark: Fingerprint,
    best: tuple[_Candidate, float] | None,
) -> None:
    root = best[0].root_id if best else None
    await conn.execute(
        """
        UPDATE article SET duplicate_of = %(root)s, similarity = %(value)s
        WHERE id = %(id)s AND duplicate_of IS DISTINCT FROM %(root)s
        """,
        {"id": article_id, "root": root, "value": best[1] if best else None},
    )
    if root is not None:
        # What repeated this article now repeats the one it repeats.
        await conn.execute(
            "UPDATE article SET duplicate_of = %s WHERE duplicate_of = %s", (root, article_id)
        )
    result = {"of": best[0].article_id, "similarity": best[1]} if best else {}
    await conn.execute(
        """
        INSERT INTO analysis (article_id, revision, stage, version, result)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (article_id, revision, stage, version) DO NOTHING
        """,
        (article_id, revision, STAGE, mark.version, msgspec.json.encode(result).decode()),
    )
