"""Counts by week and day: filled for what was stored before them, folded, held against the rows."""
# ruff: noqa: S608 - every statement is put together from constants of this module

from dataclasses import dataclass

from ctiscraper.db.mentions import COUNTING
from ctiscraper.db.session import Conn, Database

# Shared by all who change what is being filled, held alone by who fills.
_FILLING = 0x726F6C6C
_FOLDING = 0x726F6C66
STEP = 500
"""How many articles are filled in one transaction."""

DAYS = tuple(f"d{day}" for day in range(1, 8))
"""The columns of a week's days, from Monday on."""

_COLUMNS = ", ".join(DAYS)
_SUMS = ", ".join(f"sum({day})" for day in DAYS)
_ADDED = ", ".join(f"{day} = t.{day} + excluded.{day}" for day in DAYS)
_BY_DAY = ", ".join(f"count(*) FILTER (WHERE day = {day})" for day in range(1, 8))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A table of counts, and the statement that counts the same from the rows themselves."""

    table: str
    keys: str
    sums: str
    counted: str


_PLACE = """date_trunc('week', at)::date AS week, extract(isodow FROM at)::integer AS day"""
_ARTICLES = f"""
    SELECT {{key}}, (duplicate_of IS NOT NULL)::integer AS copy, {_PLACE}
    FROM article a CROSS JOIN LATERAL (SELECT a.sort_at AT TIME ZONE 'UTC' AS at) p
    WHERE a.id > %(after)s AND a.id <= %(last)s
"""
_MENTIONS = f"""
    SELECT e.kind, m.entity_id, {_PLACE}
    FROM mention m JOIN entity e ON e.id = m.entity_id
    CROSS JOIN LATERAL (SELECT m.seen_at AT TIME ZONE 'UTC' AS at) p
    WHERE m.article_id > %(after)s AND m.article_id <= %(last)s
        AND e.kind IN (SELECT kind FROM rolled_kind)
"""
_TIERS = _Kept("tier_week", "week, tier", "articles, copies", _ARTICLES.format(key="tier"))
_SOURCES = _Kept(
    "source_week", "week, source_id", "articles, copies", _ARTICLES.format(key="source_id")
)
_ENTITIES = _Kept("entity_week", "week, kind, entity_id", "articles", _MENTIONS)
_ALL = (_TIERS, _SOURCES, _ENTITIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A week of something for which the rows say another count than what is kept."""

    table: str
    key: str
    kept: str
    counted: str


class Rollups:
    """The counts that triggers keep as articles are stored and enriched."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fill(self, *, step: int = STEP) -> bool | None:
        """Count the next articles that were stored before there were counts.

        False when there are no more; None when somebody changes such articles just now: nothing
        was done, and may be in a moment. Nobody who writes ever waits longer than for one step.
        """
        async with self._database.transaction() as conn:
            if await is_filled(conn):
                return False
            # Whoever waited here for its turn could be waited for in a ring.
            cursor = await conn.execute(
                "SELECT pg_try_advisory_xact_lock(%s) AND pg_try_advisory_xact_lock(%s)",
                (COUNTING, _FILLING),
            )
            row = await cursor.fetchone()
            assert row is not None, "a query without FROM has one row"
            if not row[0]:
                return None
            cursor = await conn.execute(
                """
                SELECT f.filled, CASE WHEN a.count < %(step)s THEN f.last ELSE a.last END
                FROM rollup_fill f CROSS JOIN LATERAL (SELECT count(*), max(id) AS last
                    FROM (SELECT id FROM article WHERE id > f.filled AND id <= f.last
                        ORDER BY id LIMIT %(step)s) next) a
                """,
                {"step": step},
            )
            row = await cursor.fetchone()
            assert row is not None, "the migration made it"
            bounds = {"after": row[0], "last": row[1]}
            for kept in _ALL:
                await conn.execute(_fill(kept), bounds)
            await conn.execute("UPDATE rollup_fill SET filled = %(last)s", bounds)
        return True

    async def is_filled(self) -> bool:
        """Return whether all that was stored before there were counts is counted."""
        async with self._database.connection() as conn:
            return await is_filled(conn)

    async def fold(self) -> None:
        """Sum the lanes of connections into one; one at a time does it, the others pass by."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (_FOLDING,))
            if await cursor.fetchone() != (True,):
                return
            for kept in (_TIERS, _SOURCES):
                await conn.execute(_fold(kept))

    async def differences(self) -> list[Difference]:
        """Return where a full count of the rows says something else; it takes as long as that."""
        found: list[Difference] = []
        async with self._database.transaction() as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for kept in _ALL:
                cursor = await conn.execute(_compare(kept), {"after": 0, "last": 2**62})
                found += [
                    Difference(table=kept.table, key=row[0], kept=row[1], counted=row[2])
                    for row in await cursor.fetchall()
                ]
        return found


