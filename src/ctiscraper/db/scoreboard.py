"""How sources compare over a period: who is first, who adds what no other has, who repeats."""

from datetime import datetime, timedelta

from ctiscraper.db.checks import TELLS_NOTHING
from ctiscraper.db.session import Database
from ctiscraper.errors import QueryError
from ctiscraper.story_views import Scoreboard, SourceScore
from ctiscraper.views import SourceRef

DEFAULT_DAYS = 30
# With a million articles this is what a second is enough for.
MOST_DAYS = 92

_UNKNOWN = (None, None)
_NONE = (0, 0)

# Each part is read along its own index over the period alone.
SCORES = """
WITH period AS MATERIALIZED (
    SELECT a.id, a.source_id, a.duplicate_of FROM source s CROSS JOIN LATERAL (
        SELECT id, source_id, duplicate_of FROM article
        WHERE source_id = s.id AND sort_at >= %(since)s AND sort_at < %(until)s) a),
named AS (
    SELECT p.source_id, count(*) AS entities,
        count(*) FILTER (WHERE m.verdict IN ('malicious', 'suspicious')) AS flagged
    FROM period p JOIN mention m ON m.article_id = p.id GROUP BY p.source_id),
alone AS (
    SELECT n.source_id, count(*) AS found
    FROM entity_source n JOIN entity e ON e.id = n.entity_id
    WHERE n.first_seen >= %(since)s AND n.first_seen < %(until)s AND e.sources = 1
    GROUP BY n.source_id),
told AS MATERIALIZED (
    SELECT x.story_id, a.source_id, min(a.sort_at) AS at
    FROM story t JOIN story_article x ON x.story_id = t.id JOIN article a ON a.id = x.article_id
    WHERE t.articles > 1 AND t.last_at >= %(since)s AND t.first_at >= %(since)s
        AND t.first_at < %(until)s
    GROUP BY x.story_id, a.source_id),
ranked AS (
    SELECT story_id, source_id, at, row_number() OVER w AS place,
        lead(at) OVER w AS next_at
    FROM told WINDOW w AS (PARTITION BY story_id ORDER BY at, source_id)),
stories AS (
    SELECT source_id, count(*) AS told,
        count(*) FILTER (WHERE place = 1 AND next_at IS NOT NULL) AS first,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM next_at - at)::float8)
            FILTER (WHERE place = 1 AND next_at IS NOT NULL) / 3600 AS lead_hours
    FROM ranked GROUP BY source_id),
counted AS (
    SELECT source_id, count(*) AS articles, count(duplicate_of) AS duplicates
    FROM period GROUP BY source_id)
SELECT s.key, s.name, c.articles, c.duplicates, coalesce(t.told, 0), coalesce(t.first, 0),
    t.lead_hours, coalesce(l.found, 0), coalesce(n.entities, 0), coalesce(n.flagged, 0)
FROM counted c JOIN source s ON s.id = c.source_id
LEFT JOIN named n USING (source_id) LEFT JOIN alone l USING (source_id)
LEFT JOIN stories t USING (source_id)
ORDER BY coalesce(l.found, 0) DESC, c.articles DESC, s.key
"""


# What was published before its source was here says nothing of how soon it comes.
_PACE = """
SELECT s.key,
    percentile_cont(0.5) WITHIN GROUP (
        ORDER BY extract(epoch FROM a.collected_at - a.published_at)::float8)
        FILTER (WHERE a.published_at >= s.created_at AND a.collected_at >= a.published_at) / 3600,
    avg(r.score)::float8
FROM source s CROSS JOIN LATERAL (
    SELECT id, published_at, collected_at FROM article
    WHERE source_id = s.id AND sort_at >= %(since)s AND sort_at < %(until)s) a
LEFT JOIN article_score r ON r.article_id = a.id
GROUP BY s.key
"""
_CHECKS = """
SELECT s.key, count(*), count(c.reason) FROM source s CROSS JOIN LATERAL (
    SELECT reason, checked_at FROM source_check WHERE source_id = s.id
    ORDER BY id DESC LIMIT 1000) c
WHERE c.checked_at >= %(since)s AND c.checked_at < %(until)s
    AND (c.reason <> ALL(%(nothing)s) OR c.reason IS NULL)
GROUP BY s.key
"""


class SourceScores:
    """The scoreboard of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def scoreboard(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Scoreboard:
        """Return how sources compare, by default over the last 30 days. Raises QueryError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT coalesce(%(since)s::timestamptz, coalesce(%(until)s::timestamptz, now())
                    - make_interval(days => %(days)s)), coalesce(%(until)s::timestamptz, now())
                """,
                {"since": since, "until": until, "days": DEFAULT_DAYS},
            )
            row = await cursor.fetchone()
            assert row is not None, "a row without FROM"
            begin, end = row
            if not timedelta() < end - begin <= timedelta(days=MOST_DAYS):
                raise QueryError(
                    f"a scoreboard is over more than nothing and at most {MOST_DAYS} days: "
                    "give another --since or --until"
                )
            values = {"since": begin, "until": end, "nothing": list(TELLS_NOTHING)}
            rows = await (await conn.execute(SCORES, values)).fetchall()
            pace = {
                row[0]: (row[1], row[2])
                for row in await (await conn.execute(_PACE, values)).fetchall()
            }
            checks = {
                row[0]: (row[1], row[2])
                for row in await (await conn.execute(_CHECKS, values)).fetchall()
            }
        return Scoreboard(
            since=begin,
            until=end,
            sources=tuple(
                SourceScore(
                    source=SourceRef(key=row[0], name=row[1]),
                    articles=row[2],
                    duplicates=row[3],
                    stories=row[4],
                    first=row[5],
                    lead_hours=row[6],
                    unique=row[7],
                    entities=row[8],
                    flagged=row[9],
                    fresh_hours=pace.get(row[0], _UNKNOWN)[0],
                    score=pace.get(row[0], _UNKNOWN)[1],
                    checks=checks.get(row[0], _NONE)[0],
                    failed_checks=checks.get(row[0], _NONE)[1],
                )
                for row in rows
            ),
        )
