"""Texts in passages: nothing is left out, nothing stands twice, and pauses are kept to."""

import re
import time
from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ctiscraper.embed.minilm import open_tokenizer
from ctiscraper.embed.passages import MOST_TOKENS, Passage, cut, passages_of


@cache
def tokenizer() -> Tokenizer:
    return open_tokenizer()


def words(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r"\S+", text)]


def covers(text: str, found: list[Passage]) -> bool:
    joined = "".join(text[one.start : one.end] for one in found)
    follow = all(one.end == other.start for one, other in pairwise(found))
    return joined == text and follow and all(one.end > one.start for one in found)


@settings(max_examples=60)
@given(st.text(max_size=600), st.integers(2, 30))
def test_every_character_of_any_text_is_in_one_passage(text: str, most: int) -> None:
    found = passages_of(tokenizer(), text, most=most)
    begins = {start for start, _ in tokenizer().encode(text, add_special_tokens=False).offsets}
    assert covers(text, found) if begins else not found
    for one in found:
        assert 0 < sum(one.start <= start < one.end for start in begins) <= most or one == found[0]


@given(
    st.lists(st.sampled_from(["word", "end.", "\n", "\n\n", " ", "\u3002", "x" * 40]), max_size=400)
)
def test_no_passage_has_more_tokens_than_it_may(pieces: list[str]) -> None:
    text = " ".join(pieces)
    begins = words(text)
    found = cut(text, begins, most=12)
    assert covers(text, found) if begins else not found
    assert all(sum(one.start <= at < one.end for at in begins) <= 12 for one in found)


def test_a_passage_ends_with_a_paragraph_where_it_can() -> None:
    first, second = "one two three. " * 40, "four five six. " * 40
    text = f"{first.strip()}\n\n{second.strip()}"
    found = cut(text, words(text), most=180)
    assert text[found[0].start : found[0].end] == f"{first.strip()}\n\n"


def test_a_passage_ends_with_a_sentence_where_no_paragraph_does() -> None:
    text = "This is a sentence of seven words. " * 60
    found = cut(text, words(text), most=150)
    assert len(found) > 1
    assert all(text[one.start : one.end].rstrip().endswith(".") for one in found)


def test_a_text_without_a_pause_is_cut_between_tokens() -> None:
    text = "a" * 3000 + "\u4e00" * 3000
    found = passages_of(tokenizer(), text)
    assert covers(text, found)
    assert len(found) >= 3000 // MOST_TOKENS


def test_nothing_but_space_says_nothing() -> None:
    assert passages_of(tokenizer(), " \n\t ") == []
    assert passages_of(tokenizer(), "") == []


def test_a_long_hostile_text_is_cut_in_time() -> None:
    text = ("." * 2000 + " ") * 200 + "\n" * 100_000 + "!\u201d" * 50_000
    begun = time.process_time()
    assert covers(text, passages_of(tokenizer(), text))
    assert time.process_time() - begun < 20
