"""What is claimed of texts, as values: how long a thing that was seen still says something."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name, freshness

KINDS = [*(kind.value for kind in Kind), *(name.value for name in Name), "something new"]


@given(st.sampled_from(KINDS), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_what_was_seen_earlier_never_says_more(kind: str, days: float, more: float) -> None:
    assert 0.0 <= freshness(kind, days + more) <= freshness(kind, days) <= 1.0


def test_addresses_age_sooner_than_domains_and_these_sooner_than_files() -> None:
    assert freshness("ipv4", 60) < freshness("domain", 60) < freshness("sha256", 60)
    assert math.isclose(freshness("ipv4", 30), 0.5)
    assert freshness("sha256", 0) == 1.0


def test_a_kind_of_name_is_never_one_of_an_observable() -> None:
    assert {kind.value for kind in Kind}.isdisjoint(name.value for name in Name)
