"""What each reader has read and starred, and what came since he was here."""

from collections.abc import Sequence
from contextlib import suppress

from psycopg.errors import ReadOnlySqlTransaction

from ctiscraper.db.changing import (
    RETURNED,
    Way,
    change_many,
    closed,
    lock,
    open_change,
    to_change,
    undo_many,
)
from ctiscraper.db.session import Conn, Database
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Change, Undone, Visit

AWAY = "30 minutes"
"""After so long without a look at the list, the next look is another visit."""
NEW_MOST = 1_000
"""Up to how many articles that came since the last visit are counted."""
READ, STAR, THROUGH = "read", "star", "read_through"
"""What of a reader changes: one word each, or his mark below which everything is read."""
_UNREAD_MOST = 10_000

_THROUGH = "coalesce((SELECT r.read_through FROM reader r WHERE r.user_id = %(user)s), 0)"
_ROWS = """
    SELECT a.id, r.read, r.read_at, r.starred_at
    FROM article a
    LEFT JOIN article_reader r ON r.user_id = %(user)s AND r.article_id = a.id
    WHERE a.id = ANY(%(ids)s::bigint[]) AND {differs}
"""
# What is left without a word is as if it had never been said.
_RESTORE = """
    WITH former AS (SELECT f.* FROM triage_change c, jsonb_to_recordset(c.former)
        AS f (id bigint, read boolean, read_at timestamptz, starred_at timestamptz)
        WHERE c.id = %(change)s),
    swept AS (DELETE FROM article_reader r USING former f
        WHERE r.user_id = %(user)s AND r.article_id = f.id AND {empty}),
    back AS (UPDATE article_reader r SET {back} FROM former f
        WHERE r.user_id = %(user)s AND r.article_id = f.id AND NOT ({empty}))
    SELECT id FROM former ORDER BY id
"""

_WAYS = {
    READ: Way(
        known=_ROWS.format(
            differs=f"coalesce(r.read, a.id <= {_THROUGH}) IS DISTINCT FROM %(value)s::boolean"
        ),
        write="""
            INSERT INTO article_reader AS r (user_id, article_id, read, read_at)
            SELECT %(user)s, id, %(value)s::boolean, CASE WHEN %(value)s::boolean THEN now() END
            FROM known
            ON CONFLICT (user_id, article_id) DO UPDATE
            SET read = excluded.read, read_at = excluded.read_at
        """,
        restore=_RESTORE.format(
            back="read = f.read, read_at = f.read_at",
            empty="f.read IS NULL AND r.starred_at IS NULL",
        ),
        personal=True,
    ),
    STAR: Way(
        known=_ROWS.format(differs="(r.starred_at IS NOT NULL) <> %(value)s::boolean"),
        write="""
            INSERT INTO article_reader AS r (user_id, article_id, starred_at)
            SELECT %(user)s, id, CASE WHEN %(value)s::boolean THEN now() END FROM known
            ON CONFLICT (user_id, article_id) DO UPDATE SET starred_at = excluded.starred_at
        """,
        restore=_RESTORE.format(
            back="starred_at = f.starred_at", empty="f.starred_at IS NULL AND r.read IS NULL"
        ),
        personal=True,
    ),
}


