"""Finding the newest articles that match: by an index where few can match, else by date."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from psycopg import sql
from psycopg.rows import TupleRow

from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.db.paging import Position
from ctiscraper.db.session import Conn
from ctiscraper.db.wanted import Driver, Sql, Wanted

# So few that nothing can be cheaper than to look at all of them.
FEW = 1_000
FIRST_WINDOW, LEAST_WINDOW, MOST_WINDOW = 200, 100, 2_000
"""Of how many articles the first step of a walk is, and between what the further ones are."""
STEP_SECONDS = 0.08
"""How long a step may take, as the one before it tells: no statement comes near its end."""
WALK_SECONDS = 0.3
"""How long a search goes on before it gives what it has."""
SPARE_SECONDS = 0.02
"""How long it goes on for more than are needed."""
_GROWTH = 5
"""How much larger a step may be than the one before: what comes next may not be in memory."""
_MARGIN = 2
"""How many times more are looked at than should hold what is missing."""
_SPARE_WINDOW = 250
"""How large a step may be that looks for more than are needed: nobody waits long for those."""

AND = sql.SQL(" AND ")
_TRUE = sql.SQL("true")
_ARTICLES = sql.SQL("article a")
# Counting is left out where the server's statistics say that there are so many times more.
_SURELY = 1.3
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
    finding = _Finding(conn, wanted, after, size, way)
    for driver in _promising(wanted):
        found = await finding.by(driver)
        if found is not None:
            return found
    return await finding.walk(_rarest_named(wanted))


def _known(wanted: Wanted) -> list[Driver]:
    """Return what gives a known number of articles, the fewest first."""
    known = (one for one in wanted.drivers if one.articles is not None)
    return sorted(known, key=lambda one: one.articles or 0)


def _rarest_named(wanted: Wanted) -> Driver | None:
    return next((one for one in _known(wanted) if one.things is not None), None)


def _promising(wanted: Wanted) -> Iterator[Driver]:
    """Yield what a search may begin with, the surest first."""
    known = _known(wanted)
    few = [one for one in known[:1] if (one.articles or 0) <= FEW]
    yield from few
    for one in wanted.drivers:
        if one.articles is None and one.at_least <= FOUND_MOST:
            yield one
    # Those that name a thing are in list order already: not all of them have to be looked at.
    if _rarest_named(wanted) is None:
        yield from (one for one in known[len(few) : 1] if (one.articles or 0) <= FOUND_MOST)


_COLUMNS = sql.SQL(
    "a.id, a.sort_at, a.search, a.tags, a.method, a.source_id, a.tier, a.language, a.duplicate_of"
)
# All that a driver gives, unless that is too much; what of it matches without a look into texts.
_CANDIDATES = sql.SQL(
    """
    WITH c AS MATERIALIZED (SELECT {columns} FROM {source} WHERE {driver} LIMIT %(cap)s),
    m AS MATERIALIZED (
        SELECT a.id, a.sort_at FROM c a
        WHERE (SELECT count(*) FROM c) < %(cap)s AND {conditions})
    SELECT (SELECT count(*) FROM c), (SELECT count(*) FROM m),
        ARRAY(SELECT a.id FROM m a WHERE {place} ORDER BY {order} LIMIT %(limit)s)
    """
)
_OF_THESE = sql.SQL(
    """
    SELECT ARRAY(SELECT a.id FROM article a WHERE a.id = ANY(%(ids)s) AND {texts}
        ORDER BY {order} LIMIT %(limit)s)
    """
)
_STEP = sql.SQL(
    """
    WITH w AS MATERIALIZED (
        SELECT {columns} FROM article a WHERE {walked} AND {beyond}
        ORDER BY {order} LIMIT %(window)s
    )
    SELECT (SELECT count(*) FROM w),
        ARRAY(SELECT a.id FROM w a WHERE {filters} ORDER BY {order} LIMIT %(limit)s),
        l.sort_at, l.id
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (SELECT a.sort_at, a.id FROM w a ORDER BY {backwards} LIMIT 1) l ON true
    """
)


# The same along the articles that name any of some things.
_STEP_ALONG = sql.SQL(
    """
    WITH n AS MATERIALIZED (
        SELECT DISTINCT a.id, a.sort_at FROM unnest({things}) e CROSS JOIN LATERAL (
            SELECT a.id, a.sort_at FROM (
                SELECT m.article_id AS id, m.seen_at AS sort_at FROM mention m
                WHERE m.entity_id = e) a
            WHERE {beyond} ORDER BY {order} LIMIT %(window)s) a
        ORDER BY {order} LIMIT %(window)s
    ), w AS MATERIALIZED (
        SELECT {columns} FROM n JOIN article a ON a.id = n.id WHERE {walked}
    )
    SELECT (SELECT count(*) FROM n),
        ARRAY(SELECT a.id FROM w a WHERE {filters} ORDER BY {order} LIMIT %(limit)s),
        l.sort_at, l.id
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (SELECT a.sort_at, a.id FROM n a ORDER BY {backwards} LIMIT 1) l ON true
    """
)


@dataclass(slots=True)
class _Pace:
    """How many articles a step looks at: as many as the last one's speed gives its time for."""

    window: int
    begun: float = field(default_factory=time.monotonic)
    _step: float = 0.0

    def begin(self) -> None:
        """Begin a step."""
        self._step = time.monotonic()

    def end(self, looked_at: int, found: int, missing: int) -> None:
        """Note how many articles a step looked at and found, and how many are missing still."""
        now = time.monotonic()
        whole = WALK_SECONDS if missing > 0 else SPARE_SECONDS
        left = max(0.0, whole - (now - self.begun))
        share = min(STEP_SECONDS, left) / max(now - self._step, 1e-4)
        window = int(looked_at * min(share, _GROWTH))
        if missing <= 0:
            window = min(window, _SPARE_WINDOW)
        elif found:
            window = min(window, _MARGIN * missing * looked_at // found)
        self.window = max(LEAST_WINDOW, min(MOST_WINDOW, window))

    def is_over(self, *, enough: bool) -> bool:
        """Return whether no further step is begun."""
        return time.monotonic() - self.begun > (SPARE_SECONDS if enough else WALK_SECONDS)


@dataclass(slots=True)
class _Finding:
    conn: Conn
    wanted: Wanted
    after: Position | None
    size: Size
    way: Way
    pace: _Pace = field(default_factory=lambda: _Pace(FIRST_WINDOW))

    async def by(self, driver: Driver) -> Found | None:
        """Return what is found among all that a driver gives, None where that is too much."""
        for condition in driver.estimated:
            if await estimated(self.conn, condition, self.wanted.values) > FOUND_MOST * _SURELY:
                return None
        texts = [one for one in self.wanted.texts if one != driver.answers]
        given, matching, ids = await self._candidates(driver, texts)
        if given > FOUND_MOST:
            return None
        if not texts:
            return Found(ids=ids, count=matching)
        return await self._among(ids, texts)

    async def _candidates(self, driver: Driver, texts: list[Sql]) -> tuple[int, int, list[int]]:
        """Return how many a driver gives and how many of them may match, with these in order."""
        unread = [*texts, driver.answers]
        conditions = [one for one in self.wanted.conditions if one not in unread]
        statement = _CANDIDATES.format(
            columns=_COLUMNS,
            source=_source(driver),
            driver=_TRUE if driver.condition is None else driver.condition,
            conditions=AND.join(conditions) if conditions else _TRUE,
            place=self._beyond(self.after),
            order=self.way[1],
        )
        await self.conn.execute(_EITHER if driver.condition is None else _BY_BITMAP)
        cap, limit = FOUND_MOST + 1, FOUND_MOST if texts else self.size.most
        row = await self._row(statement, {"cap": cap, "limit": limit, **_at(self.after)})
        return int(row[0]), min(int(row[1]), FOUND_MOST), list(row[2])

    async def _among(self, candidates: list[int], texts: list[Sql]) -> Found:
        """Look into the texts of candidates, the first ones first, until there are enough."""
        await self.conn.execute(_BY_INDEX)
        statement = _OF_THESE.format(texts=AND.join(texts), order=self.way[1])
        ids: list[int] = []
        done = 0
        while done < len(candidates):
            these = candidates[done : done + self.pace.window]
            self.pace.begin()
            row = await self._row(statement, {"ids": these, "limit": len(these)})
            ids += row[0]
            self.pace.end(len(these), len(row[0]), self.size.enough - len(ids))
            done += len(these)
            if self.pace.is_over(enough=len(ids) >= self.size.enough):
                break
        if done >= len(candidates):
            count = len(ids) if self.after is None else None
            return Found(ids=ids[: self.size.most], count=count)
        if len(ids) >= self.size.most:
            return Found(ids=ids[: self.size.most], count=None)
        return Found(ids=ids, count=None, stopped=await self._place_of(candidates[done - 1]))

    async def _place_of(self, number: int) -> Position:
        row = await self._row(
            sql.SQL("SELECT sort_at, id FROM article WHERE id = %(number)s"), {"number": number}
        )
        return Position(row[0], int(row[1]))

    async def walk(self, along: Driver | None = None) -> Found:
        """Look at article by article in list order, in steps, until there are enough.

        They are all there are, or those that name a thing.
        """
        ids: list[int] = []
        many = _all_of(self.wanted) if along is None else _all_along(self.wanted, along)
        after = self.after
        await self.conn.execute(_BY_INDEX)
        while True:
            window = self.pace.window
            self.pace.begin()
            seen, found, last = await self._step(along, after, self.size.most - len(ids))
            ids += found
            self.pace.end(seen, len(found), self.size.enough - len(ids))
            if len(ids) >= self.size.most:
                return Found(ids=ids, count=many)
            if seen < window or last is None:
                count = len(ids) if self.after is None else many
                return Found(ids=ids, count=count)
            after = last
            if self.pace.is_over(enough=len(ids) >= self.size.enough):
                return Found(ids=ids, count=many, stopped=after)

    async def _step(
        self, along: Driver | None, after: Position | None, limit: int
    ) -> tuple[int, list[int], Position | None]:
        wanted = self.wanted
        filters = [one for one in wanted.filters if along is None or one != along.answers]
        statement = (_STEP if along is None else _STEP_ALONG).format(
            columns=_COLUMNS,
            things=along.things if along is not None else None,
            walked=AND.join(wanted.walked) if wanted.walked else _TRUE,
            beyond=self._beyond(after),
            filters=AND.join(filters) if filters else _TRUE,
            order=self.way[1],
            backwards=(NEWER if self.way is OLDER else OLDER)[1],
        )
        values = {"window": self.pace.window, "limit": limit, **_at(after)}
        row = await self._row(statement, values)
        last = None if row[2] is None else Position(row[2], int(row[3]))
        return int(row[0]), list(row[1]), last

    def _beyond(self, after: Position | None) -> Sql:
        return _TRUE if after is None else self.way[0]

    async def _row(self, statement: Sql, values: dict[str, object]) -> TupleRow:
        cursor = await self.conn.execute(statement, {**self.wanted.values, **values}, prepare=False)
        row = await cursor.fetchone()
        assert row is not None, "each of these has one row"
        return row


def _at(after: Position | None) -> dict[str, object]:
    return {} if after is None else {"at": after.at, "id": after.id}


def _source(driver: Driver) -> Sql:
    if driver.listed is None:
        return _ARTICLES
    return sql.SQL(
        "(SELECT DISTINCT l.id FROM ({}) l LIMIT %(cap)s) d JOIN article a ON a.id = d.id"
    ).format(driver.listed)


async def estimated(conn: Conn, condition: Sql, values: Mapping[str, object]) -> float:
    """Return how many articles meet a condition as the server's statistics know it."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM article a WHERE {}").format(condition)
    cursor = await conn.execute(statement, values, prepare=False)
    row = await cursor.fetchone()
    assert row is not None, "a plan is one row"
    return float(row[0][0]["Plan"]["Plan Rows"])


def _all_along(wanted: Wanted, along: Driver) -> int | None:
    """How many match of those that name a thing, where they surely are more than are counted."""
    # Near-duplicates name it as well, and are left out: there may be as many of them again.
    if len(wanted.filters) > 1 or len(wanted.walked) > 1:
        return None
    return FOUND_MOST if (along.articles or 0) > FOUND_MOST * 2 else None


def _all_of(wanted: Wanted) -> int | None:
    """How many match where a driver had more than are counted and nothing else narrows it."""
    if len(wanted.filters) != 1 or len(wanted.drivers) != 1 or len(wanted.walked) > 1:
        return None
    [driver], [filtered] = wanted.drivers, wanted.filters
    # What is looked for in texts may be found in few of those that the index gives.
    return FOUND_MOST if driver.answers == filtered or filtered not in wanted.texts else None
