"""The watchlist: its entries, and how each is held against what is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from ctiscraper.db.search import CONFIG
from ctiscraper.db.session import Conn, Database
from ctiscraper.defang import refanged
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.intelligence import Extractor, Mention
from ctiscraper.views import WatchEntry
from ctiscraper.weighing import WatchGiven, WatchHit, WatchKind, WatchTerm

# Held by all who write scores, and by one who changes the watchlist: an article that is being
# written when an entry comes has it, or is found by it.
_LOCK_KEY = 0x77617463
HITS_DAYS = 30

_ENTRY = f"""
    SELECT w.id, w.kind, w.term, w.weight, w.note, w.actor, w.made_at, w.entity_id, w.settled,
        (SELECT count(*) FROM watch_hit h JOIN article_score s USING (article_id)
            WHERE h.entry_id = w.id AND s.listed_at > now() - interval '{HITS_DAYS} days')
    FROM watchlist_entry w WHERE w.removed_at IS NULL
"""  # noqa: S608 - a constant of this module

# The newest articles that were not held against entries yet, which all stand at one place.
_WINDOW = """
    WITH these AS (
        SELECT s.article_id, s.listed_at FROM article_score s
        WHERE (s.listed_at, s.article_id) < (
            (SELECT coalesce(matched_at, 'infinity') FROM watchlist_entry WHERE id = %(first)s),
            (SELECT coalesce(matched_id, 0) FROM watchlist_entry WHERE id = %(first)s))
        ORDER BY s.listed_at DESC, s.article_id DESC LIMIT %(limit)s),
    last AS (
        SELECT listed_at, article_id, (SELECT count(*) FROM these) < %(limit)s AS over
        FROM these ORDER BY listed_at, article_id LIMIT 1),
    moved AS (
        UPDATE watchlist_entry SET settled = coalesce((SELECT over FROM last), true),
            matched_at = coalesce((SELECT listed_at FROM last), matched_at),
            matched_id = coalesce((SELECT article_id FROM last), matched_id)
        WHERE id = ANY(%(entries)s))
    SELECT article_id FROM these
"""

# By the index of words, and by what was named; a term without a word that is indexed is looked
# for in every text.
_CANDIDATES = f"""
    WITH q AS (
        SELECT string_agg('(' || q::text || ')', ' | ') FILTER (WHERE numnode(q) > 0)::tsquery
                AS wanted,
            bool_or(numnode(q) = 0) AS wordless
        FROM unnest(%(words)s::text[]) w, phraseto_tsquery('{CONFIG}', w) q)
    SELECT a.id FROM article a, q WHERE a.id = ANY(%(ids)s) AND (q.wordless OR a.search @@ q.wanted)
    UNION
    SELECT m.article_id FROM mention m JOIN entity e ON e.id = m.entity_id
    WHERE m.article_id = ANY(%(ids)s) AND e.kind = ANY(%(kinds)s) AND (
        lower(e.value) = ANY(%(terms)s) OR lower(e.name) = ANY(%(terms)s)
        OR lower(m.alias) = ANY(%(terms)s)
        OR lower(split_part(e.value, '.', 1)) = ANY(%(terms)s)
        OR EXISTS (SELECT 1 FROM unnest(%(domains)s::text[]) d
            WHERE position(d IN lower(e.value)) > 0))
