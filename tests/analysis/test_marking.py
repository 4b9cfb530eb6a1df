"""How guarded a text is: the strictest marking in it, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.marking import marking
from ctiscraper.types import Tlp


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Tlp.CLEAR),
        ("Nothing is marked here.", Tlp.CLEAR),
        ("TLP:WHITE", Tlp.CLEAR),
        ("tlp:green", Tlp.GREEN),
        ("TLP: AMBER", Tlp.AMBER),
        ("TLP:AMBER+STRICT", Tlp.AMBER_STRICT),
        ("TLP:AMBER STRICT", Tlp.AMBER_STRICT),
        ("[TLP-RED]", Tlp.RED),
        ("TLP\uff1aRED", Tlp.RED),
        ("T\u200bLP:R\u00adED", Tlp.RED),
        ("TLP\u2014[AMBER]", Tlp.AMBER),
        ("TLP:GREEN here, TLP:AMBER there, TLP:CLEAR at last", Tlp.AMBER),
        ("HTLP:RED is no marking, nor is TLP:REDACTED", Tlp.CLEAR),
    ],
)
def test_the_strictest_counts(text: str, expected: Tlp) -> None:
    assert marking(text) is expected


def test_the_source_is_the_least() -> None:
    assert marking("TLP:GREEN", least=Tlp.RED) is Tlp.RED
    assert marking("title", "TLP:AMBER", least=Tlp.GREEN) is Tlp.AMBER


def test_the_ceiling_is_allowed_itself() -> None:
    assert not Tlp.AMBER.exceeds(Tlp.AMBER)
    assert Tlp.AMBER_STRICT.exceeds(Tlp.AMBER)
    assert not Tlp.CLEAR.exceeds(Tlp.RED)


@given(st.text(), st.sampled_from(["GREEN", "AMBER", "RED"]))
def test_no_words_around_it_hide_a_marking(words: str, level: str) -> None:
    assert marking(f"{words} \n TLP:{level} \n {words}") in {
        Tlp(level.lower()), Tlp.RED, Tlp.AMBER, Tlp.AMBER_STRICT
    }  # fmt: skip
