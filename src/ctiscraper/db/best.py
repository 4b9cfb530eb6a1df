"""The best articles of the last days, by their scores."""

from collections.abc import Sequence

from psycopg import sql

from ctiscraper.db.article_filters import (
    AND,
    FOUND_MOST,
    LIMIT_MOST,
    articles_by_ids,
    bounded,
    wanted_of,
)
from ctiscraper.db.paging import ScorePosition, from_score_cursor, to_score_cursor
from ctiscraper.db.reals import real
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.wanted import Sql
from ctiscraper.views import ArticleDetail, ArticlePage, ArticleQuery, ArticleSummary, SearchNote

TODAY = sql.SQL("(now() AT TIME ZONE 'UTC')::date")
BEHIND = (
    sql.SQL("(s.score, s.article_id) < (%(score)s::real, %(number)s)"),
    sql.SQL("s.score DESC, s.article_id DESC"),
)
_BEFORE = (
    sql.SQL("(s.score, s.article_id) > (%(score)s::real, %(number)s)"),
    sql.SQL("s.score, s.article_id"),
)

# The first few of every day, each along the index of its day, and of those the first few: the
# cost grows with the days that are asked for, not with the articles of a day.
WALK = sql.SQL(
    """
    SELECT s.article_id, s.score FROM generate_series(0, %(days)s - 1) AS ago CROSS JOIN LATERAL (
        SELECT s.article_id, s.score FROM article_score s JOIN article a ON a.id = s.article_id
        WHERE s.day = {today} - ago AND {conditions}
        ORDER BY {order} LIMIT %(limit)s) s
    ORDER BY {order} LIMIT %(limit)s
    """
)
_FOUND = sql.SQL(
    """
    SELECT a.id FROM article a
    WHERE {conditions} AND a.sort_at >= ({today} - (%(days)s - 1)) AT TIME ZONE 'UTC'
    LIMIT %(most)s
    """
)
_SORTED = sql.SQL(
    """
    SELECT s.article_id, s.score FROM article_score s
    WHERE s.article_id = ANY(%(ids)s) AND s.day > {today} - %(days)s AND {place}
    ORDER BY {order} LIMIT %(limit)s
    """
)

Ranked = list[tuple[int, float]]


async def best_page(
    database: Database, query: ArticleQuery, *, cursor: str | None, limit: int
) -> ArticlePage:
    """Return the best articles of `query.days` days. Raises CursorError and QueryError."""
    after = None if cursor is None else from_score_cursor(cursor)
    limit = max(1, min(limit, LIMIT_MOST))
    async with bounded(database) as conn:
        found, ranked, notes = await _ranked(conn, query, after, limit + 1)
        more = len(ranked) > limit
        ranked = ranked[:limit]
        articles = await articles_by_ids(conn, [number for number, _ in ranked])
    last = ranked[-1] if more else None
    return ArticlePage(
        articles=tuple(articles),
        next=to_score_cursor(ScorePosition(last[1], last[0])) if last else None,
        found=found,
        notes=notes,
    )


async def best_neighbours(
    database: Database, query: ArticleQuery, article: ArticleDetail
) -> tuple[ArticleSummary | None, ArticleSummary | None]:
    """Return the articles just better and just worse than one in a list by score."""
    if article.score is None:
        return None, None
    place = ScorePosition(article.score, article.id)
    async with bounded(database) as conn:
        _, before, _ = await _ranked(conn, query, place, 1, better=True)
        _, behind, _ = await _ranked(conn, query, place, 1)
        wanted = [number for number, _ in (*before, *behind)]
        found = {one.id: one for one in await articles_by_ids(conn, wanted)}
    return (
        found.get(before[0][0]) if before else None,
        found.get(behind[0][0]) if behind else None,
    )


async def _ranked(
    conn: Conn,
    query: ArticleQuery,
    place: ScorePosition | None,
    limit: int,
    *,
    better: bool = False,
) -> tuple[int | None, Ranked, tuple[SearchNote, ...]]:
    """The numbers and scores of a page; how many match where words or a tag are looked for."""
    beyond, order = _BEFORE if better else BEHIND
    wanted, resolved = await wanted_of(conn, query)
    conditions, notes = wanted.conditions, resolved.notes if resolved else ()
    values = dict(wanted.values)
    values |= {"days": query.days, "limit": limit, "most": FOUND_MOST + 1}
    if place is not None:
        values |= {"score": real(place.score), "number": place.id}
    where: Sql = beyond if place is not None else sql.SQL("true")
    found = None
    if wanted.drivers:
        ids = await _matching(conn, conditions, values)
        found = min(len(ids), FOUND_MOST)
        if len(ids) <= FOUND_MOST:
            statement = _SORTED.format(today=TODAY, place=where, order=order)
            cursor = await conn.execute(statement, values | {"ids": ids})
            return found, [(row[0], row[1]) for row in await cursor.fetchall()], notes
    statement = WALK.format(today=TODAY, order=order, conditions=AND.join([*conditions, where]))
    cursor = await conn.execute(statement, values)
    return found, [(row[0], row[1]) for row in await cursor.fetchall()], notes


async def _matching(conn: Conn, conditions: Sequence[Sql], values: dict[str, object]) -> list[int]:
    """The articles of the days that match, at most one over the cap; the inverted index answers."""
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    cursor = await conn.execute(_FOUND.format(today=TODAY, conditions=AND.join(conditions)), values)
    ids = [row[0] for row in await cursor.fetchall()]
    await conn.execute("SET LOCAL enable_indexscan = on")
    return ids
