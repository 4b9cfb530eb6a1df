"""Characters know where they came from, whatever was done to a text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.traced import traced


@given(
    st.text("ab. []", max_size=60), st.lists(st.sampled_from([r"a+", r"\[", r"b\.", r"\s+", r"x*"]))
)
def test_places_stay_in_order_and_within_the_text(text: str, patterns: list[str]) -> None:
    made = traced(text)
    for number, pattern in enumerate(patterns):
        made = made.replaced(re.compile(pattern), lambda _, n=number: "xy"[: n % 3])  # type: ignore[misc]  # a default
    assert len(made.text) == len(made.starts) == len(made.ends)
    assert made.starts == sorted(made.starts)
    assert made.ends == sorted(made.ends)
    assert all(0 <= a < b <= len(text) for a, b in zip(made.starts, made.ends, strict=True))


def test_a_place_is_that_of_the_original() -> None:
    made = traced("see evil[.]example now").replaced(re.compile(r"\[\.\]"), lambda _: ".")
    assert made.text == "see evil.example now"
    at = made.text.index("evil.example")
    assert made.original(at, at + len("evil.example")) == (4, 18)


def test_what_is_removed_leaves_its_neighbours_where_they_were() -> None:
    made = traced("a--b").replaced(re.compile("-"), lambda _: "")
    assert (made.text, made.starts, made.ends) == ("ab", [0, 3], [1, 4])
    assert made.replaced(re.compile("x"), lambda _: "y") is made
