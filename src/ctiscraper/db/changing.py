"""Changes of many articles at once, and the way back: what they were is kept for half an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql
from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Change, Undone

UNDO_FOR = timedelta(minutes=30)
"""How long a change can be undone."""
KEPT = "1 hour"
CHANGED_MOST = 15_000
"""How many articles one change reaches at most."""

# What one owner changes, or the team, is changed by one statement after the other: what was
# before is read and replaced as one. The numbers are any that nothing else here locks by.
_READER_LOCK, _TEAM_LOCK = 1_936_220_001, 1_936_220_002


@dataclass(frozen=True, slots=True)
class Way:
    """How one field of many articles is changed, and back.

    `known` gives the articles of `%(ids)s` that are not so yet, with what they are. `write`
    changes those of `known`; `restore` changes those of `former` back and returns their ids.
    `full` gives those that are not so yet and have no room for it.
    """

    known: str
    write: str
    restore: str
    personal: bool
    full: str = "SELECT WHERE false"


# What is told of a change beside its columns stands in `former`, behind what the articles were:
# how many were full, and those that its undoing restored.
RETURNED = """id, field, value, articles, made_at, undone_at,
    coalesce(jsonb_path_query_first(former, '$[*].full')::integer, 0)"""
_CHANGE = sql.SQL(
    """
    WITH known AS MATERIALIZED ({known}),
    crowded AS (SELECT count(*) AS number FROM ({full}) f),
    written AS ({write})
    INSERT INTO triage_change (owner, field, value, articles, former)
    SELECT %(owner)s, %(field)s, %(value)s, count(*), coalesce(jsonb_agg(to_jsonb(k)), '[]')
        || (SELECT CASE WHEN number > 0 THEN jsonb_build_object('full', number)
            ELSE '[]' END FROM crowded)
    FROM known k
    RETURNING {returned}
    """
)


async def change_many(
    conn: Conn, way: Way, who: Principal, values: dict[str, object], *, capped: bool = False
) -> Change:
    """Return a change that is made: `values` have the ids, and what `way` asks for beside."""
    await lock(conn, who, personal=way.personal)
    await conn.execute(f"DELETE FROM triage_change WHERE made_at < now() - interval '{KEPT}'")  # noqa: S608 - a constant
    cursor = await conn.execute(
        _CHANGE.format(
            known=sql.SQL(way.known),
            full=sql.SQL(way.full),
            write=sql.SQL(way.write),
            returned=sql.SQL(RETURNED),
        ),
        {**values, "owner": who.key, "actor": who.signature, "user": who.user_id},
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate without groups has one row"
    return to_change(row, capped=capped)


async def lock(conn: Conn, who: Principal, *, personal: bool) -> None:
    """Wait until nobody else changes what this one is about to."""
    place = (_READER_LOCK, (who.user_id or 0) % 2**31) if personal else (_TEAM_LOCK, 0)
    await conn.execute("SELECT pg_advisory_xact_lock(%s::integer, %s::integer)", place)


async def open_change(conn: Conn, who: Principal, number: int, *, fields: Sequence[str]) -> Change:
    """Return a change of these fields that this one may undo now.

    Raises NotFoundError and ConflictError.
    """
    cursor = await conn.execute(
        f"SELECT {RETURNED}, now() FROM triage_change WHERE id = %s AND owner = %s FOR UPDATE",  # noqa: S608 - a constant
        (number, who.key),
    )
    row = await cursor.fetchone()
    if row is None or row[1] not in fields:
        raise NotFoundError("there is no change of yours with this number that can be undone")
    change = to_change(row)
    if change.undone_at is not None:
        raise ConflictError("this change was undone before")
    if row[-1] >= change.undo_until:
        raise ConflictError("a change can be undone for half an hour, and this one is older")
    return change


async def undo_many(conn: Conn, way: Way, who: Principal, change: Change) -> Undone:
    """Return what became of a change that is undone."""
    cursor = await conn.execute(
        way.restore,
        {"change": change.id, "value": change.value, "user": who.user_id, "actor": who.signature},
    )
    articles = tuple(row[0] for row in await cursor.fetchall())
    return await closed(conn, change, articles)


async def closed(conn: Conn, change: Change, articles: tuple[int, ...]) -> Undone:
    """Return a change as undone, which it can be once."""
    cursor = await conn.execute(
        f"""
        UPDATE triage_change SET undone_at = now(),
            former = former || jsonb_build_object('restored', %s::bigint[])
        WHERE id = %s RETURNING {RETURNED}
        """,  # noqa: S608 - a constant
        (list(articles), change.id),
    )
    row = await cursor.fetchone()
    assert row is not None, "it is locked"
    return _undone(to_change(row), articles)


def _undone(change: Change, articles: tuple[int, ...]) -> Undone:
    return Undone(
        change=change,
        restored=len(articles),
        left=change.articles - len(articles),
        articles=articles,
    )


def to_change(row: TupleRow, *, capped: bool = False) -> Change:
    """Return the change of a row of `RETURNED`."""
    number, field, value, articles, made_at, undone_at, full = row[:7]
    return Change(
        id=number,
        field=field,
        value=value,
        articles=articles,
        made_at=made_at,
        undo_until=made_at + UNDO_FOR,
        undone_at=undone_at,
        capped=capped,
        full=full,
    )


class Changes:
    """The changes that can still be looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, who: Principal, number: int) -> Change | None:
        """Return a change of this one, None when it is nobody's or long gone."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"SELECT {RETURNED} FROM triage_change WHERE id = %s AND owner = %s",  # noqa: S608 - a constant
                (number, who.key),
            )
            row = await cursor.fetchone()
        return None if row is None else to_change(row)

    async def undone(self, who: Principal, number: int) -> Undone | None:
        """Return what became of a change of this one that was undone, None when none was."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT {RETURNED}, jsonb_path_query_first(former, '$[*].restored')
                FROM triage_change WHERE id = %s AND owner = %s AND undone_at IS NOT NULL
                """,  # noqa: S608 - a constant
                (number, who.key),
            )
            row = await cursor.fetchone()
        return None if row is None or row[-1] is None else _undone(to_change(row), tuple(row[-1]))