async def is_filled(conn: Conn) -> bool:
    """Return whether all that was stored before there were counts is counted."""
    cursor = await conn.execute("SELECT filled >= last FROM rollup_fill")
    row = await cursor.fetchone()
    return row == (True,)


def _lane(kept: _Kept, lane: str) -> tuple[str, str]:
    """The column of lanes and its value, for a table that has them."""
    return ("", "") if kept is _ENTITIES else (", lane", f", {lane}")


def _grouped(kept: _Kept) -> str:
    copies = ", coalesce(sum(copy), 0)" if "copies" in kept.sums else ""
    return f"{_BY_DAY}, count(*){copies} FROM ({kept.counted}) c GROUP BY {kept.keys}"


def _add(kept: _Kept) -> str:
    sums = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in kept.sums.split(", "))
    return f"ON CONFLICT ({kept.keys}{_lane(kept, '')[0]}) DO UPDATE SET {_ADDED}, {sums}"


def _fill(kept: _Kept) -> str:
    column, lane = _lane(kept, "pg_backend_pid()")
    return f"""
        INSERT INTO {kept.table} AS t ({kept.keys}{column}, {_COLUMNS}, {kept.sums})
        SELECT {kept.keys}{lane}, {_grouped(kept)} ORDER BY {kept.keys}
        {_add(kept)}
    """


def _fold(kept: _Kept) -> str:
    return f"""
        WITH taken AS (
            DELETE FROM {kept.table} WHERE ({kept.keys}, lane) IN (
                SELECT {kept.keys}, lane FROM {kept.table} WHERE lane <> 0
                FOR UPDATE SKIP LOCKED)
            RETURNING *
        )
        INSERT INTO {kept.table} AS t ({kept.keys}, lane, {_COLUMNS}, {kept.sums})
        SELECT {kept.keys}, 0, {_SUMS}, sum(articles), sum(copies)
        FROM taken GROUP BY {kept.keys} ORDER BY {kept.keys}
        {_add(kept)}
    """


def _compare(kept: _Kept) -> str:
    sums = [f"sum({name})" for name in kept.sums.split(", ")]
    return f"""
        SELECT concat_ws(' ', {kept.keys}), coalesce(k.counts::text, 'nothing'),
            coalesce(c.counts::text, 'nothing')
        FROM (SELECT {kept.keys}, ARRAY[{_SUMS}, {", ".join(sums)}]::bigint[] AS counts
            FROM {kept.table} GROUP BY {kept.keys}
            HAVING ARRAY[{_SUMS}, {", ".join(sums)}]::bigint[] <> array_fill(0::bigint, ARRAY[
                {len(DAYS) + len(sums)}])) k
        FULL JOIN (SELECT {kept.keys}, ARRAY[{_grouped(kept).partition(" FROM ")[0]}]::bigint[]
                AS counts FROM ({kept.counted}) c GROUP BY {kept.keys}) c USING ({kept.keys})
        WHERE k.counts IS DISTINCT FROM c.counts
        ORDER BY 1 LIMIT 100
    """
