"""Which things more articles name just now than usually do, by the counts of their weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql
from psycopg.rows import TupleRow

from ctiscraper.dashboard_views import Trend, Trends
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.weeks import WEEK, counted_since, days_now, monday
from ctiscraper.story_views import EntityRef

KINDS = (
    "actor", "malware", "ransomware", "tool", "technique", "cve", "vendor", "product", "sector",
    "country",
)  # fmt: skip
"""What has counts by week."""

HOT_KINDS = ("actor", "malware", "ransomware", "tool", "cve", "vendor", "product")
"""Of what the dashboard says that it is hot; techniques have a part of their own."""

DAY, SEVEN_DAYS = 24, 168
"""The windows, in hours."""

BASE_WEEKS = 8
LEAST = 3
"""Of how few articles nothing is said, however new a thing is."""

OUTSTANDING = 3.0
"""From how many standard deviations on a thing stands out."""

# A thing that one source alone speaks of is that source's matter.
_SOURCES = 2
# So many are looked at closely; from where on that is worth it.
_CLOSELY, _ROUGHLY = 40, 2.0

# The difference of two Poisson means by their square roots, which has about the same spread
# whatever the counts are (Anscombe, 1948): n in the window against b before, r being the share of
# articles in the window. Three of nothing are as much as twelve of five.
_SCORE = "2 * (sqrt({n} + 0.375) - sqrt({r} * ({b} + 0.375))) / sqrt(1 + {r})"
_WEEK_SCORE = sql.SQL(_SCORE.format(n="n7", r="%(ratio)s", b="base"))
_TWO_DAYS_SCORE = sql.SQL(_SCORE.format(n="n2", r="(%(ratio)s * 2 / 7)", b="base"))
_FINAL_SCORE = sql.SQL(_SCORE.format(n="x.n", r="c.ratio", b="c.base"))

_VOLUME = sql.SQL(
    """
    SELECT coalesce(sum({since}) FILTER (WHERE w.week >= %(current)s), 0)::bigint,
        coalesce(sum(w.articles) FILTER (WHERE w.week < %(current)s), 0)::bigint
    FROM tier_week w WHERE w.week >= %(base)s
    """
).format(since=counted_since("first"))

_STANDING_OUT = sql.SQL(
    """
    WITH named AS MATERIALIZED (
        SELECT w.kind, w.entity_id, sum({since_week}) AS n7, sum({since_yesterday}) AS n2
        FROM entity_week w WHERE w.week >= %(current)s AND w.kind = ANY(%(kinds)s)
        GROUP BY w.kind, w.entity_id HAVING sum({since_week}) >= %(least)s
    ),
    past AS MATERIALIZED (
        SELECT w.entity_id, sum(w.articles) AS base, max(w.articles) AS best
        FROM entity_week w
        WHERE w.week >= %(base)s AND w.week < %(current)s AND w.kind = ANY(%(kinds)s)
            AND w.entity_id IN (SELECT entity_id FROM named)
        GROUP BY w.entity_id
    ),
    weeks AS (
        SELECT n.entity_id, n.n7, n.n2, coalesce(p.base, 0) AS base, coalesce(p.best, 0) AS best
        FROM named n LEFT JOIN past p ON p.entity_id = n.entity_id
    ),
    chosen AS (
        (SELECT 168 AS hours, entity_id, base, best, %(ratio)s AS ratio FROM weeks
            WHERE n7 >= %(least)s AND {week_score} >= %(roughly)s
            ORDER BY {week_score} DESC, entity_id LIMIT %(closely)s)
        UNION ALL
        (SELECT 24, entity_id, base, best, %(ratio)s / 7 FROM weeks
            WHERE n2 >= %(least)s AND {two_days_score} >= %(roughly)s
            ORDER BY {two_days_score} DESC, entity_id LIMIT %(closely)s)
    ),
    scored AS (
        SELECT c.*, x.n, x.sources, {final} AS score
        FROM chosen c CROSS JOIN LATERAL (
            SELECT count(*) AS n, count(DISTINCT m.source_id) AS sources FROM mention m
            WHERE m.entity_id = c.entity_id AND m.seen_at > now() - make_interval(hours => c.hours)
        ) x
        WHERE c.hours = ANY(%(hours)s)
    )
    SELECT s.hours, e.id, e.kind, e.value, e.name, e.articles, s.n, s.sources,
        (s.ratio * s.base)::float8, s.best, s.score::float8
    FROM scored s JOIN entity e ON e.id = s.entity_id
    WHERE s.n >= %(least)s AND s.sources >= %(sources)s AND s.score >= %(outstanding)s
        AND (s.hours < 168 OR s.n > s.best)
    ORDER BY s.hours, s.score DESC, e.id
    """
).format(
    since_week=counted_since("first"),
    since_yesterday=counted_since("yesterday"),
    week_score=_WEEK_SCORE,
    two_days_score=_TWO_DAYS_SCORE,
    final=_FINAL_SCORE,
)

_WEEKS = """
    SELECT e.id, array_agg(coalesce(w.articles, 0) ORDER BY g.week)
    FROM unnest(%(ids)s::bigint[], %(kinds)s::text[]) AS e (id, kind)
    CROSS JOIN unnest(%(weeks)s::date[]) AS g (week)
    LEFT JOIN entity_week w ON w.week = g.week AND w.kind = e.kind AND w.entity_id = e.id
    GROUP BY e.id
