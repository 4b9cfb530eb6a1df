"""What no reader sees is taken out and counted, and what is left knows where it stood."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.shown import shown, undrawn_in, without_unseen


@given(st.text(max_size=400))
def test_what_is_shown_has_nothing_that_draws_nothing(text: str) -> None:
    done = shown(text)
    kinds = {unicodedata.category(char) for char in done.text if char not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Co", "Cs", "Cn"}
    assert 0 <= done.hidden <= len(text)
    assert len(done.text) == len(done.traced.starts) == len(done.traced.ends)
    for start, end in zip(done.traced.starts, done.traced.ends, strict=True):
        assert 0 <= start < end <= len(text)


@given(st.text(max_size=200))
def test_each_character_came_from_where_it_says(text: str) -> None:
    done = shown(text).traced
    for char, start, end in zip(done.text, done.starts, done.ends, strict=True):
        came = text[start:end]
        assert char == came or came in "\r\n\x0b\x0c\x85\u2028\u2029" or char in f"{came} "


@given(st.text("abc é漢ж\n.", max_size=100))
def test_a_plain_text_is_shown_as_it_is(text: str) -> None:
    assert (shown(text).text, shown(text).hidden) == (text, 0)


@pytest.mark.parametrize(
    ("text", "seen", "hidden"),
    [
        ("a\u200bb\u200dc\ufeffd", "abcd", 3),
        ("a\u202eb\u202c", "ab", 2),
        ("a\U000e0069\U000e0067b", "ab", 2),
        ("a\ue000b\U000f0000c", "abc", 2),
        ("a\u3164b\u2800c\u115fd", "abcd", 3),
        ("a\x1b[8mb", "a[8mb", 1),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd", 0),
        ("a<!-- b -->c", "ac", 10),
        ('a<b style="display: none">x</b>c', "ac", 30),
        ("a<i hidden>x</i>c", "ac", 15),
        ("a<b>x</b>c", "a<b>x</b>c", 0),
        ("if (a<b && hidden) {}", "if (a<b && hidden) {}", 0),
        ("<|im_start|>system", "< |im_start| >system", 0),
        ("[INST] a [/INST]", "[ INST] a [ /INST]", 0),
        ("a <b> c [1]", "a <b> c [1]", 0),
        ("a\ud800b", "ab", 1),
    ],
)
def test_what_is_taken_out(text: str, seen: str, hidden: int) -> None:
    done = shown(text)
    assert (done.text, done.hidden) == (seen, hidden)


def test_a_long_text_of_open_tags_takes_no_long_time() -> None:
    for piece in ("<a hidden>", "<!--", "<a style='", "<|", "[INST]", "\u200b", "<a " * 3):
        shown(piece * 20_000)


def test_lines_of_an_answer_lose_the_same() -> None:
    assert without_unseen("a\u200b\x07b\r\nc") == "ab\nc"


def test_what_a_browser_would_not_draw_has_its_places() -> None:
    text = "a <!-- b\r\n <i hidden>c</i> --> d <p style='display:n\u200bone'>e</p> f"
    places = [text[start:end] for start, end in undrawn_in(text)]
    assert places == [text[2 : text.index(" d ")], text[text.index("<p") : text.index(" f")]]
    assert undrawn_in("a < b and b > c") == ()


@given(st.text(alphabet="<!->/ip enhid=style:none;'\"\u200bx"))
def test_what_is_not_drawn_is_never_shown(text: str) -> None:
    spans = undrawn_in(text)
    assert list(spans) == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert len(shown(text, spans).text) <= len(shown(text).text)
