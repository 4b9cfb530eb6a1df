"""A page of articles by what a search means, alone or together with its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ctiscraper.db.article_filters import articles_by_ids, bounded, to_wanted
from ctiscraper.db.finding import Size, find
from ctiscraper.db.fusing import MEANING_AND_WORDS, fuse
from ctiscraper.db.nearest import Asked, Near, Nearest
from ctiscraper.db.paging import ScorePosition, from_score_cursor, to_score_cursor
from ctiscraper.db.resolving import resolve
from ctiscraper.db.searched import RANK, RANKED_OF, positive_query
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.snippets import snippets_of
from ctiscraper.errors import NotFoundError
from ctiscraper.query.meant import loosened, meant
from ctiscraper.query.tree import Question
from ctiscraper.views import ArticlePage, ArticleQuery, SearchNote, Snippet

MOST = 200
"""How many articles a search by meaning finds at most: the others have little to do with it."""

_MOST_SHOWN = 600
_LOOSE_BELOW = 10


class Mode(StrEnum):
    """What a search goes by."""

    WORDS = "words"
    MEANING = "meaning"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """Articles by what they got, best first, with the passages that are nearest."""

    scores: Sequence[tuple[int, float]]
    near: Mapping[int, Near]
    words: str
    notes: tuple[SearchNote, ...]


class MeaningSearch:
    """Searches by meaning in one database."""

    def __init__(self, database: Database, nearest: Nearest) -> None:
        self._database, self.nearest = database, nearest

    async def page(
        self,
        query: ArticleQuery,
        asked: Asked | None,
        mode: Mode,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ArticlePage:
        """Return the articles that mean what is asked, narrowed by the fields of the search.

        With both the ranks by words and by meaning are fused; without `asked` those by words stand
        alone. Raises CursorError and QueryError.
        """
        after = None if cursor is None else from_score_cursor(cursor)
        limit = max(1, min(limit, MOST))
        async with bounded(self._database) as conn:
            ranked = await self._ranked(conn, query, asked, mode, limit)
            scores = [one for one in ranked.scores if after is None or _beyond(one, after)]
            chosen = [number for number, _ in scores[:limit]]
            articles = await articles_by_ids(conn, chosen)
            snippets = await _snippets(conn, ranked, chosen)
        more = len(scores) > limit
        last = scores[limit - 1] if more else (0, 0.0)
        return ArticlePage(
            articles=tuple(replace(one, snippet=snippets.get(one.id)) for one in articles),
            next=to_score_cursor(ScorePosition(last[1], last[0])) if more else None,
            found=len(ranked.scores),
            notes=ranked.notes,
        )

    async def _ranked(
        self, conn: Conn, query: ArticleQuery, asked: Asked | None, mode: Mode, limit: int
    ) -> _Ranked:
        assert query.q is not None, "a search by meaning has words"
        _, rest = meant(query.q)
        resolved = await resolve(conn, rest, query.reader)
        wanted = to_wanted(query, resolved)
        near: Sequence[Near] = ()
        if asked is not None:
            near = (await self.nearest.articles(conn, asked, wanted, enough=limit + 1))[:MOST]
        notes = resolved.notes if resolved else ()
        by_article = {one.article: one for one in near}
        if mode is Mode.MEANING:
            scores = [(one.article, min(1.0, max(0.0, one.closeness))) for one in near]
            return _Ranked(scores=scores, near=by_article, words="", notes=notes)
        words, listed = await by_words(conn, query)
        fused = fuse([[one.article for one in near], listed], MEANING_AND_WORDS)[:MOST]
        return _Ranked(scores=fused, near=by_article, words=words, notes=notes)

    async def near_article(self, article_id: int, asked: Asked, *, limit: int) -> tuple[Near, ...]:
        """Return passages of other articles, one of each, near to what an article means.

        Near-duplicates of it, and those of its own story, are none of them.
        """
        async with self._database.transaction() as conn:
            near = await self.nearest.articles(conn, asked, to_wanted(ArticleQuery()), enough=limit)
            cursor = await conn.execute(
                """
                SELECT a.id FROM article a
                WHERE a.id = ANY(%(ids)s) AND a.id <> %(article)s AND a.id <> coalesce((
                        SELECT b.duplicate_of FROM article b WHERE b.id = %(article)s), 0)
                    AND NOT EXISTS (SELECT 1 FROM story_article x JOIN story_article y
                        ON y.story_id = x.story_id
                        WHERE x.article_id = a.id AND y.article_id = %(article)s)
                """,
                {"article": article_id, "ids": [one.article for one in near]},
            )
            others = {row[0] for row in await cursor.fetchall()}
        return tuple([one for one in near if one.article in others][:limit])

    async def vectors_of(self, article_id: int, model: int) -> list[bytes]:
        """Return the vectors of an article's passages, none where it has none yet.

        Raises NotFoundError.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT array_agg(p.vector ORDER BY p.position) FILTER (WHERE p.id IS NOT NULL)
                FROM article a LEFT JOIN passage p ON p.article_id = a.id AND p.model_id = %s
                WHERE a.id = %s GROUP BY a.id
                """,
                (model, article_id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"there is no article number {article_id}")
        return list(row[0] or [])


async def by_words(conn: Conn, query: ArticleQuery) -> tuple[str, list[int]]:
    """Return what is looked for, and the articles that have it, the most relevant first.

    Where few have all of the words those come that have any.
    """
    assert query.q is not None, "a search has words"
    words, found = await _by_words(conn, query, query.q)
    if len(found) >= _LOOSE_BELOW:
        return words, found
    loose, more = await _by_words(conn, query, loosened(query.q))
    return loose or words, list(dict.fromkeys([*found, *more]))


async def _by_words(conn: Conn, query: ArticleQuery, question: Question) -> tuple[str, list[int]]:
    resolved = await resolve(conn, question, query.reader)
    words = positive_query(resolved) if resolved else ""
    if not words:
        return "", []
    wanted = to_wanted(replace(query, q=question), resolved)
    found = await find(conn, wanted, None, Size(RANKED_OF, RANKED_OF))
    values = {"words": words, "ids": found.ids, "limit": MOST}
    await conn.execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on")
    cursor = await conn.execute(RANK, values, prepare=False)
    return words, [row[0] for row in await cursor.fetchall()]


def _beyond(one: tuple[int, float], after: ScorePosition) -> bool:
    number, score = one
    return (score, number) < (after.score, after.id)


async def _snippets(conn: Conn, ranked: _Ranked, chosen: Sequence[int]) -> dict[int, Snippet]:
    """Return of each article the passage that is nearest, else the piece that has the words."""
    near = [ranked.near[number].passage for number in chosen if number in ranked.near]
    others = [number for number in chosen if number not in ranked.near]
    found = await snippets_of(conn, ranked.words, others) if ranked.words and others else {}
    texts = await texts_of(conn, near)
    for number in chosen:
        one = ranked.near.get(number)
        if one is not None and one.passage in texts:
            found[number] = Snippet(text=_shown(texts[one.passage].text), marks=())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageText:
    """The words of a passage, and where they stand in its article."""

    id: int
    article: int
    start: int
    end: int
    text: str


async def texts_of(conn: Conn, passages: Sequence[int]) -> dict[int, PassageText]:
    """Return the words of passages, none of those whose text has changed since."""
    cursor = await conn.execute(
        """
        SELECT p.id, p.article_id, p.begins, p.ends,
            substr(a.text, p.begins + 1, p.ends - p.begins)
        FROM passage p JOIN article a ON a.id = p.article_id AND a.revision = p.revision
        WHERE p.id = ANY(%s)
        """,
        (list(passages),),
    )
    return {
        row[0]: PassageText(id=row[0], article=row[1], start=row[2], end=row[3], text=row[4])
        for row in await cursor.fetchall()
    }


def _shown(text: str) -> str:
    """Return a passage on one line, of bounded length."""
    plain = " ".join(text.split())
    if len(plain) <= _MOST_SHOWN:
        return plain
    return f"{plain[:_MOST_SHOWN].rpartition(' ')[0] or plain[:_MOST_SHOWN]}\u2026"