"""


@dataclass(frozen=True, slots=True)
class _Basis:
    """The weeks that are held against each other, and how many articles they have."""

    first: date
    current: date
    articles: int
    before: int

    @property
    def base(self) -> date:
        return self.current - BASE_WEEKS * WEEK

    @property
    def weeks(self) -> list[date]:
        return [self.base + n * WEEK for n in range(BASE_WEEKS)]


class TrendBoard:
    """What stands out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trends(
        self, kinds: Sequence[str], hours: Sequence[int] = (DAY, SEVEN_DAYS), *, limit: int = 10
    ) -> tuple[Trends, ...]:
        """Return what stands out in each of these windows."""
        async with self._database.transaction() as conn:
            return await _trends_of(conn, kinds, hours, limit=limit)


async def _trends_of(
    conn: Conn, kinds: Sequence[str], hours: Sequence[int], *, limit: int
) -> tuple[Trends, ...]:
    """Return what stands out in each of these windows, in the transaction of `conn`."""
    days = await days_now(conn)
    first = days.first_of(7)
    dates = {"first": first, "yesterday": days.first_of(2), "current": monday(first)}
    dates["base"] = dates["current"] - BASE_WEEKS * WEEK
    # Planned for these dates: of years of weeks a few are read.
    row = await (await conn.execute(_VOLUME, dates, prepare=False)).fetchone()
    assert row is not None, "a sum is one row"
    basis = _Basis(first, dates["current"], row[0], row[1])
    rows: list[TupleRow] = []
    if basis.before:
        cursor = await conn.execute(
            _STANDING_OUT,
            {
                **dates,
                "kinds": list(kinds),
                "hours": list(hours),
                "ratio": float(basis.articles) / basis.before,
                "least": LEAST,
                "sources": _SOURCES,
                "outstanding": OUTSTANDING,
                "roughly": _ROUGHLY,
                "closely": max(_CLOSELY, limit),
            },
            prepare=False,
        )
        rows = list(await cursor.fetchall())
    by_hours = {each: [row for row in rows if row[0] == each][:limit] for each in hours}
    weeks = await _weeks_of(conn, basis, [row for found in by_hours.values() for row in found])
    return tuple(
        Trends(
            hours=each,
            kinds=tuple(kinds),
            articles=basis.articles,
            articles_before=basis.before,
            trends=tuple(_trend(row, weeks) for row in by_hours[each]),
        )
        for each in hours
    )


async def _weeks_of(
    conn: Conn, basis: _Basis, rows: Sequence[TupleRow]
) -> dict[int, tuple[int, ...]]:
    kinds = {row[1]: row[2] for row in rows}
    if not kinds:
        return {}
    values = {"ids": list(kinds), "kinds": list(kinds.values()), "weeks": basis.weeks}
    cursor = await conn.execute(_WEEKS, values, prepare=False)
    return {row[0]: tuple(row[1]) for row in await cursor.fetchall()}


def _trend(row: TupleRow, weeks: dict[int, tuple[int, ...]]) -> Trend:
    return Trend(
        entity=EntityRef(id=row[1], kind=row[2], value=row[3], name=row[4], articles=row[5]),
        articles=row[6],
        sources=row[7],
        usual=round(row[8], 2),
        best_week=row[9],
        weeks=weeks[row[1]],
        score=round(row[10], 2),
    )
