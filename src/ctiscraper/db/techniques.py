"""How many articles of a search, a source or a time name each technique."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from psycopg import sql
from psycopg.errors import QueryCanceled

from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.db.articles import Articles
from ctiscraper.db.entity_rows import COLUMNS, WIDTH, to_entity
from ctiscraper.db.rollups import is_filled
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.weeks import counted_since, weeks_of
from ctiscraper.entity_views import EntitySummary
from ctiscraper.errors import QueryError
from ctiscraper.intelligence import Name
from ctiscraper.views import ArticleQuery

COUNT_SECONDS = 5.0

_ALL = sql.SQL(
    """
    SELECT {}, e.articles FROM entity e WHERE e.kind = %(kind)s AND e.articles > 0
    ORDER BY e.articles DESC, e.value
    """
).format(COLUMNS)
_ALL_ARTICLES = "SELECT coalesce(sum(articles), 0)::bigint FROM tier_week"

_OF_SOURCE = sql.SQL(
    """
    SELECT {}, s.articles FROM entity_source s JOIN entity e ON e.id = s.entity_id
    WHERE s.source_id = (SELECT id FROM source WHERE key = %(source)s) AND e.kind = %(kind)s
    ORDER BY s.articles DESC, e.value
    """
).format(COLUMNS)
_ARTICLES_OF_SOURCE = """
    SELECT coalesce(sum(w.articles), 0)::bigint
    FROM source_week w JOIN source s ON s.id = w.source_id WHERE s.key = %(source)s
"""

_BETWEEN = sql.SQL("{} - {}").format(counted_since("since"), counted_since("until"))
_OF_DAYS = sql.SQL(
    """
    SELECT {}, c.articles
    FROM (SELECT w.entity_id, sum({}) AS articles FROM entity_week w
        WHERE w.week = ANY(%(weeks)s) AND w.kind = %(kind)s GROUP BY w.entity_id) c
    JOIN entity e ON e.id = c.entity_id WHERE c.articles > 0
    ORDER BY c.articles DESC, e.value
    """
).format(COLUMNS, _BETWEEN)
_ARTICLES_OF_DAYS = sql.SQL(
    "SELECT coalesce(sum({}), 0)::bigint FROM tier_week w WHERE w.week = ANY(%(weeks)s)"
).format(_BETWEEN)

_OF_ARTICLES = sql.SQL(
    """
    WITH techniques AS MATERIALIZED (SELECT id FROM entity WHERE kind = %(kind)s),
    counted AS (
        SELECT m.entity_id, count(*) AS articles
        FROM mention m JOIN techniques t ON t.id = m.entity_id
        WHERE m.article_id = ANY(%(ids)s) GROUP BY m.entity_id
    )
    SELECT {}, c.articles FROM counted c JOIN entity e ON e.id = c.entity_id
    ORDER BY c.articles DESC, e.value
    """
).format(COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TechniqueCount:
    """A technique, and how many of the asked articles name it."""

    technique: EntitySummary
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTechniques:
    """The techniques that some articles name, those of the most articles first.

    `copies` says whether near-duplicates are among these `articles`; of `capped` ones there are
    more, which are not counted.
    """

    counts: tuple[TechniqueCount, ...]
    articles: int
    copies: bool
    capped: bool


class Techniques:
    """The techniques that articles name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def named(self, query: ArticleQuery) -> NamedTechniques:
        """Return what the articles of a list name.

        Of all, of one source and of whole days they are counted already, near-duplicates among
        them; of any other list they are counted now, in the newest 15,000.
        Raises QueryError when that takes too long.
        """
        async with self._database.transaction() as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            kept = await _kept(conn, query)
        if kept is not None:
            return kept
        numbers = await Articles(self._database).matching(query)
        return NamedTechniques(
            counts=await self.counts(numbers),
            articles=len(numbers),
            copies=query.source is not None,
            capped=len(numbers) >= FOUND_MOST,
        )

    async def counts(self, article_ids: Sequence[int]) -> tuple[TechniqueCount, ...]:
        """Return the techniques that these articles name, those of the most articles first.

        Raises QueryError when that takes too long.
        """
        values = {"kind": Name.TECHNIQUE.value, "ids": list(article_ids)}
        async with self._database.transaction() as conn:
            limit = str(int(COUNT_SECONDS * 1000))
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
            try:
                return await _counted(conn, _OF_ARTICLES, values)
            except QueryCanceled as error:
                raise QueryError(
                    f"counting techniques took longer than {COUNT_SECONDS:g} seconds; "
                    "narrow it by source, words or time"
                ) from error


async def _kept(conn: Conn, query: ArticleQuery) -> NamedTechniques | None:
    """Return what is counted already, None where these articles are not."""
    narrowed = replace(query, ranked=False, reader=None)
    days = replace(narrowed, since=None, until=None)
    is_whole, is_source = days == ArticleQuery(), narrowed == ArticleQuery(source=query.source)
    if not (is_whole or is_source) or not await is_filled(conn):
        return None
    if narrowed == ArticleQuery():
        return await _read(conn, _ALL, _ALL_ARTICLES, {})
    if is_source:
        return await _read(conn, _OF_SOURCE, _ARTICLES_OF_SOURCE, {"source": query.source})
    if not (_is_midnight(query.since) and _is_midnight(query.until)):
        return None
    since = query.since.astimezone(UTC).date() if query.since else date.min
    until = query.until.astimezone(UTC).date() if query.until else date.max
    bounds = {"since": since, "until": until, "weeks": await weeks_of(conn, since, until)}
    return await _read(conn, _OF_DAYS, _ARTICLES_OF_DAYS, bounds)


async def _read(
    conn: Conn,
    techniques: sql.Composed,
    articles: sql.Composed | str,
    values: Mapping[str, object],
) -> NamedTechniques:
    row = await (await conn.execute(articles, values, prepare=False)).fetchone()
    assert row is not None, "a sum is one row"
    counts = await _counted(conn, techniques, {**values, "kind": Name.TECHNIQUE.value})
    return NamedTechniques(counts=counts, articles=row[0], copies=True, capped=False)


async def _counted(
    conn: Conn, statement: sql.Composed, values: Mapping[str, object]
) -> tuple[TechniqueCount, ...]:
    cursor = await conn.execute(statement, values, prepare=False)
    return tuple(
        TechniqueCount(technique=to_entity(row), articles=row[WIDTH])
        for row in await cursor.fetchall()
    )


def _is_midnight(at: datetime | None) -> bool:
    return at is None or at.astimezone(UTC).time() == time.min
