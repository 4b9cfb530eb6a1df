"""Lists by score: of days, from the best down, narrowed as any list is, and paged to their end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ctiscraper.asking import asked, understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.paging import ScorePosition, from_score_cursor, to_score_cursor
from ctiscraper.db.session import Database
from ctiscraper.errors import CursorError
from ctiscraper.views import ArticleQuery
from web.shelf import Shelf


@pytest_asyncio.fixture
async def articles(database: str) -> AsyncIterator[Articles]:
    async with Database(database, size=2) as opened:
        yield Articles(opened)


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


def scored(shelf: Shelf, title: str, score: float, days: int = 0, **changes: Any) -> int:  # noqa: ANN401 - columns take values of any kind
    [at] = shelf.run("SELECT now() - make_interval(days => %s)", (days,))
    number = shelf.article(title, sort_at=at, **changes)
    shelf.run(
        """
        INSERT INTO article_score (article_id, score, parts, version, listed_at)
        VALUES (%s, %s, '[{"name": "urgency", "value": 0.5, "weight": 1,
            "evidence": ["a", "b", "c", "d", "e", "f"], "places": [[0, 1]], "note": "n"}]', '1', %s)
        """,
        (number, score, at),
    )
    return number


async def titles(articles: Articles, **narrowed: object) -> list[str]:
    page = await articles.page(ArticleQuery(**narrowed))  # type: ignore[arg-type]  # a builder
    return [one.title for one in page.articles]


async def test_the_best_of_a_period_come_first(articles: Articles, shelf: Shelf) -> None:
    for title, score, days in (
        ("low", 0.1, 0),
        ("high", 0.9, 1),
        ("old", 0.99, 8),
        ("mid", 0.5, 6),
    ):
        scored(shelf, title, score, days)
    scored(shelf, "copy", 0.95, duplicate_of=1)
    shelf.article("unscored")
    assert await titles(articles, days=1) == ["low"]
    assert await titles(articles, days=7) == ["high", "mid", "low"]
    assert await titles(articles, days=30) == ["old", "high", "mid", "low"]
    assert await titles(articles, days=7, min_score=0.5) == ["high", "mid"]
    assert await titles(articles, min_score=0.5) == ["high", "mid", "old"]


async def test_it_is_narrowed_as_any_list(articles: Articles, shelf: Shelf) -> None:
    scored(shelf, "Firewall flaw", 0.2, tags=["x"])
    scored(shelf, "Another firewall", 0.4, 2, tags=["x"])
    scored(shelf, "Firewall of old", 0.9, 40, tags=["x"])
    scored(shelf, "Other", 0.8, source="bolt")
    scored(shelf, "Copy", 0.7, source="bolt", duplicate_of=1)
    assert await titles(articles, days=7, q=understand("firewall")) == [
        "Another firewall",
        "Firewall flaw",
    ]
    assert await titles(articles, days=7, tag="x") == ["Another firewall", "Firewall flaw"]
    assert await titles(articles, days=7, source="bolt") == ["Other", "Copy"]
    page = await articles.page(ArticleQuery(days=7, q=understand("firewall")))
    assert page.found == 2


@pytest.mark.parametrize("words", [None, "text"])
async def test_it_is_paged_to_its_end_with_equal_scores(
    articles: Articles, shelf: Shelf, words: str | None
) -> None:
    expected = [scored(shelf, f"n{n}", 0.7123, n % 3) for n in range(7)][::-1]
    seen: list[int] = []
    cursor = None
    while True:
        page = await articles.page(ArticleQuery(days=7, q=asked(words)), cursor=cursor, limit=3)
        seen += [one.id for one in page.articles]
        cursor = page.next
        if cursor is None:
            break
    assert seen == expected


async def test_neighbours_are_the_next_better_and_the_next_worse(
    articles: Articles, shelf: Shelf
) -> None:
    best, middle, last = (scored(shelf, f"{score}", score) for score in (0.9, 0.5, 0.1))
    plain = shelf.article("plain")
    query = ArticleQuery(days=7)

    async def around(number: int) -> list[int | None]:
        found = await articles.neighbours(query, await articles.get(number))
        return [one.id if one else None for one in found]

    assert await around(middle) == [best, last]
    assert await around(best) == [None, middle]
    assert await around(last) == [middle, None]
    assert await around(plain) == [None, None]


async def test_a_score_is_shown_with_its_parts(articles: Articles, shelf: Shelf) -> None:
    number = scored(shelf, "one", 0.7123)
    [summary] = (await articles.page(ArticleQuery())).articles
    detail = await articles.get(number)
    assert summary.score == detail.score == 0.7123
    assert summary.parts[0].evidence == ("a", "b", "c", "d", "e")
    assert detail.parts[0].evidence == ("a", "b", "c", "d", "e", "f")
    assert detail.parts[0].note == "n"


async def test_articles_of_an_entry_of_the_watchlist(articles: Articles, shelf: Shelf) -> None:
    has = shelf.article("has")
    shelf.article("other")
    shelf.run(
        "INSERT INTO watchlist_entry (kind, term, weight, actor) VALUES ('vendor', 'x', 1, 't')"
    )
    shelf.run(
        """
        INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)
        SELECT id, %s, 1, true, 0, 0 FROM watchlist_entry
        """,
        (has,),
    )
    [entry] = shelf.run("SELECT id FROM watchlist_entry")
    assert await titles(articles, watch=entry) == ["has"]


def test_a_cursor_leads_back_to_its_place() -> None:
    place = ScorePosition(0.7123, 17)
    assert from_score_cursor(to_score_cursor(place)) == place
    for wrong in ("", "x", "A" * 23, to_score_cursor(ScorePosition(7.0, 1))):
        with pytest.raises(CursorError):
            from_score_cursor(wrong)


async def test_a_cursor_of_another_list_is_refused(articles: Articles, shelf: Shelf) -> None:
    for number in range(3):
        scored(shelf, f"n{number}", 0.5)
    newest = await articles.page(ArticleQuery(), limit=1)
    best = await articles.page(ArticleQuery(days=7), limit=1)
    with pytest.raises(CursorError):
        await articles.page(ArticleQuery(days=7), cursor=newest.next)
    with pytest.raises(CursorError):
        await articles.page(ArticleQuery(), cursor=best.next)
