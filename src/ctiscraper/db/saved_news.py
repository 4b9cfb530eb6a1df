"""What saved searches find that came since somebody looked at them: all in one look."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from ctiscraper.db.article_filters import AND, bounded, to_wanted
from ctiscraper.db.resolving import resolve
from ctiscraper.db.session import Conn, Database
from ctiscraper.query.tree import Question
from ctiscraper.views import ArticleQuery, SearchNote

WINDOW = 1_000
"""Of how many of the newest articles is told whether they are new to a search."""
MOST = 100

# Each text is unpacked once, whatever number of searches looks into it.
_NEWS = sql.SQL(
    """
    WITH w AS MATERIALIZED (
        SELECT a.id, a.sort_at, a.search || ''::tsvector AS search, a.tags, a.method, a.source_id,
            a.tier, a.language, a.duplicate_of
        FROM article a WHERE a.id > %(since)s ORDER BY a.id DESC LIMIT %(window)s)
    SELECT count(*), coalesce(min(a.id), 0), {} FROM w a
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """How many articles are new to a search, at least so many with `more`; what it says of itself.

    `new` is None for a search beyond the first hundred, which are not counted.
    """

    new: int | None
    more: bool = False
    notes: tuple[SearchNote, ...] = ()


async def news_of(
    database: Database, user_id: int, questions: Mapping[int, Question]
) -> dict[int, News]:
    """Return by its number what is new to each saved search. Raises QueryError."""
    chosen = list(questions)[:MOST]
    if not chosen:
        return {}
    async with bounded(database) as conn:
        seen = await _seen(conn, user_id, chosen)
        values: dict[str, object] = {}
        counts: list[sql.Composable] = []
        notes: dict[int, tuple[SearchNote, ...]] = {}
        for number in chosen:
            resolved = await resolve(conn, questions[number], user_id)
            assert resolved is not None, "there is a question"
            notes[number] = resolved.notes
            wanted = to_wanted(
                ArticleQuery(q=questions[number], reader=user_id), resolved, values=values
            )
            after = wanted.keep("n", seen[number])
            conditions = [*wanted.conditions, sql.SQL("a.id > {}").format(after)]
            counts.append(sql.SQL("count(*) FILTER (WHERE {})").format(AND.join(conditions)))
        values |= {"since": min(seen.values()), "window": WINDOW}
        cursor = await conn.execute(_NEWS.format(sql.SQL(", ").join(counts)), values, prepare=False)
        row = await cursor.fetchone()
        assert row is not None, "a count is one row"
    looked_at, first, *news = row
    return {
        number: News(
            new=new,
            more=looked_at >= WINDOW and seen[number] < first - 1,
            notes=notes[number],
        )
        for number, new in zip(chosen, news, strict=True)
    }


async def _seen(conn: Conn, user_id: int, searches: list[int]) -> dict[int, int]:
    """Return up to which article he looked; whoever never did has all that is shared before him."""
    cursor = await conn.execute(
        "SELECT search_id, last_article FROM saved_search_seen"
        " WHERE user_id = %s AND search_id = ANY(%s)",
        (user_id, searches),
    )
    return dict.fromkeys(searches, 0) | {row[0]: row[1] for row in await cursor.fetchall()}
