"""Verdicts and their reasons in words."""

import pytest

from ctiscraper.intelligence import Verdict
from ctiscraper.web.verdict_words import (
    AGAINST,
    FOR,
    NEITHER,
    VERDICTS,
    reason_of,
    rule_words,
    verdict_words,
)


@pytest.mark.parametrize(
    ("stored", "words", "side", "detail"),
    [
        ("defanged", "Written so that nobody opens it by accident", FOR, ""),
        ("attack:beacons to", "Its sentence tells of an attack", FOR, "beacons to"),
        ("popular_10k:tranco", "Among the ten thousand most popular sites", AGAINST, "tranco"),
        ("same_host", "On the same host as an indicator", FOR, ""),
        ("reserved:IPv4", "Reserved: it stands for nobody", AGAINST, "IPv4"),
        ("known_good", "Held no more than suspicious, as it is known to be good", NEITHER, ""),
        ("may be:APT28 (G0007)", "The name may also mean", NEITHER, "APT28 (G0007)"),
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


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("id", "by its id"),
        ("context:group", "by its name, as the words around it say: group"),
        ("again", "by a name that the text has told of before"),
        ("powershell-download", "by the rule powershell-download"),
    ],
)
def test_a_rule_says_how_it_recognises(rule: str, words: str) -> None:
    assert rule_words(rule) == words
