"""What a morning asks of the database, from counts by week and from a few rows along indexes."""

from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql

from ctiscraper.dashboard_views import (
    DayVolume,
    FailingSource,
    SilentSource,
    SourceVolume,
    TechniqueHeat,
    WatchedArticle,
    WatchedBy,
)
from ctiscraper.db.article_filters import articles_by_ids
from ctiscraper.db.rollups import DAYS
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.weeks import Days, counted_since, days_now, monday
from ctiscraper.story_views import EntityRef
from ctiscraper.types import Health, Tier
from ctiscraper.views import SourceRef

MONTH = 30
SHOWN = 10
SOURCES_SHOWN = 20
_WATCHED_DAYS = 7
# In so many days a source shows how long it is silent at times.
_RHYTHM_DAYS = 63
# Whoever published less has no rhythm; whoever should have published less by now may yet.
_RHYTHM_LEAST, _MISSED_LEAST = 4, 3

_VOLUMES = sql.SQL(
    "SELECT w.week, w.tier, {} FROM tier_week w WHERE w.week >= %(from)s GROUP BY w.week, w.tier"
).format(
    sql.SQL(", ").join(sql.SQL("sum(w.{})::integer").format(sql.Identifier(day)) for day in DAYS)
)
_SOURCES = sql.SQL(
    """
    SELECT s.key, s.name, v.articles, v.two - v.articles
    FROM (SELECT w.source_id, sum({month})::integer AS articles, sum({two})::integer AS two
        FROM source_week w WHERE w.week >= %(from)s GROUP BY w.source_id) v
    JOIN source s ON s.id = v.source_id
    WHERE v.two > 0 ORDER BY v.articles DESC, s.key LIMIT %(shown)s
    """
).format(month=counted_since("month"), two=counted_since("two"))
_TECHNIQUES = sql.SQL(
    """
    SELECT e.id, e.value, e.name, e.articles, v.articles, v.two - v.articles
    FROM (SELECT w.entity_id, sum({month})::integer AS articles, sum({two})::integer AS two
        FROM entity_week w WHERE w.kind = 'technique' AND w.week >= %(from)s
        GROUP BY w.entity_id) v
    JOIN entity e ON e.id = v.entity_id
    WHERE v.two > 0 ORDER BY v.articles DESC, e.value
    """
).format(month=counted_since("month"), two=counted_since("two"))

# Few have been silent for two days and could miss so many in the weeks since they published: only
# the days of these are looked at one by one.
_SILENT = sql.SQL(
    """
    WITH lately AS (
        SELECT w.source_id FROM source_week w WHERE w.week >= %(from)s AND w.articles > 0
        GROUP BY w.source_id
        HAVING sum({since}) = 0 AND sum(w.articles) >= %(least)s
            AND sum(w.articles) * (%(today)s::date - max(w.week))
                >= %(missed)s * (max(w.week) - %(from)s::date + 1)
    ),
    days AS (
        SELECT w.source_id, w.week + d.n::integer - 1 AS day, sum(d.articles) AS articles
        FROM lately l JOIN source_week w ON w.source_id = l.source_id AND w.week >= %(from)s
        CROSS JOIN LATERAL unnest(ARRAY[{days}]) WITH ORDINALITY AS d (articles, n)
        GROUP BY 1, 2 HAVING sum(d.articles) > 0
    ),
    pauses AS (
        SELECT source_id, day, articles,
            day - lag(day) OVER (PARTITION BY source_id ORDER BY day) AS pause
        FROM days
    ),
    rhythm AS (
        SELECT source_id, max(day) AS last, coalesce(max(pause), 1) AS longest,
            sum(articles) / (max(day) - %(from)s::date + 1.0) AS a_day
        FROM pauses GROUP BY source_id
    )
    SELECT s.key, s.name, r.last, %(today)s::date - r.last, r.longest, (r.a_day * 7)::float8
    FROM rhythm r JOIN source s ON s.id = r.source_id JOIN source_state t ON t.source_id = s.id
    WHERE s.removed_at IS NULL AND s.active AND t.health = 'ok'
        AND %(today)s::date - r.last > r.longest
        AND r.a_day * (%(today)s::date - r.last) >= %(missed)s
    ORDER BY r.a_day * (%(today)s::date - r.last) DESC, s.key LIMIT %(shown)s
    """
).format(
    since=counted_since("yesterday"),
    days=sql.SQL(", ").join(sql.SQL("w.{}").format(sql.Identifier(day)) for day in DAYS),
)
_FAILING = """
    SELECT s.key, s.name, t.health, t.reason, t.detail, t.failures, t.last_success_at,
        count(*) OVER ()
    FROM source_state t JOIN source s ON s.id = t.source_id
    WHERE s.removed_at IS NULL AND s.active AND t.health IN ('failing', 'blocked', 'gone')
    ORDER BY array_position('{premium,standard,basic}'::text[], s.tier), t.last_success_at, s.key
    LIMIT %(shown)s
"""
# The best of every day along its index, as far as the first few that are watched: how much was
# matched of older articles changes nothing. With OFFSET each score is held against the matches by
# itself, and they are never read as a whole.
_WATCHED = """
    WITH best AS (
        SELECT b.article_id, b.score
        FROM generate_series(0, %(days)s) AS ago CROSS JOIN LATERAL (
            SELECT r.article_id, r.score
            FROM article_score r JOIN article a ON a.id = r.article_id
            WHERE r.day = (now() AT TIME ZONE 'UTC')::date - ago
                AND (ago < %(days)s OR r.listed_at > now() - make_interval(days => %(days)s))
                AND EXISTS (SELECT 1 FROM watch_hit h JOIN watchlist_entry w ON w.id = h.entry_id
                    WHERE h.article_id = r.article_id AND w.removed_at IS NULL OFFSET 0)
                AND a.duplicate_of IS NULL
            ORDER BY r.score DESC, r.article_id DESC LIMIT %(shown)s) b
        ORDER BY b.score DESC, b.article_id DESC LIMIT %(shown)s
    )
    SELECT b.article_id, w.id, w.kind, w.term
    FROM best b JOIN watch_hit h ON h.article_id = b.article_id
    JOIN watchlist_entry w ON w.id = h.entry_id
    WHERE w.removed_at IS NULL ORDER BY b.score DESC, b.article_id DESC, w.weight DESC, w.id
"""
_STATE = """
    SELECT filled >= last, (SELECT count(*) FROM watchlist_entry WHERE removed_at IS NULL)
    FROM rollup_fill
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What the database says of a morning but for trends; `techniques` are not by tactic yet."""

    is_filled: bool
    watch_entries: int
    watched: tuple[WatchedArticle, ...]
    failing_count: int
    failing: tuple[FailingSource, ...]
    silent: tuple[SilentSource, ...]
    volumes: tuple[DayVolume, ...]
    sources: tuple[SourceVolume, ...]
    techniques: tuple[TechniqueHeat, ...]


