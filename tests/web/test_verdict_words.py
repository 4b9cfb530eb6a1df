"""Verdicts and their reasons in words."""

import pytest

from ctiscraper.intelligence import Verdict
from ctiscraper.web.verdict_words import AGAINST, FOR, NEITHER, VERDICTS, reason_of, verdict_words


@pytest.mark.parametrize(
    ("stored", "words", "side", "detail"),
    [
        ("defanged", "Written so that nobody opens it by accident", FOR, ""),
        ("attack:beacons to", "Its sentence tells of an attack", FOR, "beacons to"),
        ("popular:10k", "Among the ten thousand most popular sites", AGAINST, ""),
        ("popular:tranco", "Among the most popular sites", AGAINST, "tranco"),
        ("from_the_future:x:y", "From the future", NEITHER, "x:y"),
    ],
)
def test_a_reason_says_what_it_is_and_for_which_side(
    stored: str, words: str, side: str, detail: str
) -> None:
    found = reason_of(stored)
    assert (found.words, found.side, found.detail) == (words, side, detail)


def test_every_verdict_has_its_word() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert verdict_words(Verdict.BENIGN) == "Benign"
    assert verdict_words(None) == ""
