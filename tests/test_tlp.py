"""The marking of a text, however it is written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.tlp import Tlp, tlp_of


@pytest.mark.parametrize(
    ("text", "marking"),
    [
        ("TLP:RED\nNot for disclosure.", Tlp.RED),
        ("Marked tlp: amber by its author", Tlp.AMBER),
        ("TLP:AMBER+STRICT", Tlp.AMBER_STRICT),
        ("[TLP AMBER STRICT]", Tlp.AMBER_STRICT),
        ("TLP-GREEN", Tlp.GREEN),
        ("TLP:WHITE", Tlp.CLEAR),
        ("TLP:CLEAR", Tlp.CLEAR),
        ("TLP 2.0: GREEN", Tlp.GREEN),
        ("Traffic Light Protocol: RED", Tlp.RED),
        ("Traffic Light Protocol (TLP): AMBER", Tlp.AMBER),
        ("\uff34\uff2c\uff30\uff1a\uff32\uff25\uff24", Tlp.RED),
        ("TLP:\u200bR\u00adED", Tlp.RED),
        ("TLP:\u00a0\n**RED**", Tlp.RED),
        ("(TLP:[GREEN])", Tlp.GREEN),
        ("tlp=amber", Tlp.AMBER),
        ("TLP\u2014[AMBER]", Tlp.AMBER),
        ("TLP | AMBER & STRICT", Tlp.AMBER_STRICT),
        ("T\u200bLP\u2066:RED", Tlp.RED),
        ("TLP.RED", Tlp.RED),
        ("TLP:<RED>", Tlp.RED),
        ("TLP level: RED", Tlp.RED),
        ("TLP classification \u2013 AMBER", Tlp.AMBER),
        ("| TLP |\n| ------- |\n| RED |", Tlp.RED),
    ],
)
def test_a_marking_is_read(text: str, marking: Tlp) -> None:
    assert tlp_of(text) is marking


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The RedLine stealer",
        "TLP:REDLINE",
        "HTTLP: RED",
        "a traffic light that is red",
        "TLP is a protocol of colours. Later on, red appears.",
        "Strict red lines",
    ],
)
def test_what_is_no_marking_is_not_read_as_one(text: str) -> None:
    assert tlp_of(text) is None


def test_the_strictest_of_several_counts() -> None:
    assert tlp_of("TLP:CLEAR above, TLP:AMBER in the annex, TLP:GREEN below") is Tlp.AMBER
    assert tlp_of("TLP:AMBER+STRICT and TLP:AMBER") is Tlp.AMBER_STRICT


def test_markings_are_in_order() -> None:
    order = list(Tlp)
    for place, marking in enumerate(order):
        assert [one for one in order if marking.exceeds(one)] == order[:place]


@given(st.text(), st.sampled_from(list(Tlp)), st.text())
def test_nothing_around_a_marking_hides_it(before: str, marking: Tlp, after: str) -> None:
    found = tlp_of(f"{before}\n TLP:{marking.value.upper()} \n{after}")
    assert found is not None
    assert not marking.exceeds(found)


@pytest.mark.parametrize("piece", ["tlp", "tlp ", "tlp:", "traffic light ", "TLP:amber+", "\uff34"])
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    begun = time.process_time()
    tlp_of(text)
    assert time.process_time() - begun < 5
