"""What stands around a place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.context import Sections, sentence_at


def sentence(text: str, word: str) -> str:
    start = text.index(word)
    first, last = sentence_at(text, start, start + len(word))
    return text[first:last]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. It calls MARK first. Then it stops.", "It calls MARK first."),
        ("It calls MARK first", "It calls MARK first"),
        ("Line one\n- MARK is here\nLine three", "- MARK is here"),
        ("See e.g. The MARK of it. No more.", "See e.g. The MARK of it."),
        ("He said “stop.” MARK went on.", "MARK went on."),
        ("The U.S. Government saw MARK. It left.", "The U.S. Government saw MARK."),
        ("Was it MARK? Yes.", "Was it MARK?"),
        ("MARK", "MARK"),
    ],
)
def test_the_sentence_is_found(text: str, expected: str) -> None:
    assert sentence(text, "MARK") == expected


def test_a_long_line_is_cut_around_the_place() -> None:
    found = sentence("word " * 1000 + "MARK" + " word" * 1000, "MARK")
    assert "MARK" in found
    assert len(found) <= 1010


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_sentence_holds_its_place(before: str, after: str) -> None:
    text = f"{before}MARK{after}"
    start = len(before)
    first, last = sentence_at(text, start, start + 4)
    assert first <= start <= start + 4 <= last <= len(text)


HTML = "<h2>Summary &amp; scope</h2><p>A</p><h3>The <em>Summary</em></h3><p>B</p>"
TEXT = "Before\n\nSummary & scope\n\nA text about The Summary\n\nThe Summary\n\nB"


def test_sections_are_those_of_the_headings() -> None:
    sections = Sections(TEXT, HTML)
    assert sections.at(0) == ""
    assert sections.at(TEXT.index("A text")) == "Summary & scope"
    assert sections.at(TEXT.index("about")) == "Summary & scope"
    assert sections.at(len(TEXT) - 1) == "The Summary"


def test_a_heading_that_the_text_lacks_changes_nothing() -> None:
    sections = Sections("A\n\nB", "<h2>Gone</h2><h2>B</h2>")
    assert sections.at(3) == "B"
    assert Sections("", "").at(0) == ""
