"""A search parted into what it means and what it is narrowed to."""

import pytest

from ctiscraper.asking import understand
from ctiscraper.query.meant import loosened, meant


@pytest.mark.parametrize(
    ("search", "words", "rest"),
    [
        ("stolen cookies", "stolen cookies", None),
        ('"pass the cookie" tier:premium', "pass the cookie", "tier:premium"),
        ("cookies -podcast", "cookies", "-podcast"),
        ("(cookies OR tokens) lang:en", "cookies tokens", "lang:en"),
        ("tier:premium", "", "tier:premium"),
    ],
)
def test_fields_and_what_must_not_stand_there_narrow(
    search: str, words: str, rest: str | None
) -> None:
    found, narrowed = meant(understand(search))
    assert found == words
    assert (narrowed and narrowed.tree) == (understand(rest).tree if rest else None)


def test_a_loosened_search_asks_for_any_word() -> None:
    assert (
        loosened(understand("a b -c tier:premium")).tree
        == understand("-c tier:premium (a OR b)").tree
    )
    assert loosened(understand("a")).tree == understand("a").tree