"""  # noqa: S608 - a constant of this module
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """An article that may have an entry, with what tells whether it has."""

    article_id: int
    title: str
    text: str
    mentions: tuple[Mention, ...]


class Watchlist:
    """The watchlist of this installation's team."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self) -> tuple[WatchEntry, ...]:
        """Return the entries in use, by kind and term."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(f"{_ENTRY} ORDER BY w.kind, lower(w.term), w.id")
            return tuple(map(_entry, await cursor.fetchall()))

    async def get(self, entry_id: int) -> WatchEntry:
        """Return an entry in use. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(f"{_ENTRY} AND w.id = %s", (entry_id,))
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"the watchlist has no entry {entry_id}")
        return _entry(row)

    async def add(self, given: WatchGiven, *, actor: str, kinds: Iterable[str] = ()) -> WatchEntry:
        """Return a new entry; `kinds` are the kinds of entities that it may name.

        Raises ConflictError when its kind has the term already.
        """
        try:
            async with self._database.transaction() as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
                cursor = await conn.execute(
                    """
                    INSERT INTO watchlist_entry (kind, term, weight, note, actor, entity_id)
                    VALUES (%(kind)s, %(term)s, %(weight)s, %(note)s, %(actor)s,
                        (SELECT id FROM entity
                        WHERE kind = ANY(%(kinds)s) AND articles > 0
                            AND lower(%(term)s) IN (lower(value), lower(name))
                        ORDER BY articles DESC LIMIT 1))
                    RETURNING id
                    """,
                    {
                        "kind": given.kind,
                        "term": given.term,
                        "weight": given.weight,
                        "note": given.note,
                        "actor": actor,
                        "kinds": list(kinds),
                    },
                )
                row = await cursor.fetchone()
        except UniqueViolation as error:
            raise ConflictError(
                f"the watchlist has the {given.kind} {given.term!r} already; "
                "remove it first to change it"
            ) from error
        assert row is not None, "an insert that raises nothing returns its row"
        return await self.get(int(row[0]))

    async def remove(self, entry_id: int, *, actor: str) -> None:
        """Take an entry out of use; what it was stays on record. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            cursor = await conn.execute(
                """
                UPDATE watchlist_entry
                SET removed_at = now(), removed_by = %s, settled = false
                WHERE id = %s AND removed_at IS NULL
                """,
                (actor, entry_id),
            )
        if not cursor.rowcount:
            raise NotFoundError(f"the watchlist has no entry {entry_id}")

    async def terms(self, conn: Conn) -> tuple[WatchTerm, ...]:
        """Return the entries for who writes scores; none comes or goes until that is committed."""
        await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_LOCK_KEY,))
        cursor = await conn.execute(
            """
            SELECT id, kind, term, weight FROM watchlist_entry WHERE removed_at IS NULL ORDER BY id
            """
        )
        return tuple(map(_term, await cursor.fetchall()))

    async def is_used(self, conn: Conn) -> bool:
        """Return whether there is any entry."""
        cursor = await conn.execute(
            "SELECT EXISTS (SELECT 1 FROM watchlist_entry WHERE removed_at IS NULL)"
        )
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def unsettled(self, conn: Conn) -> tuple[tuple[WatchTerm, ...], bool]:
        """Return entries that are not held against every article yet, and whether they are in use.

        They all stand at the same article; those that stand at none come first, then one that is
        no more. Nothing when all are settled, or taken by another.
        """
        cursor = await conn.execute(
            """
            SELECT id, kind, term, weight, removed_at IS NULL FROM watchlist_entry
            WHERE NOT settled
            ORDER BY removed_at IS NULL AND matched_at IS NOT NULL, removed_at IS NOT NULL,
                matched_at DESC, id
            LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            """
        )
        row = await cursor.fetchone()
        if row is None or not row[4]:
            return ((_term(row),) if row else (), False)
        cursor = await conn.execute(
            """
            SELECT w.id, w.kind, w.term, w.weight FROM watchlist_entry w, watchlist_entry f
            WHERE f.id = %s AND NOT w.settled AND w.removed_at IS NULL
                AND w.matched_at IS NOT DISTINCT FROM f.matched_at
                AND w.matched_id IS NOT DISTINCT FROM f.matched_id
            ORDER BY w.id LIMIT %s FOR NO KEY UPDATE OF w SKIP LOCKED
            """,
            (row[0], MOST_AT_ONCE),
        )
        return tuple(map(_term, await cursor.fetchall())), True

    async def candidates(
        self, conn: Conn, entries: Sequence[WatchTerm], kinds: Iterable[str], limit: int
    ) -> tuple[int, tuple[Candidate, ...]]:
        """Return how many articles were gone through, and those of them that may have an entry."""
        numbers = [one.id for one in entries]
        cursor = await conn.execute(
            _WINDOW, {"first": numbers[0], "entries": numbers, "limit": limit}
        )
        ids = [row[0] for row in await cursor.fetchall()]
        values = {
            "ids": ids,
            "words": [refanged(one.term) for one in entries],
            "terms": [one.term.lower() for one in entries],
            "domains": [one.term for one in entries if one.kind is WatchKind.DOMAIN],
            "kinds": list(kinds),
        }
        cursor = await conn.execute(_CANDIDATES, values)
        chosen = [row[0] for row in await cursor.fetchall()]
        return len(ids), await _candidates(conn, chosen, list(kinds))

    async def put_hits(
        self, conn: Conn, hits: Sequence[tuple[int, WatchHit]], *, again: Sequence[int] = ()
    ) -> None:
        """Keep which articles have which entries; those of `again` lose what they had before.

        The scores of these articles are locked already, by `touch` or as they are written.
        """
        if again:
            await conn.execute("DELETE FROM watch_hit WHERE article_id = ANY(%s)", (list(again),))
        if not hits:
            return
        await conn.execute(
            """
            INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::boolean[],
                %s::integer[], %s::integer[])
            ON CONFLICT (entry_id, article_id) DO NOTHING
            """,
            (
                [hit.entry.id for _, hit in hits],
                [number for number, _ in hits],
                [hit.count for _, hit in hits],
                [hit.prominent for _, hit in hits],
                [hit.start for _, hit in hits],
                [hit.end for _, hit in hits],
            ),
        )

    async def touch(self, conn: Conn, article_ids: Sequence[int]) -> None:
        """Lock the scores of articles, and let them be made anew."""
        await conn.execute(
            """
            UPDATE article_score SET stale_at = '-infinity' WHERE article_id IN (
                SELECT article_id FROM article_score WHERE article_id = ANY(%s)
                ORDER BY article_id DESC FOR UPDATE)
            """,
            (list(article_ids),),
        )

    async def drop_hits(self, conn: Conn, entry: WatchTerm, limit: int) -> int:
        """Take articles from an entry that is no more, the newest first; return how many."""
        cursor = await conn.execute(
            """
            SELECT article_id FROM watch_hit WHERE entry_id = %s
            ORDER BY article_id DESC LIMIT %s
            """,
            (entry.id, limit),
        )
        gone = [row[0] for row in await cursor.fetchall()]
        await self.touch(conn, gone)
        await conn.execute(
            "DELETE FROM watch_hit WHERE entry_id = %s AND article_id = ANY(%s)", (entry.id, gone)
        )
        if len(gone) < limit:
            await conn.execute(
                "UPDATE watchlist_entry SET settled = true WHERE id = %s", (entry.id,)
            )
        return len(gone)


async def _candidates(conn: Conn, ids: list[int], kinds: list[str]) -> tuple[Candidate, ...]:
    if not ids:
        return ()
    mentions: dict[int, list[Mention]] = {}
    cursor = await conn.execute(
        """
        SELECT m.article_id, e.kind, e.value, e.name, m.alias, m.count, m.starts[1], m.ends[1],
            m.extractor
        FROM mention m JOIN entity e ON e.id = m.entity_id
        WHERE m.article_id = ANY(%s) AND e.kind = ANY(%s)
        """,
        (ids, kinds),
    )
    for row in await cursor.fetchall():
        mentions.setdefault(row[0], []).append(_mention(row))
    cursor = await conn.execute("SELECT id, title, text FROM article WHERE id = ANY(%s)", (ids,))
    return tuple(
        Candidate(row[0], row[1], row[2], tuple(mentions.get(row[0], ())))
        for row in await cursor.fetchall()
    )


def _mention(row: TupleRow) -> Mention:
    return Mention(
        kind=row[1],
        value=row[2],
        name=row[3],
        alias=row[4],
        count=row[5],
        places=() if row[6] is None else ((row[6], row[7]),),
        extractor=Extractor(row[8]),
    )


def _term(row: TupleRow) -> WatchTerm:
    return WatchTerm(id=row[0], kind=WatchKind(row[1]), term=row[2], weight=row[3])


def _entry(row: TupleRow) -> WatchEntry:
    return WatchEntry(
        id=row[0],
        kind=row[1],
        term=row[2],
        weight=round(row[3], 3),
        note=row[4],
        actor=row[5],
        made_at=row[6],
        entity_id=row[7],
        settled=row[8],
        recent_articles=row[9],
    )
