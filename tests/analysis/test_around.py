"""The sentences around a quotation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.around import named_at, sentences_at

TEXT = """A title of it

Dr. Ann Gray of the U.S. Navy came (in May.) "It never ran." She left at 5.30 p.m.
- one item of it
- another
and its end

Last words"""


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ("title", "A title of it"),
        ("Gray", "Dr. Ann Gray of the U.S. Navy came (in May.)"),
        ("came (in May.)", "Dr. Ann Gray of the U.S. Navy came (in May.)"),
        ("ran", '"It never ran."'),
        ('"It never ran."', '"It never ran."'),
        ("5.30", "She left at 5.30 p.m."),
        ('ran." She', '"It never ran." She left at 5.30 p.m.'),
        ("one item", "- one item of it"),
        ("another", "- another\nand its end"),
        ("Last words", "Last words"),
    ],
)  # fmt: skip
def test_words_are_widened_to_their_sentences(words: str, whole: str) -> None:
    start = TEXT.index(words)
    assert sentences_at(TEXT, start, start + len(words)) == whole


def test_the_sentence_before_comes_along_where_words_refer_to_it() -> None:
    text = "Ann came. She left. Bob stayed with Eve."
    for words, whole in (
        ("left", "Ann came. She left."),
        ("stayed", "Bob stayed with Eve."),
        ("came", "Ann came."),
        ("She left. Bob", text),
    ):
        start = text.index(words)
        assert named_at(text, start, start + len(words)) == whole


@given(st.text(max_size=100), st.integers(0, 99), st.integers(1, 30))
def test_what_is_widened_is_in_it(text: str, start: int, length: int) -> None:
    words = text[start : start + length]
    if words.strip():
        assert words.strip() in sentences_at(text, start, start + len(words))
