"""Texts are cut at paragraphs into parts that a model can take in, and nothing is lost between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.parts import Part, cut, estimated_tokens, halves, sentences

TEXTS = st.lists(
    st.sampled_from(["word", "a longer line.", "\n\n", "\n", " ", "漢字", "0123", "…!", "x" * 40]),
    max_size=80,
).map("".join)


@given(TEXTS, st.integers(1, 60))
def test_parts_meet_and_fit(text: str, most: int) -> None:
    at, whole = 0, []
    while at < len(text):
        part = cut(text, most, at)
        assert part.start == at < part.end
        piece = text[part.start : part.end]
        assert estimated_tokens(piece) <= most or len(piece) == 1
        whole.append(piece)
        at = part.end
    assert "".join(whole) == text


@given(TEXTS.filter(lambda text: len(text) > 1))
def test_halves_are_the_whole(text: str) -> None:
    left, right = halves(text, Part(0, len(text)))
    assert (left.start, left.end, right.end) == (0, right.start, len(text))
    assert left.end > 0


@pytest.mark.parametrize(
    ("text", "most", "end"),
    [
        ("one two three.\n\nfour five six seven", 8, "one two three.\n\n"),
        ("one two three\nfour five six seven eight", 8, "one two three\n"),
        ("one two three. Four five six seven eight", 8, "one two three. "),
        ("one two three four five six seven", 5, "one two three "),
        ("x" * 60, 5, "x" * 15),
    ],
)
def test_where_a_part_ends(text: str, most: int, end: str) -> None:
    assert text[: cut(text, most).end] == end


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("cat", 1), ("catalogue", 3), ("a b", 2), ("2025", 4), ("漢", 3), ("\n\n", 2),
     ("d41d8cd9", 7)],
)  # fmt: skip
def test_tokens_are_not_reckoned_too_few(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_sentences_are_found_each_once() -> None:
    text = (
        'They came, e.g. by mail. "Run it." They ran x.exe.\n- one item\n\nThey ran x.exe. '
        "\u5df2\u4fee\u590d\u3002\u8bf7\u66f4\u65b0\u3002"
    )
    assert sentences(text, 400) == (
        "They came, e.g. by mail.", '"Run it."', "They ran x.exe.", "- one item",
        "\u5df2\u4fee\u590d\u3002", "\u8bf7\u66f4\u65b0\u3002",
    )  # fmt: skip
    assert sentences("one two three", 8) == ("one two", "three")
    assert sentences("x" * 20, 8) == ("x" * 8, "x" * 4)


@given(TEXTS, st.integers(1, 50))
def test_sentences_stand_in_their_text(text: str, longest: int) -> None:
    found = sentences(text, longest)
    assert all(one in text and 0 < len(one) <= longest for one in found)
    letters = set("".join(text.split()))
    assert set("".join("".join(found).split())) == letters
