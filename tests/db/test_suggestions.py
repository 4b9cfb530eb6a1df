"""What a word with no hit may have been meant for."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.asking import understand
from ctiscraper.db import suggestions
from ctiscraper.db.articles import Articles
from ctiscraper.db.known_words import letters_of
from ctiscraper.db.session import Database
from ctiscraper.db.suggestions import distance
from ctiscraper.views import ArticleQuery
from web.shelf import Shelf


@pytest_asyncio.fixture
async def articles(database: str) -> AsyncIterator[Articles]:
    shelf = Shelf(database)
    shelf.article("one", text="A loader of words.")
    for label, kind, name in (
        ("lazarusgroup", "actor", "Lazarus Group"),
        ("lockbit", "ransomware", "LockBit"),
        ("cobaltstrike", "tool", "Cobalt Strike"),
    ):
        shelf.run("INSERT INTO known_name VALUES (%s, %s, %s, %s)", (label, kind, name, name))
    async with Database(database, size=2) as opened:
        yield Articles(opened)


MEANT: tuple[tuple[str, list[str]], ...] = (
    ("lokcbit", ["LockBit"]),
    ("words lockbot -loader", ["words LockBit -loader"]),
    ("ockbit", ["LockBit"]),
    ("pockbit", ["LockBit"]),
    ('actor:"Lazarus Gxoup" words', ['actor:"Lazarus Group" words']),
    ("malware:cobltstrike", ['malware:"Cobalt Strike"']),
    ('"cobalt strke"', ['"Cobalt Strike"']),
    ("lok", []),
    ("lockbit", []),
    ("lokcbi*", []),
    ("-lokcbit nothinglikethis", []),
    ("loader nothinglikethis", []),
)


async def test_names_that_are_nearly_spelt_so_are_proposed(articles: Articles) -> None:
    for typed, expected in MEANT:
        page = await articles.page(ArticleQuery(q=understand(typed)))
        assert (typed, page.articles) == (typed, ())
        found = [one.search for one in page.suggestions]
        assert (typed, found) == (typed, expected)


NEAR_WORDS: tuple[tuple[str, list[str]], ...] = (
    ("exfiltraton", ["exfiltration"]),
    ("Exfiltraton -loader", ["exfiltration -loader"]),
    ('"data exfiltraton"', ['"data exfiltration"']),
    ("spoolre nothinglikethis", ["spooler nothinglikethis"]),
    ("lockbitt", ["LockBit"]),
    ("actor:exfiltraton", []),
    ("onec", []),
)


async def test_words_of_articles_are_proposed_too(database: str, articles: Articles) -> None:
    shelf = Shelf(database)
    for word, count in (("exfiltration", 9), ("spooler", 4), ("once", 1), ("lockbit", 3)):
        shelf.run("INSERT INTO known_word VALUES (%s, %s, %s)", (word, letters_of(word), count))
    for typed, expected in NEAR_WORDS:
        page = await articles.page(ArticleQuery(q=understand(typed)))
        found = [one.search for one in page.suggestions]
        assert (typed, found) == (typed, expected)


async def test_a_word_that_most_articles_have_is_no_mistake(
    database: str, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(database)
    for number in range(20):
        shelf.article(f"n{number}", "bolt", text="Lockbot everywhere.")
    shelf.run("ANALYZE article")
    monkeypatch.setattr(suggestions, "FOUND_MOST", 5)
    page = await articles.page(ArticleQuery(q=understand("lockbot nothinglikethis")))
    assert (page.articles, page.suggestions) == ((), ())


async def test_where_something_is_found_nothing_is_proposed(articles: Articles) -> None:
    page = await articles.page(ArticleQuery(q=understand("loader OR lokcbit")))
    assert page.articles
    assert page.suggestions == ()


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [("", "", 0), ("ab", "ba", 1), ("abc", "ac", 1), ("abc", "abxc", 1), ("abc", "xyz", 3)],
)
def test_letters_are_counted(one: str, other: str, far: int) -> None:
    assert distance(one, other, 2) == far


@given(st.text(max_size=12), st.text(max_size=12))
def test_the_distance_is_the_same_both_ways(one: str, other: str) -> None:
    assert distance(one, other, 2) == distance(other, one, 2)
    assert (distance(one, other, 2) == 0) == (one == other)
