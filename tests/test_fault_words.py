"""Faults and dropped claims are told in words, each of them."""

from ctiscraper.analysis.proving import Dropped
from ctiscraper.errors import ModelFault
from ctiscraper.fault_words import DROPPED, FAULTS, advice_on, dropped_words, said_of


def test_every_fault_and_every_reason_has_its_words() -> None:
    assert set(FAULTS) == {*ModelFault}
    assert set(DROPPED) == {*Dropped}
    assert (said_of(None), advice_on(None)) == ("", "")


def test_reasons_are_told_with_their_numbers_the_most_frequent_first() -> None:
    assert dropped_words({"empty": 1, "unquoted": 1200, "later": 1}) == (
        "1,200 quoted words that the article does not have, or too few",
        "1 said nothing",
        "1 later",
    )
    assert dropped_words({}) == ()
