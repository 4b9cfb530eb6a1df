"""What is new to saved searches, counted together and in the time that there is for all."""

from collections.abc import Sequence

import pytest

from ctiscraper.asking import understand
from ctiscraper.db import saved_news
from ctiscraper.db.saved_news import MOST, news_of
from ctiscraper.db.session import Database
from lock_waits import held
from people import person
from web.shelf import Shelf

TERMS = 60
SLOW = "score>=10"


async def counts(opened: Database, user: int, searches: Sequence[str]) -> list[int | None]:
    """How many articles are new to each of them."""
    questions = {number: understand(text) for number, text in enumerate(searches)}
    news = await news_of(opened, user, questions)
    return [news[number].new if number in news else None for number in questions]


async def test_a_hundred_long_searches_are_counted_by_few_statements(
    database: str, opened: Database, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_news, "WHOLE_SECONDS", 60.0)
    Shelf(database).article("A loader")
    user = await person(opened)
    long = [
        " OR ".join([*(f"actor:n{search}x{term}" for term in range(TERMS)), "loader"])
        for search in range(MOST)
    ]
    sent.clear()
    assert await counts(opened, user, long) == [1] * MOST
    assert len(sent) <= 80, "of 6,100 leaves"
    sent.clear()
    usual = [f"actor:n{number}" for number in range(MOST)]
    assert await counts(opened, user, usual) == [0] * MOST
    assert len(sent) <= 6, "as those that people keep"


async def test_a_search_that_fails_takes_no_count_of_others_with_it(
    database: str, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_news, "WHOLE_SECONDS", 4.0)
    Shelf(database).article("A loader")
    user = await person(opened)
    searches = ("loader", SLOW, "actor:nobody OR loader")
    questions = {number: understand(text) for number, text in enumerate(searches)}
    with held(database, "article_score"):
        news = await news_of(opened, user, questions)
    assert [news[number].new for number in questions] == [1, None, 1]
    assert [len(news[number].notes) for number in questions] == [0, 0, 1]


async def test_what_is_not_counted_in_time_is_not_counted_and_what_is_stays(
    database: str, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_news, "TOGETHER", 1)
    monkeypatch.setattr(saved_news, "WHOLE_SECONDS", 2.0)
    Shelf(database).article("A loader")
    user = await person(opened)
    with held(database, "article_score"):
        found = await counts(opened, user, ("loader", *[SLOW] * 98, "loader"))
    assert found == [1, *[None] * 99]


async def test_without_time_to_resolve_them_nothing_is_said_of_any(
    database: str, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_news, "WHOLE_SECONDS", 0.4)
    user = await person(opened)
    with held(database, "saved_search_seen"):
        assert await news_of(opened, user, {1: understand("loader")}) == {}
    assert (await news_of(opened, user, {1: understand("loader")}))[1].new == 0
