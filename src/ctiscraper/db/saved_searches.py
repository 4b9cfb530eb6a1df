"""The searches that people keep, share and follow."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from psycopg.errors import ReadOnlySqlTransaction, UniqueViolation
from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, InputError, NotFoundError
from ctiscraper.identity import Role
from ctiscraper.views import SavedSearch

MOST = 200

# One that a program made ends with the program's token, and gives what that may read.
_FEED_HOLDS = """
    NOT EXISTS (SELECT FROM api_token t WHERE t.id = f.made_by AND (t.revoked_at IS NOT NULL
        OR t.expires_at <= now() OR NOT 'article:read' = ANY(t.scopes)))
"""
# What somebody sees: his own in the order that he gave them, then those that others share.
_SEEN_BY = f"""
    SELECT s.id, s.uid::text, s.name, s.query, s.sort, s.shared, s.user_id = %(user)s, u.name,
        s.made_at, s.changed_at, n.seen_at,
        EXISTS (SELECT 1 FROM saved_search_feed f
            WHERE f.search_id = s.id AND f.user_id = %(user)s AND {_FEED_HOLDS})
    FROM saved_search s JOIN app_user u ON u.id = s.user_id
    LEFT JOIN saved_search_seen n ON n.search_id = s.id AND n.user_id = %(user)s
    WHERE (s.user_id = %(user)s OR s.shared AND u.disabled_at IS NULL)
"""  # noqa: S608 - a constant
_ORDER = " ORDER BY s.user_id <> %(user)s, CASE WHEN s.user_id = %(user)s THEN s.place END, s.name"
_SEE = """
    INSERT INTO saved_search_seen (search_id, user_id, last_article)
    SELECT %(id)s, %(user)s, coalesce((SELECT max(id) FROM article), 0)
    ON CONFLICT (search_id, user_id)
        DO UPDATE SET last_article = excluded.last_article, seen_at = now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a saved search is to be."""

    name: str
    query: str
    sort: str
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The search of a feed, and what whoever it was made for is here."""

    search: SavedSearch
    user_id: int
    role: Role


