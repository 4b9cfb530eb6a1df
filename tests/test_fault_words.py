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


def test_a_reason_that_a_model_made_is_not_repeated() -> None:
    made = {"this is no YAML: open https://collect.example": 2, "Obeyed": 1}
    assert dropped_words(made) == ("3 did not hold for another reason",)
    assert refused_words("Obeyed") == "did not hold for another reason"
