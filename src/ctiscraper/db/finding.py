"""Finding the newest articles that match: by an index where few can match, else by date."""

import time
from dataclasses import dataclass
from typing import TypeAlias

from psycopg import sql

from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.db.paging import Position
from ctiscraper.db.session import Conn
from ctiscraper.db.wanted import Driver, Sql, Wanted

# So few that nothing can be cheaper than to look at all of them.
FEW = 1_000
# Of phrases each candidate is verified in its text.
PHRASES_MOST = 5_000
WINDOWS = (200, 1_000, 2_000)
"""Of how many articles the steps of a walk are; all further steps are like the last."""
WALK_SECONDS = 0.3
"""How long a walk goes on before it gives what it has."""
SPARE_SECONDS = 0.05
"""How long it goes on for more than are needed."""

AND = sql.SQL(" AND ")
_TRUE = sql.SQL("true")
_ARTICLES = sql.SQL("article a")
# Counting is left out where the server's statistics say that there are so many times more.
_SURELY = 2
# The bitmap of a common word stays exact: an inexact one would be verified in every text. To
# compile a statement, or to start processes for it, takes longer than it does.
_SET_UP = (
    "SET LOCAL work_mem = '32MB'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off; "
    "SET LOCAL max_parallel_workers_per_gather = 0"
)
_BY_BITMAP = "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on"
# In a walk each article is looked up by itself: all that name a thing may be many more.
_BY_INDEX = (
    "SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = off; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)
_EITHER = "SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on"

OLDER = (
    sql.SQL("(a.sort_at, a.id) < (%(at)s, %(id)s)"),
    sql.SQL("a.sort_at DESC, a.id DESC"),
)
NEWER = (
    sql.SQL("(a.sort_at, a.id) > (%(at)s, %(id)s)"),
    sql.SQL("a.sort_at, a.id"),
)
Way: TypeAlias = tuple[sql.SQL, sql.SQL]
"""What lies beyond a place in a list, and the list's order."""
Path: TypeAlias = tuple[Way, Sql]
"""Which way a walk goes, and over which articles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The numbers of articles in list order.

    `count` is how many match in all, at most `FOUND_MOST`, None where that was not counted.
    `stopped` is where a walk ran out of its time: what lies beyond was not looked at.
    """

    ids: list[int]
    count: int | None
    stopped: Position | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How many matches are wanted at most, and how many are enough where more cost time."""

    most: int
    enough: int


async def find(
    conn: Conn, wanted: Wanted, after: Position | None, size: Size, *, way: Way = OLDER
) -> Found:
    """Return the first matches from a place on."""
    if wanted.nothing:
        return Found(ids=[], count=0)
    await conn.execute(_SET_UP)
    driver = await _choose(conn, wanted)
    if driver is None:
        return await _walk(conn, wanted, after, size, (way, _ARTICLES))
    if wanted.texts and (driver.articles or 0) > FEW:
        # To look into the text of each costs more than to find which there are.
        return await _walk(conn, wanted, after, size, (way, _source(driver)))
    values = {**wanted.values, "cap": FOUND_MOST + 1, "limit": size.most}
    place = _TRUE if after is None else way[0]
    if after is not None:
        values |= {"at": after.at, "id": after.id}
    statement = _EXACT.format(
        source=_source(driver), conditions=AND.join(wanted.conditions), place=place, order=way[1]
    )
    await conn.execute(_BY_BITMAP if driver.condition is not None else _EITHER)
    cursor = await conn.execute(statement, values, prepare=False)
    row = await cursor.fetchone()
    assert row is not None, "a query without FROM has one row"
    return Found(ids=list(row[1]), count=min(int(row[0]), FOUND_MOST))


_EXACT = sql.SQL(
    """
    WITH a AS MATERIALIZED (SELECT a.id, a.sort_at FROM {source} WHERE {conditions})
    SELECT (SELECT count(*) FROM a),
        ARRAY(SELECT a.id FROM a WHERE {place} ORDER BY {order} LIMIT %(limit)s)
    """
)


def _source(driver: Driver) -> Sql:
    if driver.listed is None:
        return _ARTICLES
    return sql.SQL("(SELECT DISTINCT l.id FROM ({}) l) c JOIN article a ON a.id = c.id").format(
        driver.listed
    )


async def _choose(conn: Conn, wanted: Wanted) -> Driver | None:
    """Return what to begin with, None where so many may match that a walk meets them soon."""
    known = sorted(
        (one for one in wanted.drivers if one.articles is not None),
        key=lambda one: one.articles or 0,
    )
    if known and (known[0].articles or 0) <= FEW:
        return known[0]
    for driver in wanted.drivers:
        if driver.articles is None:
            most = PHRASES_MOST if driver.verified else FOUND_MOST
            if await _is_within(conn, driver, wanted, most):
                return driver
    return known[0] if known and (known[0].articles or 0) <= FOUND_MOST else None


async def _is_within(conn: Conn, driver: Driver, wanted: Wanted, most: int) -> bool:
    """Whether a driver gives so many articles at most."""
    if driver.condition is not None:
        statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM article a WHERE {}")
        cursor = await conn.execute(
            statement.format(driver.condition), wanted.values, prepare=False
        )
        row = await cursor.fetchone()
        assert row is not None, "a plan is one row"
        if row[0][0]["Plan"]["Plan Rows"] > most * _SURELY:
            return False
    return await _count(conn, driver, wanted, most) <= most


async def _count(conn: Conn, driver: Driver, wanted: Wanted, most: int) -> int:
    """How many articles a driver gives, at most one over so many."""
    if driver.condition is not None:
        listed: Sql = sql.SQL("SELECT 1 FROM article a WHERE {}").format(driver.condition)
        await conn.execute(_BY_BITMAP)
    else:
        assert driver.listed is not None, "a driver is a condition or a list"
        listed = driver.listed
        await conn.execute(_EITHER)
    statement = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM ({}) l LIMIT %(cap)s) c").format(
        listed
    )
    cursor = await conn.execute(statement, {**wanted.values, "cap": most + 1}, prepare=False)
    row = await cursor.fetchone()
    assert row is not None, "a count is one row"
    return int(row[0])


_STEP = sql.SQL(
    """
    WITH w AS MATERIALIZED (
        SELECT a.id, a.sort_at, a.search, a.tags, a.method, a.source_id, a.tier, a.language,
            a.duplicate_of
        FROM {source} WHERE {walked} ORDER BY {order} LIMIT %(window)s
    )
    SELECT (SELECT count(*) FROM w),
        ARRAY(SELECT a.id FROM w a WHERE {filters} ORDER BY {order} LIMIT %(limit)s),
        l.sort_at, l.id
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (SELECT a.sort_at, a.id FROM w a ORDER BY {backwards} LIMIT 1) l ON true
    """
)


async def _walk(
    conn: Conn, wanted: Wanted, after: Position | None, size: Size, path: Path
) -> Found:
    """Look at article by article in list order, in steps, until there are enough or time is up."""
    begun = time.monotonic()
    ids: list[int] = []
    step = 0
    from_start = after is None
    await conn.execute(_BY_INDEX)
    while True:
        window = WINDOWS[min(step, len(WINDOWS) - 1)]
        seen, found, last = await _step(conn, wanted, after, (window, size.most - len(ids)), path)
        ids += found
        step += 1
        if len(ids) >= size.most:
            return Found(ids=ids, count=_all_of(wanted))
        if seen < window or last is None:
            return Found(ids=ids, count=len(ids) if from_start else _all_of(wanted))
        after = last
        allowed = SPARE_SECONDS if len(ids) >= size.enough else WALK_SECONDS
        if time.monotonic() - begun > allowed:
            return Found(ids=ids, count=_all_of(wanted), stopped=after)


async def _step(
    conn: Conn, wanted: Wanted, after: Position | None, sizes: tuple[int, int], path: Path
) -> tuple[int, list[int], Position | None]:
    way, source = path
    walked = wanted.walked if after is None else [*wanted.walked, way[0]]
    statement = _STEP.format(
        source=source,
        walked=AND.join(walked) if walked else _TRUE,
        filters=AND.join(wanted.filters) if wanted.filters else _TRUE,
        order=way[1],
        backwards=(NEWER if way is OLDER else OLDER)[1],
    )
    values = {**wanted.values, "window": sizes[0], "limit": sizes[1]}
    if after is not None:
        values |= {"at": after.at, "id": after.id}
    cursor = await conn.execute(statement, values, prepare=False)
    row = await cursor.fetchone()
    assert row is not None, "the last of a window is joined to one row"
    last = None if row[2] is None else Position(row[2], int(row[3]))
    return int(row[0]), list(row[1]), last


def _all_of(wanted: Wanted) -> int | None:
    """How many match where a driver had more than are counted and nothing else narrows it."""
    only = len(wanted.filters) == 1 and len(wanted.drivers) == 1
    return FOUND_MOST if only and len(wanted.walked) <= 1 else None
