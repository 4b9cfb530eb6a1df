"""Faults and dropped claims are told in words, each of them."""

from ctiscraper.analysis.proving import Dropped
from ctiscraper.detect.flaws import Flaw
from ctiscraper.errors import ModelFault
from ctiscraper.fault_words import (
    DROPPED,
    FAULTS,
    REFUSED_RULES,
    advice_on,
    dropped_words,
    failed_parts_words,
    refused_words,
    said_of,
)


def test_every_fault_and_every_reason_has_its_words() -> None:
    assert set(FAULTS) == {*ModelFault}
    assert set(DROPPED) == {*Dropped}
    assert set(REFUSED_RULES) == {*Flaw}
    assert (said_of(None), advice_on(None)) == ("", "")


def test_reasons_are_told_with_their_numbers_the_most_frequent_first() -> None:
    assert dropped_words({"empty": 1, "unquoted": 1200, "no_yaml": 2}) == (
        "1,200 quoted words that the article does not have, or too few",
        "2 could not be read as YAML",
        "1 said nothing",
    )
    assert dropped_words({}) == ()


def test_parts_that_failed_are_told_of_how_many_and_why() -> None:
    assert failed_parts_words({}, 3) == ""
    assert failed_parts_words({"bad_answer": 1}, 2) == (
        "One part of 3 got no usable answer (the answer is not of the form that was asked for)"
    )
    assert failed_parts_words({"timeout": 1, "cut_off": 2}, 1) == (
        "3 parts of 4 got no usable answer (the answer was cut off before its end; the answer did"
        " not come in time)"
    )
    assert failed_parts_words({"<b>": 1}, 1) == "One part of 2 got no usable answer"


def test_a_reason_that_a_model_made_is_not_repeated() -> None:
    made = {"this is no YAML: open https://collect.example": 2, "Obeyed": 1}
    assert dropped_words(made) == ("3 did not hold for another reason",)
    assert refused_words("Obeyed") == "did not hold for another reason"
