"""What saved searches find that came since somebody looked at them: all in one look."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from psycopg import sql

from ctiscraper.db.article_filters import AND, SEARCH_SECONDS, bounded, to_wanted
from ctiscraper.db.resolving import resolve_all
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import QueryError
from ctiscraper.query.tree import Question, leaves
from ctiscraper.views import ArticleQuery, SearchNote

WINDOW = 1_000
"""Of how many of the newest articles is told whether they are new to a search."""
MOST = 100
WHOLE_SECONDS = SEARCH_SECONDS
"""How long all of them may take: as long as one search that somebody asks for."""
TOGETHER = 500
"""How many words and fields are looked up together: those of a usual list are far fewer."""

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

    `new` is None where they were not counted.
    """

    new: int | None
    more: bool = False
    notes: tuple[SearchNote, ...] = ()


async def news_of(
    database: Database, user_id: int, questions: Mapping[int, Question]
) -> dict[int, News]:
    """Return by its number what is new to each saved search, of the first hundred.

    Those that cannot be counted, or not in the time that there is for all, are not counted.
    """
    chosen = {number: questions[number] for number in list(questions)[:MOST]}
    counting = _Counting(database, user_id, chosen)
    # What is counted until then is worth more than nothing.
    with suppress(TimeoutError):
        async with asyncio.timeout(WHOLE_SECONDS):
            for group in _groups(chosen):
                await counting.count(group)
    return counting.news


def _groups(questions: Mapping[int, Question]) -> Iterator[list[int]]:
    """Yield the numbers of searches that are counted together: of few leaves, or one alone."""
    group: list[int] = []
    size = 0
    for number, question in questions.items():
        more = sum(1 for _ in leaves(question.tree))
        if group and size + more > TOGETHER:
            yield group
            group, size = [], 0
        group.append(number)
        size += more
    if group:
        yield group


@dataclass(slots=True)
class _Counting:
    """The searches of a call, with what is known of them so far."""

    database: Database
    user_id: int
    questions: Mapping[int, Question]
    news: dict[int, News] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    async def count(self, numbers: Sequence[int]) -> None:
        """Count what is new to some of them; of those that fail together each by itself."""
        try:
            async with bounded(self.database, seconds=self._patience()) as conn:
                await self._count(conn, numbers)
        except QueryError:
            for number in numbers if len(numbers) > 1 else ():
                await self.count([number])

    async def _count(self, conn: Conn, numbers: Sequence[int]) -> None:
        seen = await _seen(conn, self.user_id, numbers)
        questions = [self.questions[number] for number in numbers]
        values: dict[str, object] = {"since": min(seen.values()), "window": WINDOW}
        counts: list[sql.Composable] = []
        found = await resolve_all(conn, questions, self.user_id)
        for number, resolved in zip(numbers, found, strict=True):
            self.news[number] = News(new=None, notes=resolved.notes)
            asked = ArticleQuery(q=resolved.question, reader=self.user_id)
            wanted = to_wanted(asked, resolved, values=values)
            after = wanted.keep("n", seen[number])
            conditions = [*wanted.conditions, sql.SQL("a.id > {}").format(after)]
            counts.append(sql.SQL("count(*) FILTER (WHERE {})").format(AND.join(conditions)))
        cursor = await conn.execute(_NEWS.format(sql.SQL(", ").join(counts)), values, prepare=False)
        row = await cursor.fetchone()
        assert row is not None, "a count is one row"
        looked_at, first, *news = row
        for number, new in zip(numbers, news, strict=True):
            more = looked_at >= WINDOW and seen[number] < first - 1
            self.news[number] = replace(self.news[number], new=new, more=more)

    def _patience(self) -> float:
        """How long a statement may take: whatever it is, as much is left to the others."""
        return (WHOLE_SECONDS - (time.monotonic() - self.begun)) / 2


async def _seen(conn: Conn, user_id: int, searches: Sequence[int]) -> dict[int, int]:
    """Return up to which article he looked; whoever never did has all that is shared before him."""
    cursor = await conn.execute(
        "SELECT search_id, last_article FROM saved_search_seen"
        " WHERE user_id = %s AND search_id = ANY(%s)",
        (user_id, list(searches)),
    )
    return dict.fromkeys(searches, 0) | {row[0]: row[1] for row in await cursor.fetchall()}
