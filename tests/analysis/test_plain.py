"""What a model writes becomes one line of plain text."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.plain import first_sentence, plain_line, storable

PIECES = st.lists(
    st.sampled_from(
        ["![", "](", ")", "[", "]", "<", ">", "<b", "script", "!", "https://a.example/x", "(", "\n",
         "# ", "**", "`", "word", " ", "\u202e", "\x1b", "javascript:", "<!--", "-->", ":"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(PIECES | st.text(max_size=200))
def test_nothing_is_left_that_is_drawn_or_followed(text: str) -> None:
    line = plain_line(text, 300)
    assert not re.search(r"!\[|\]\(|https?://|javascript:\S", line)
    assert not re.search(r"<(?:script|b)[^<>]*>", line)
    assert len(line.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Co", "Cs", "Cn"}
    assert len(line) <= 300
    line.encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a ![b](https://x.example/c) d", "a b d"),
        ("a [b](https://x.example/(c)) d", "a b d"),
        ("a <b>c</b> <img src=x>d", "a c d"),
        ("**bold** and `code` and __more__", "bold and code and more"),
        ("# Head", "Head"),
        ("- item\n- item", "item - item"),
        ("see https://x.example/c?d=1 now", "see hxxps://x[.]example/c?d=1 now"),
        ("x < y and y > z", "x < y and y > z"),
        ("C:\\Users\\a_b_c and *.exe", "C:\\Users\\a_b_c and *.exe"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("plain words", "plain words"),
    ],
)
def test_words_stay_and_marks_go(text: str, line: str) -> None:
    assert plain_line(text, 300) == line


def test_a_long_line_is_shortened_visibly() -> None:
    assert plain_line("word " * 100, 20) == "word word word word…"


def test_a_raw_answer_is_kept_so_far_as_a_database_can_hold_it() -> None:
    assert storable("a\x00b\ud800\n<script>", 100) == "a\ufffdb\ufffd\n<script>"
    assert storable("abcdef", 3) == "abc\n[3 more characters]"


def test_of_several_sentences_the_first_is_taken() -> None:
    said = "The intruders came by mail. They left by sea. Nobody saw them."
    assert first_sentence(said) == "The intruders came by mail."
    for one in ("Dr. Smith of St. Anne was hit.", "Version 1.2 ran in U.S. hospitals, e.g. here.",
                "It ran calc.exe and cmd.exe twice", ""):  # fmt: skip
        assert first_sentence(one) == one
