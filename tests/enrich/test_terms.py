"""Terms are found as whole words, whatever their case, in time that grows with the text alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.terms import MOST_HITS, Terms, folded
from ctiscraper.intelligence import MOST_PLACES


@pytest.mark.parametrize(
    ("term", "text", "count"),
    [
        ("fortinet", "Fortinet and FORTINET, fortinets", 2),
        ("supply chain", "Supply\nchain, supply\xa0chain, supply chains", 2),
        ("c2", "c2 (C2) c2s _c2", 2),
        ("-enc", "powershell -enc AAAA -encoded", 1),
        ("Straße", "STRAßE straße", 2),
        ("acme", "İacme acme\ud800 \ud800acme", 2),
    ],
)
def test_a_term_is_found_as_a_whole_word(term: str, text: str, count: int) -> None:
    assert Terms([term]).find(text)[0].count == count


def test_places_are_those_of_the_text_as_given() -> None:
    text = "İstanbul: Example Firewall\ud800, EXAMPLE firewall"
    found = Terms(["example", "example firewall", ""]).find(text)
    assert [text[start:end] for start, end in found[1].places] == [
        "Example Firewall",
        "EXAMPLE firewall",
    ]
    assert set(found) == {0, 1}


def test_two_of_the_same_term_are_both_found() -> None:
    assert set(Terms(["acme", "Acme"]).find("ACME")) == {0, 1}


def test_terms_are_found_where_pieces_of_a_text_meet() -> None:
    text = "x " * 32_765 + "example firewall " * 3
    found = Terms(["example firewall"]).find(text)
    assert found[0].count == 3
    assert {text[start:end] for start, end in found[0].places} == {"example firewall"}


def test_nothing_is_found_for_nothing() -> None:
    assert Terms([]).find("anything") == {}
    assert Terms(["anything"]).find("") == {}


def test_a_text_made_of_hits_is_counted_to_a_bound_and_soon() -> None:
    began = time.process_time()
    found = Terms(["aa", "aa aa"]).find("aa " * 1_700_000)
    assert found[0].count + found[1].count == MOST_HITS
    assert len(found[0].places) == MOST_PLACES
    assert time.process_time() - began < 5


@given(st.text(max_size=60))
def test_a_folded_text_has_the_same_places(text: str) -> None:
    assert len(folded(text)) == len(text)


@given(st.lists(st.text(max_size=6), max_size=5), st.text(max_size=80))
def test_any_terms_in_any_text(terms: list[str], text: str) -> None:
    found = Terms(terms).find(text)
    for number, one in found.items():
        start, end = one.places[0]
        assert folded(text)[start:end] == folded(terms[number].strip())
