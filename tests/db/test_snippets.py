"""The pieces of texts that a search matched."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.search import search_document
from ctiscraper.db.searched import Shown
from ctiscraper.db.session import Database
from ctiscraper.db.snippets import LONGEST, _pattern, _piece
from ctiscraper.views import ArticleQuery, Snippet
from web.shelf import Shelf

FILLER = "Nothing to see here, as so often. " * 30


async def snippet(database: str, shelf: Shelf, text: str, typed: str) -> Snippet | None:
    number = shelf.article("Heading", text=text)
    shelf.run(
        "UPDATE article SET search = search || to_tsvector('english', %s) WHERE id = %s",
        (search_document(text), number),
    )
    async with Database(database, size=1) as opened:
        page = await Articles(opened).page(
            ArticleQuery(q=understand(typed)), shown=Shown(snippets=True)
        )
    [article] = page.articles
    return article.snippet


SEEN = (
    ("The loaders hid in printers.", "loader", ["loaders"]),
    ("Happy are the studies of happiness.", "happy studying", ["Happy", "studies", "happiness"]),
    ("It ran powershell.exe twice.", "powershell", ["powershell"]),
    ("Seen at hxxps://evil[.]example/a today.", "evil.example", ["evil", "example"]),
    ('It said "lateral movement" twice.', '"lateral movement"', ["lateral", "movement"]),
    ("It is T1059.001 again.", "T1059", ["T1059"]),
    ("Ransomware and ransom notes.", "ransom*", ["Ransomware", "ransom"]),
    ("Seen at evil.example/stage2 today.", "evil.example/stage2", ["evil", "example", "stage2"]),
    ("A loader without advertisement.", "loader -printer", ["loader"]),
    ("<b>A loader</b> & more.", "loader", ["loader"]),
)


@pytest.mark.parametrize(("text", "typed", "marked"), SEEN)
async def test_the_matched_words_are_marked(
    database: str, shelf: Shelf, text: str, typed: str, marked: list[str]
) -> None:
    found = await snippet(database, shelf, FILLER + text + FILLER, typed)
    assert found is not None
    assert len(found.text) <= LONGEST + 4
    said = [found.text[start:end] for start, end in found.marks]
    assert said == marked
    assert text[:20].split()[1] in found.text


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


async def test_a_text_that_has_none_of_the_words_has_no_piece(database: str, shelf: Shelf) -> None:
    assert await snippet(database, shelf, "Nothing.", "heading -words") is None


async def test_the_place_with_most_of_the_words_is_shown(database: str, shelf: Shelf) -> None:
    text = f"A loader here. {FILLER} The loader fetched stage two. {FILLER} Another loader."
    found = await snippet(database, shelf, text, "loader stage")
    assert found is not None
    assert "fetched stage two" in found.text
    assert found.text.startswith("\u2026 ")
    assert found.text.endswith(" \u2026")


@given(st.text(), st.text(min_size=1, max_size=10))
def test_a_piece_is_of_the_text(text: str, word: str) -> None:
    pattern = _pattern("'{}'".format(word.replace("'", "''")))
    piece = _piece(text, pattern) if pattern else None
    assert piece is None or len(piece) <= LONGEST + 4


def test_a_long_text_is_looked_at_quickly() -> None:
    pattern = _pattern(" | ".join(f"'a{'b' * n}'" for n in range(60)))
    assert pattern is not None
    started = time.process_time()
    for text in ("a" * 200_000, "ab " * 60_000, "a" * 100 + " " * 100_000):
        _piece(text, pattern)
    assert time.process_time() - started < 3