class Reading:
    """What the readers of this installation did; everybody sees his own alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def opened(self, user_id: int, article_id: int) -> bool:
        """Note that an article was opened; return whether it had been unread until then.

        A database that only reads notes nothing.
        """
        with suppress(ReadOnlySqlTransaction):
            async with self._database.connection() as conn:
                cursor = await conn.execute(
                    f"""
                    INSERT INTO article_reader AS r (user_id, article_id, read, read_at)
                    SELECT %(user)s, %(id)s, true, now() WHERE %(id)s > {_THROUGH}
                        OR EXISTS (SELECT FROM article_reader x WHERE x.user_id = %(user)s
                            AND x.article_id = %(id)s AND NOT x.read)
                    ON CONFLICT (user_id, article_id) DO UPDATE
                    SET read = true, read_at = excluded.read_at WHERE r.read IS NOT true
                    RETURNING true
                    """,  # noqa: S608 - a constant
                    {"user": user_id, "id": article_id},
                )
                return await cursor.fetchone() is not None
        return False

    async def visit(self, user_id: int) -> Visit:
        """Return what came since the last visit, and note that there is one now.

        Looks at the list that are less than half an hour apart are one visit.
        """
        with suppress(ReadOnlySqlTransaction):
            async with self._database.connection() as conn:
                await conn.execute(_VISIT, {"user": user_id})
        return await self.present(user_id)

    async def present(self, user_id: int) -> Visit:
        """Return what came since the last visit."""
        # By their numbers: the planner guesses that a third of all articles are new.
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT r.new_since, (SELECT count(*) FROM (
                    SELECT FROM article a WHERE a.id > r.new_after AND a.duplicate_of IS NULL
                    ORDER BY a.id DESC LIMIT {NEW_MOST}) n)
                FROM reader r WHERE r.user_id = %s
                """,  # noqa: S608 - a constant
                (user_id,),
            )
            row = await cursor.fetchone()
        return Visit(since=None, new=0) if row is None else Visit(since=row[0], new=int(row[1]))

    async def mark(
        self, who: Principal, ids: Sequence[int], *, read: bool, capped: bool = False
    ) -> Change:
        """Return the change that makes articles read, or unread."""
        return await self._change(who, READ, ids, read, capped=capped)

    async def star(
        self, who: Principal, ids: Sequence[int], *, starred: bool, capped: bool = False
    ) -> Change:
        """Return the change that stars articles, or takes their stars."""
        return await self._change(who, STAR, ids, starred, capped=capped)

    async def _change(
        self, who: Principal, field: str, ids: Sequence[int], value: bool, *, capped: bool
    ) -> Change:
        values: dict[str, object] = {
            "ids": list(ids),
            "field": field,
            "value": "true" if value else "false",
        }
        async with self._database.transaction() as conn:
            return await change_many(conn, _WAYS[field], who, values, capped=capped)

    async def read_everything(self, who: Principal) -> Change:
        """Return the change that makes everything read that is there now: one mark moves.

        Its `articles` count those that it passes, those that were read before as well.
        """
        async with self._database.transaction() as conn:
            await lock(conn, who, personal=True)
            cursor = await conn.execute(_THROUGH_MOVED, {"user": who.user_id, "owner": who.key})
            row = await cursor.fetchone()
        assert row is not None, "it is inserted or updated"
        return to_change(row)

    async def undo(self, who: Principal, number: int) -> Undone:
        """Return what became of a change of a reader. Raises NotFoundError and ConflictError."""
        async with self._database.transaction() as conn:
            await lock(conn, who, personal=True)
            change = await open_change(conn, who, number, fields=(*_WAYS, THROUGH))
            if change.field == THROUGH:
                return await closed(conn, change, await _mark_back(conn, who, number))
            return await undo_many(conn, _WAYS[change.field], who, change)


_VISIT = f"""
    INSERT INTO reader AS r (user_id, new_after, seen_through)
    SELECT %(user)s, n.id, n.id FROM (SELECT coalesce(max(id), 0) AS id FROM article) n
    ON CONFLICT (user_id) DO UPDATE SET
        new_after = CASE WHEN r.seen_at < now() - interval '{AWAY}'
            THEN r.seen_through ELSE r.new_after END,
        new_since = CASE WHEN r.seen_at < now() - interval '{AWAY}'
            THEN r.seen_at ELSE r.new_since END,
        seen_through = excluded.seen_through, seen_at = now()
    WHERE r.seen_at < now() - interval '1 minute'
"""  # noqa: S608 - a constant

# What was made unread by hand below the mark is read now too, and unread again after an undo.
_THROUGH_MOVED = f"""
    WITH newest AS (SELECT coalesce(max(id), 0) AS id FROM article),
    before AS (SELECT {_THROUGH} AS id),
    unread AS MATERIALIZED (SELECT article_id FROM article_reader
        WHERE user_id = %(user)s AND NOT read ORDER BY article_id DESC LIMIT {_UNREAD_MOST}),
    cleared AS (UPDATE article_reader r SET read = NULL FROM unread u
        WHERE r.user_id = %(user)s AND r.article_id = u.article_id),
    moved AS (INSERT INTO reader (user_id, read_through, new_after, seen_through)
        SELECT %(user)s, n.id, n.id, n.id FROM newest n
        ON CONFLICT (user_id) DO UPDATE SET read_through = excluded.read_through)
    INSERT INTO triage_change (owner, field, value, articles, former)
    SELECT %(owner)s, '{THROUGH}', n.id::text,
        least(n.id - b.id + (SELECT count(*) FROM unread), 2147483647)::integer,
        jsonb_build_object('through', b.id, 'unread',
            (SELECT coalesce(jsonb_agg(article_id), '[]') FROM unread))
    FROM newest n, before b
    RETURNING {RETURNED}
"""  # noqa: S608 - constants


async def _mark_back(conn: Conn, who: Principal, number: int) -> tuple[int, ...]:
    cursor = await conn.execute(
        """
        WITH c AS (SELECT former FROM triage_change WHERE id = %(change)s),
        moved AS (UPDATE reader SET read_through = (c.former ->> 'through')::bigint
            FROM c WHERE user_id = %(user)s)
        INSERT INTO article_reader AS r (user_id, article_id, read)
        SELECT %(user)s, a.id, false
        FROM c, jsonb_array_elements_text(c.former -> 'unread') u JOIN article a ON a.id = u::bigint
        ON CONFLICT (user_id, article_id) DO UPDATE SET read = false, read_at = NULL
        WHERE r.read IS NULL
        RETURNING article_id
        """,
        {"change": number, "user": who.user_id},
    )
    return tuple(row[0] for row in await cursor.fetchall())
