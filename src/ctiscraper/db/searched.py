"""A page of what a search found, with what is shown beside it."""

from dataclasses import dataclass, replace

from psycopg import sql

from ctiscraper.db.article_filters import articles_by_ids, bounded, wanted_of
from ctiscraper.db.facets import FACETS_OF, facets_of
from ctiscraper.db.finding import Found, Size, find
from ctiscraper.db.paging import (
    Position,
    ScorePosition,
    from_cursor,
    from_score_cursor,
    to_cursor,
    to_score_cursor,
)
from ctiscraper.db.resolving import Resolved
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.snippets import snippets_of
from ctiscraper.db.suggestions import suggestions_of
from ctiscraper.db.wanted import Wanted, written_query
from ctiscraper.query.tree import And, Node, Not, Or, Term
from ctiscraper.views import ArticlePage, ArticleQuery

RANKED_OF = 1_000
"""Of how many of the newest matches the most relevant come first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page has beside its articles."""

    facets: bool = False
    snippets: bool = False


PLAIN = Shown()


async def searched_page(
    database: Database, query: ArticleQuery, cursor: str | None, limit: int, shown: Shown
) -> ArticlePage:
    """Return a page of matches. Raises CursorError and QueryError."""
    async with bounded(database) as conn:
        wanted, resolved = await wanted_of(conn, query)
        words = positive_query(resolved) if resolved else ""
        if query.ranked and words:
            page, found = await _ranked(conn, wanted, words, cursor, limit)
        else:
            page, found = await _newest(conn, wanted, cursor, (limit, shown))
        if shown.snippets and words:
            snippets = await snippets_of(conn, words, [one.id for one in page.articles])
            articles = (replace(one, snippet=snippets.get(one.id)) for one in page.articles)
            page = replace(page, articles=tuple(articles))
        if shown.facets:
            if cursor is not None and not (query.ranked and words):
                found = await find(conn, wanted, None, Size(FACETS_OF + 1, 0))
            page = replace(page, facets=await facets_of(conn, found.ids, stopped=found.stopped))
        if resolved is not None and cursor is None and not page.articles:
            page = replace(page, suggestions=await suggestions_of(conn, resolved))
    return replace(page, notes=resolved.notes if resolved else ())


async def _newest(
    conn: Conn, wanted: Wanted, cursor: str | None, asked: tuple[int, Shown]
) -> tuple[ArticlePage, Found]:
    limit, shown = asked
    after = None if cursor is None else from_cursor(cursor)
    # What facets are counted of begins with the page.
    most = FACETS_OF + 1 if shown.facets and after is None else limit + 1
    found = await find(conn, wanted, after, Size(most, limit + 1))
    more = len(found.ids) > limit
    articles = await articles_by_ids(conn, found.ids[:limit])
    following = None
    if more and articles:
        following = Position(articles[-1].listed_at, articles[-1].id)
    elif found.stopped is not None:
        following = found.stopped
    page = ArticlePage(
        articles=tuple(articles),
        next=to_cursor(following) if following else None,
        found=found.count,
        searched_to=found.stopped.at if found.stopped and not more else None,
    )
    return page, found


_RANK = sql.SQL(
    """
    WITH ranked AS MATERIALIZED (
        SELECT a.id, ts_rank_cd(a.search, %(words)s::tsquery, 32)::float8 AS score
        FROM article a WHERE a.id = ANY(%(ids)s)
    )
    SELECT id, score FROM ranked WHERE {} ORDER BY score DESC, id DESC LIMIT %(limit)s
    """
)


RANK = _RANK.format(sql.SQL("true"))
"""The most relevant of some articles first, by their numbers."""


async def _ranked(
    conn: Conn, wanted: Wanted, words: str, cursor: str | None, limit: int
) -> tuple[ArticlePage, Found]:
    """The most relevant of the newest matches."""
    after = None if cursor is None else from_score_cursor(cursor)
    found = await find(conn, wanted, None, Size(RANKED_OF + 1, RANKED_OF + 1))
    values: dict[str, object] = {"words": words, "ids": found.ids[:RANKED_OF], "limit": limit + 1}
    place = sql.SQL("true")
    if after is not None:
        place = sql.SQL("(score, id) < (%(score)s, %(id)s)")
        values |= {"score": after.score, "id": after.id}
    await conn.execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on")
    rows = await (await conn.execute(_RANK.format(place), values, prepare=False)).fetchall()
    articles = await articles_by_ids(conn, [row[0] for row in rows[:limit]])
    last = rows[limit - 1] if len(rows) > limit else None
    page = ArticlePage(
        articles=tuple(articles),
        next=to_score_cursor(ScorePosition(last[1], last[0])) if last else None,
        found=found.count,
    )
    return page, found


def positive_query(resolved: Resolved) -> str:
    """Return the words that are looked for, any of them, as a query of PostgreSQL."""
    found = dict.fromkeys(_positive(resolved, resolved.question.tree))
    return " | ".join(f"({one})" for one in found)


def _positive(resolved: Resolved, node: Node) -> list[str]:
    if isinstance(node, And | Or):
        return [one for part in node.parts for one in _positive(resolved, part)]
    if isinstance(node, Not | Term):
        return []
    query = written_query(resolved, node)
    return [query] if query else []