class SavedSearches:
    """The searches that people keep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: int) -> tuple[SavedSearch, ...]:
        """Return what somebody sees: his own in their order, then those that others share."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_SEEN_BY + _ORDER, {"user": user_id})
            return tuple(_to_search(row) for row in await cursor.fetchall())

    async def get(self, user_id: int, search_id: int) -> SavedSearch:
        """Return one that he sees. Raises NotFoundError."""
        async with self._database.connection() as conn:
            return await _get(conn, user_id, search_id)

    async def add(self, user_id: int, given: Given) -> SavedSearch:
        """Return a search that is kept from now on. Raises ConflictError and InputError."""
        async with self._database.transaction() as conn:
            # One after the other, so that none passes the cap or takes another's place.
            await conn.execute("SELECT 1 FROM app_user WHERE id = %s FOR UPDATE", (user_id,))
            mine = await _own(conn, user_id)
            if len(mine) >= MOST:
                raise InputError(f"at most {MOST} searches are kept; remove one first")
            values = {"user": user_id, "place": len(mine), **_values(given)}
            try:
                cursor = await conn.execute(
                    """
                    INSERT INTO saved_search (user_id, name, query, sort, shared, place)
                    VALUES (%(user)s, %(name)s, %(query)s, %(sort)s, %(shared)s, %(place)s)
                    RETURNING id
                    """,
                    values,
                )
            except UniqueViolation as error:
                raise _known(given.name) from error
            row = await cursor.fetchone()
            assert row is not None
            await conn.execute(_SEE, {"id": row[0], "user": user_id})
            return await _get(conn, user_id, row[0])

    async def change(
        self, user_id: int, search_id: int, wanted: Callable[[SavedSearch], Given]
    ) -> SavedSearch:
        """Return one of his own as it is from now on: what is wanted of it as it is then.

        Nobody changes it in between. Raises NotFoundError and ConflictError.
        """
        async with self._database.transaction() as conn:
            if search_id not in await _own(conn, user_id):
                raise _none(search_id)
            given = wanted(await _get(conn, user_id, search_id))
            try:
                await conn.execute(
                    """
                    UPDATE saved_search SET name = %(name)s, query = %(query)s, sort = %(sort)s,
                        shared = %(shared)s, changed_at = CASE WHEN (name, query, sort) =
                            (%(name)s, %(query)s, %(sort)s) THEN changed_at ELSE now() END
                    WHERE id = %(id)s
                    """,
                    {"id": search_id, **_values(given)},
                )
            except UniqueViolation as error:
                raise _known(given.name) from error
            return await _get(conn, user_id, search_id)

    async def move(self, user_id: int, search_id: int, place: int) -> None:
        """Put one of his own at a place of his list, the first is 0. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            mine = await _own(conn, user_id)
            if search_id not in mine:
                raise _none(search_id)
            mine.remove(search_id)
            mine.insert(place, search_id)
            await conn.execute(
                """
                UPDATE saved_search s SET place = n.place
                FROM unnest(%s::bigint[]) WITH ORDINALITY AS n (id, place) WHERE s.id = n.id
                """,
                (mine,),
            )

    async def remove(self, user_id: int, search_id: int) -> None:
        """Forget one of his own, with every feed of it. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM saved_search WHERE id = %s AND user_id = %s", (search_id, user_id)
            )
        if not cursor.rowcount:
            raise _none(search_id)

    async def see(self, user_id: int, search_id: int) -> None:
        """Note that he looked at what it finds just now. Raises NotFoundError."""
        async with self._database.connection() as conn:
            await _get(conn, user_id, search_id)
            # What only reads, as a standby does, notes nothing.
            with suppress(ReadOnlySqlTransaction):
                await conn.execute(_SEE, {"id": search_id, "user": user_id})

    async def follow(
        self, user_id: int, search_id: int, key: bytes, *, made_by: str | None = None
    ) -> SavedSearch:
        """Let this key, and none from before, read one that he sees. Raises NotFoundError.

        By a token, `made_by`, it does so as long as that lets somebody in.
        """
        async with self._database.transaction() as conn:
            await _get(conn, user_id, search_id)
            await conn.execute(
                """
                INSERT INTO saved_search_feed (key, search_id, user_id, made_by)
                VALUES (%s, %s, %s, %s)
                ON CONFLICT (search_id, user_id) DO UPDATE SET key = excluded.key,
                    made_by = excluded.made_by, made_at = now(), last_used_at = NULL
                """,
                (key, search_id, user_id, made_by),
            )
            return await _get(conn, user_id, search_id)

    async def unfollow(self, user_id: int, search_id: int) -> None:
        """Let no feed of his read it any more. Raises NotFoundError where he has none."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM saved_search_feed WHERE search_id = %s AND user_id = %s",
                (search_id, user_id),
            )
        if not cursor.rowcount:
            raise NotFoundError(f"you have no feed of the search number {search_id}")

    async def followed(self, key: bytes) -> Followed | None:
        """Return what a feed gives; None where its reader may not see that any more."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT f.user_id, f.search_id, u.role,
                    coalesce(f.last_used_at, '-infinity') < now() - interval '1 minute'
                FROM saved_search_feed f JOIN app_user u ON u.id = f.user_id
                WHERE f.key = %s AND u.disabled_at IS NULL AND {_FEED_HOLDS}
                """,  # noqa: S608 - a constant
                (key,),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            user_id, search_id, role, stale = row
            found = await _seen(conn, user_id, search_id)
            if found is None:
                return None
            if stale:
                with suppress(ReadOnlySqlTransaction):
                    await conn.execute(
                        "UPDATE saved_search_feed SET last_used_at = now() WHERE key = %s", (key,)
                    )
        return Followed(search=found, user_id=user_id, role=Role(role))


async def _own(conn: Conn, user_id: int) -> list[int]:
    cursor = await conn.execute(
        "SELECT id FROM saved_search WHERE user_id = %s ORDER BY place, id FOR UPDATE", (user_id,)
    )
    return [row[0] for row in await cursor.fetchall()]


async def _get(conn: Conn, user_id: int, search_id: int) -> SavedSearch:
    found = await _seen(conn, user_id, search_id)
    if found is None:
        raise _none(search_id)
    return found


async def _seen(conn: Conn, user_id: int, search_id: int) -> SavedSearch | None:
    cursor = await conn.execute(_SEEN_BY + " AND s.id = %(id)s", {"user": user_id, "id": search_id})
    row = await cursor.fetchone()
    return None if row is None else _to_search(row)


def _values(given: Given) -> dict[str, object]:
    return {
        "name": given.name,
        "query": given.query,
        "sort": given.sort,
        "shared": given.shared,
    }


def _none(search_id: int) -> NotFoundError:
    return NotFoundError(f"you have no saved search number {search_id}")


def _known(name: str) -> ConflictError:
    return ConflictError(f"you have a search '{name}' already; give this one another name")


def _to_search(row: TupleRow) -> SavedSearch:
    return SavedSearch(
        id=row[0],
        uid=row[1],
        name=row[2],
        query=row[3],
        sort=row[4],
        shared=row[5],
        own=row[6],
        owner=row[7],
        made_at=row[8],
        changed_at=row[9],
        seen_at=row[10],
        feed=row[11],
    )