class DashboardBoard:
    """What is read for the dashboard."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def morning(self) -> Morning:
        """Return all of it, as one moment has it."""
        async with self._database.transaction() as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            days = await days_now(conn)
            row = await (await conn.execute(_STATE)).fetchone()
            assert row is not None, "the migration made it"
            failing_count, failing = await _failing(conn)
            return Morning(
                is_filled=row[0],
                watch_entries=row[1],
                watched=await _watched(conn) if row[1] else (),
                failing_count=failing_count,
                failing=failing,
                silent=await _silent(conn, days),
                volumes=await _volumes(conn, days),
                sources=await _sources(conn, days),
                techniques=await _techniques(conn, days),
            )


async def _watched(conn: Conn) -> tuple[WatchedArticle, ...]:
    values = {"days": _WATCHED_DAYS, "shown": SHOWN}
    cursor = await conn.execute(_WATCHED, values, prepare=False)
    because: dict[int, list[WatchedBy]] = {}
    for number, entry, kind, term in await cursor.fetchall():
        because.setdefault(number, []).append(WatchedBy(id=entry, kind=kind, term=term))
    articles = await articles_by_ids(conn, list(because))
    return tuple(WatchedArticle(article=one, because=tuple(because[one.id])) for one in articles)


async def _failing(conn: Conn) -> tuple[int, tuple[FailingSource, ...]]:
    cursor = await conn.execute(_FAILING, {"shown": SOURCES_SHOWN})
    rows = await cursor.fetchall()
    failing = tuple(
        FailingSource(
            source=SourceRef(key=row[0], name=row[1]),
            health=Health(row[2]),
            reason=row[3],
            detail=row[4],
            failures=row[5],
            last_success_at=row[6],
        )
        for row in rows
    )
    return (rows[0][7] if rows else 0), failing


async def _silent(conn: Conn, days: Days) -> tuple[SilentSource, ...]:
    values = {
        "from": monday(days.first_of(_RHYTHM_DAYS)),
        "today": days.today,
        "yesterday": days.first_of(2),
        "least": _RHYTHM_LEAST,
        "missed": _MISSED_LEAST,
        "shown": SOURCES_SHOWN,
    }
    cursor = await conn.execute(_SILENT, values, prepare=False)
    return tuple(
        SilentSource(
            source=SourceRef(key=row[0], name=row[1]),
            last_day=row[2],
            quiet_days=row[3],
            longest_days=row[4],
            per_week=round(row[5], 1),
        )
        for row in await cursor.fetchall()
    )


async def _volumes(conn: Conn, days: Days) -> tuple[DayVolume, ...]:
    first = days.first_of(MONTH)
    cursor = await conn.execute(_VOLUMES, {"from": monday(first)}, prepare=False)
    counts: dict[tuple[date, str], int] = {}
    for week, tier, *by_day in await cursor.fetchall():
        for number, articles in enumerate(by_day):
            counts[week + timedelta(days=number), tier] = articles
    every = [first + timedelta(days=number) for number in range(MONTH)]
    return tuple(
        DayVolume(
            day=day,
            premium=counts.get((day, Tier.PREMIUM), 0),
            standard=counts.get((day, Tier.STANDARD), 0),
            basic=counts.get((day, Tier.BASIC), 0),
        )
        for day in every
    )


def _two_months(days: Days) -> dict[str, date]:
    two = days.first_of(2 * MONTH)
    return {"month": days.first_of(MONTH), "two": two, "from": monday(two)}


async def _sources(conn: Conn, days: Days) -> tuple[SourceVolume, ...]:
    values = {**_two_months(days), "shown": SOURCES_SHOWN}
    cursor = await conn.execute(_SOURCES, values, prepare=False)
    return tuple(
        SourceVolume(source=SourceRef(key=row[0], name=row[1]), articles=row[2], before=row[3])
        for row in await cursor.fetchall()
    )


async def _techniques(conn: Conn, days: Days) -> tuple[TechniqueHeat, ...]:
    cursor = await conn.execute(_TECHNIQUES, _two_months(days), prepare=False)
    return tuple(
        TechniqueHeat(
            technique=EntityRef(
                id=row[0], kind="technique", value=row[1], name=row[2], articles=row[3]
            ),
            articles=row[4],
            before=row[5],
        )
        for row in await cursor.fetchall()
    )
