"""The passages that may answer a question: near to it in meaning, or having its words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ctiscraper.analysis.marking import marking
from ctiscraper.analysis.orders import orders_within
from ctiscraper.analysis.shown import undrawn_in
from ctiscraper.db.article_filters import FOLDED, articles_by_ids, to_wanted
from ctiscraper.db.fusing import MEANING_AND_WORDS, fuse
from ctiscraper.db.meaning import by_words, texts_of
from ctiscraper.db.nearest import Asked, Nearest
from ctiscraper.db.session import Conn
from ctiscraper.embed.passages import cut
from ctiscraper.query.tree import And, Question, Word
from ctiscraper.tlp import Tlp
from ctiscraper.views import ArticleQuery, ArticleSummary
from ctiscraper.wording import stems_of

MOST_NEAR, MOST_WORDED = 40, 20
_OF_ONE_ARTICLE = 3
_FEWEST_WORDS = 2
_LONGEST_TEXT = 400_000
_TOKENS = re.compile(r"\S+")
# Chains of a technical word stay together: addresses, versions, paths.
_WORD = re.compile(r"[^\W_](?:[\w.:/@\\-]*[^\W_])?")
_MOST_ASKED = 40


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters of a passage from `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedPassage:
    """A passage and the article that it is of; `start` and `end` are its place in the text.

    `closeness` is the cosine, None where there is no vector of it. `share` is which part of the
    question's words stand in it or in its title. `tlp` is the strictest marking that the article
    carries or its source has. `undrawn` is what no browser would have drawn of its text, and
    `orders` what speaks to a model in it, by all that stands around it in the article.
    """

    article: ArticleSummary
    start: int
    end: int
    text: str
    closeness: float | None
    share: float
    tlp: Tlp | None
    undrawn: tuple[Stretch, ...] = ()
    orders: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    article: int
    start: int
    end: int


def as_question(text: str) -> Question | None:
    """Return what people ask as a search for its words, whatever marks stand in it."""
    words = list(dict.fromkeys(_WORD.findall(text)))[:_MOST_ASKED]
    if not words:
        return None
    parts = tuple(Word(word) for word in words)
    return Question(text, And(parts) if len(parts) > 1 else parts[0])


async def retrieve(
    conn: Conn,
    query: ArticleQuery,
    asked: Asked | None,
    nearest: Nearest,
    *,
    limit: int,
) -> tuple[RetrievedPassage, ...]:
    """Return the passages that say most of what is asked, best first.

    Without `asked` by words alone. For a transaction. Raises QueryError.
    """
    if query.q is None:
        return ()
    closeness: dict[_Place, float] = {}
    near: list[_Place] = []
    if asked is not None:
        near = await _near(conn, query, asked, nearest, closeness)
    worded = await _worded(conn, query, query.q, asked, closeness)
    places = list(dict.fromkeys([*near, *worded]))
    number = {place: at for at, place in enumerate(places)}
    lists = [[number[one] for one in near], [number[one] for one in worded]]
    fused = fuse(lists, MEANING_AND_WORDS)
    chosen = _few_of_each([places[at] for at, _ in fused])[:limit]
    return await _read(conn, chosen, closeness, stems_of(query.q.text))


async def _near(
    conn: Conn,
    query: ArticleQuery,
    asked: Asked,
    nearest: Nearest,
    closeness: dict[_Place, float],
) -> list[_Place]:
    wanted = to_wanted(
        ArticleQuery(source=query.source, tier=query.tier, since=query.since, until=query.until)
    )
    articles = {one.article for one in await nearest.articles(conn, asked, wanted, enough=1)}
    among = None if wanted.conditions == [FOLDED] else list(articles)
    found = await nearest.passages(conn, asked, limit=4 * MOST_NEAR, among=among)
    kept = [one for one in found if one.article in articles][:MOST_NEAR]
    texts = await texts_of(conn, [one.passage for one in kept])
    places = []
    for one in kept:
        text = texts.get(one.passage)
        if text is not None:
            place = _Place(text.article, text.start, text.end)
            closeness[place] = one.closeness
            places.append(place)
    return places


async def _worded(
    conn: Conn,
    query: ArticleQuery,
    question: Question,
    asked: Asked | None,
    closeness: dict[_Place, float],
) -> list[_Place]:
    """Return of each article that has the words the passage that has most of them."""
    _, found = await by_words(conn, query)
    cursor = await conn.execute(
        "SELECT id, left(text, %s) FROM article WHERE id = ANY(%s)",
        (_LONGEST_TEXT, found[:MOST_WORDED]),
    )
    rows: Mapping[int, str] = {row[0]: row[1] for row in await cursor.fetchall()}
    stems = stems_of(question.text)
    stored = await _stored(conn, list(rows), asked)
    best = []
    for number in found[:MOST_WORDED]:
        if number not in rows:
            continue
        text = rows[number]
        # An article that has no passages yet is cut by its words.
        near = stored.get(number, {})
        places = list(near) or [
            _Place(number, one.start, one.end)
            for one in cut(text, [token.start() for token in _TOKENS.finditer(text)])
        ]
        scored = [(len(stems & stems_of(text[one.start : one.end])), one) for one in places]
        top = max(scored, key=lambda one: (one[0], -one[1].start), default=None)
        # One word of several is had by chance.
        if top is not None and top[0] >= min(_FEWEST_WORDS, len(stems)):
            best.append(top)
            if (close := near.get(top[1])) is not None:
                closeness[top[1]] = close
    best.sort(key=lambda one: -one[0])
    return [place for _, place in best]


async def _stored(
    conn: Conn, articles: list[int], asked: Asked | None
) -> dict[int, dict[_Place, float | None]]:
    """Return the passages of articles, each with its closeness to what is asked."""
    cursor = await conn.execute(
        """
        SELECT p.article_id, p.begins, p.ends, p.vector FROM passage p
        JOIN article a ON a.id = p.article_id AND a.revision = p.revision
        WHERE p.article_id = ANY(%(articles)s)
            AND p.model_id = coalesce(%(model)s, (SELECT max(model_id) FROM embedded_text))
        ORDER BY p.article_id, p.position
        """,
        {"articles": articles, "model": asked.model.id if asked else None},
        binary=True,
    )
    found: dict[int, dict[_Place, float | None]] = {}
    for article, begins, ends, vector in await cursor.fetchall():
        close = None if asked is None else float(np.frombuffer(vector, "<f2") @ asked.vector)
        found.setdefault(article, {})[_Place(article, begins, ends)] = close
    return found


def _few_of_each(places: Sequence[_Place]) -> list[_Place]:
    counts: dict[int, int] = {}
    found = []
    for place in places:
        counts[place.article] = counts.get(place.article, 0) + 1
        if counts[place.article] <= _OF_ONE_ARTICLE:
            found.append(place)
    return found


async def _read(
    conn: Conn,
    places: Sequence[_Place],
    closeness: Mapping[_Place, float],
    stems: frozenset[str],
) -> tuple[RetrievedPassage, ...]:
    ids = list(dict.fromkeys(place.article for place in places))
    articles = {one.id: one for one in await articles_by_ids(conn, ids)}
    cursor = await conn.execute(
        "SELECT a.id, a.title, a.text, coalesce(s.settings->>'tlp', 'clear')"
        " FROM article a JOIN source s ON s.id = a.source_id WHERE a.id = ANY(%s)",
        (ids,),
    )
    texts = {row[0]: (row[1], row[2], row[3]) for row in await cursor.fetchall()}
    conn.carried(sum(len(row[1]) for row in texts.values()))
    marked = {
        number: marking(title, text, least=Tlp(of_source))
        for number, (title, text, of_source) in texts.items()
    }
    unseen = {number: undrawn_in(text) for number, (_, text, _) in texts.items()}
    found = []
    for place in places:
        if place.article not in articles or place.article not in texts:
            continue
        title, whole, _ = texts[place.article]
        text = whole[place.start : place.end]
        said = stems & stems_of(f"{title}\n{text}")
        found.append(
            RetrievedPassage(
                article=articles[place.article],
                start=place.start,
                end=place.end,
                text=text,
                closeness=closeness.get(place),
                share=len(said) / max(1, len(stems)),
                tlp=marked[place.article],
                undrawn=_within(place, unseen[place.article]),
                orders=tuple(
                    Stretch(*span) for span in orders_within(whole, place.start, place.end)
                ),
            )
        )
    return tuple(found)


def _within(place: _Place, spans: Sequence[tuple[int, int]]) -> tuple[Stretch, ...]:
    """Return those places of an article that lie in a passage, counted from its beginning."""
    return tuple(
        Stretch(max(0, start - place.start), min(end, place.end) - place.start)
        for start, end in spans
        if start < place.end and end > place.start
    )
