"""The words of articles, counted, and those that are nearly spelt so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db import known_words
from ctiscraper.db.known_words import (
    KnownWords,
    articles_with,
    letters_of,
    spelt_nearly,
    words_of,
)
from ctiscraper.db.session import Database
from ctiscraper.db.suggestions import distance
from web.shelf import Shelf


def test_words_are_those_of_a_language() -> None:
    text = "Ransomware, ransomware; log4shell d41d8cd98f00b204 über-Maß 12345 the don't C2 x_y"
    assert words_of(text) == {"ransomware", "log4shell", "über"}
    assert words_of("a" * 31) == set()


async def test_each_article_is_counted_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_words, "BATCH", 2)
    shelf = Shelf(database)
    for number in range(3):
        shelf.article(f"n{number}", text="Loaders loaders everywhere.")
    async with Database(database, size=2) as opened:
        words = KnownWords(opened)
        assert (await words.count_next()).over is False
        assert (await words.count_next()).over is True
        assert (await words.count_next()).articles == 0
        shelf.article("later", text="Loaders again.")
        assert (await words.count_next()).articles == 1
        async with opened.connection() as conn:
            found = await articles_with(conn, ["loaders", "everywhere", "nothing"])
    assert found == {"loaders": 4, "everywhere": 3}


async def test_only_the_newest_are_counted_at_first(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_words, "REACH", 1)
    shelf = Shelf(database)
    for number in range(3):
        shelf.article(f"n{number}", text=f"Word{number}.")
    async with Database(database, size=1) as opened:
        assert (await KnownWords(opened).count_next()).articles == 1


async def test_the_rarest_are_forgotten_where_there_are_too_many(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_words, "MOST_KEPT", 2)
    shelf = Shelf(database)
    shelf.article("n0000", text="Often seldom")
    shelf.article("n0000", text="Often never")
    async with Database(database, size=1) as opened:
        words = KnownWords(opened)
        assert await words.drop_rarest() == 0
        await words.count_next()
        assert await words.drop_rarest() == 2
        assert await words.drop_rarest() == 0
        async with opened.connection() as conn:
            assert await articles_with(conn, ["often", "seldom", "never"]) == {"often": 2}


async def test_near_words_come_with_the_most_frequent_first(database: str) -> None:
    shelf = Shelf(database)
    for word, articles in (("ransomware", 9), ("ransomwares", 2), ("ransom", 50), ("once", 1)):
        shelf.run("INSERT INTO known_word VALUES (%s, %s, %s)", (word, letters_of(word), articles))
    async with Database(database, size=1) as opened, opened.connection() as conn:
        assert await spelt_nearly(conn, "ransomwaer", 2) == ["ransomware", "ransomwares"]
        assert await spelt_nearly(conn, "onse", 1) == []


WORDS = st.text(alphabet="abcdefgh\u00e9\u4e00", min_size=4, max_size=12)


@given(WORDS, WORDS)
def test_letters_tell_no_two_words_apart_that_differ_in_little(one: str, other: str) -> None:
    far = distance(one, other, 3)
    if far <= 2:
        assert (letters_of(one) ^ letters_of(other)).bit_count() <= 2 * far
