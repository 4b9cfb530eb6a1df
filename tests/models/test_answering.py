"""Pieces become an answer, until they are none any more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.answering import Answer, most_bytes, tokens_of


def add_each(answer: Answer, parts: list[str]) -> None:
    """Piece by piece."""
    for part in parts:
        answer.add(part)


@given(st.lists(st.text(alphabet="ab \n\0é", max_size=20), max_size=30))
def test_pieces_are_joined_and_told_as_they_come(parts: list[str]) -> None:
    said: list[str] = []
    answer = Answer("it", 100, said.append)
    for part in parts:
        answer.add(part)
    assert answer.text == "".join(said) == "".join(parts).replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert answer.pieces == len(said) == sum(map(bool, parts))


def test_white_space_may_stand_between_words_but_not_go_on_for_ever() -> None:
    answer = Answer("it", 1_000, None)
    for _ in range(20):
        answer.add("word" + " " * 300)
    with pytest.raises(ModelError, match="white space") as caught:
        add_each(answer, ["\n \t   \n\n\n"] * 50)
    assert caught.value.fault is ModelFault.BAD_ANSWER
    assert caught.value.raw.startswith("word")


def test_no_answer_is_longer_than_its_tokens_can_be() -> None:
    answer = Answer("it", 2, None)
    with pytest.raises(ModelError, match="more than it was allowed to") as caught:
        add_each(answer, ["word" * 25] * 10)
    assert len(caught.value.raw) == 400


def test_an_end_that_nobody_said_keeps_what_came() -> None:
    answer = Answer("it", 9, None)
    answer.add("so far")
    assert (answer.ended_early().fault, answer.ended_early().raw) == (
        ModelFault.BROKE_OFF,
        "so far",
    )


def test_costs_are_reckoned_where_nobody_tells() -> None:
    assert tokens_of("") == 0
    assert tokens_of("\ud800") == 1
    assert tokens_of("a" * 400) == 101
    assert most_bytes(1_000) > 1_000 * 1_000
