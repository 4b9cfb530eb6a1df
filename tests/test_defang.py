"""Marks that hide addresses, taken away in texts of any length."""

import time

import pytest

from ctiscraper.defang import unbracketed


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("evil[.]example", "evil.example"),
        ("evil (dot) example", "evil.example"),
        ("me[at]evil{DOT}example", "me@evil.example"),
        ("hxxp[:]//evil[.]example and hxxp[://]evil[.]example",
         "hxxp://evil.example and hxxp://evil.example"),
        ("a list [1] of (2) things {3}", "a list [1] of (2) things {3}"),
        ("C:\\Users\\.ssh and [see it.]", "C:\\Users\\.ssh and [see it.]"),
    ],
)  # fmt: skip
def test_marks_are_taken_away_and_nothing_else(written: str, plain: str) -> None:
    assert unbracketed(written) == plain


@pytest.mark.parametrize("unit", ["[", "[.", "[:", "( ", "[.]", "a "])
def test_no_text_makes_it_slow(unit: str) -> None:
    began = time.process_time()
    unbracketed(unit * (500_000 // len(unit)))
    assert time.process_time() - began < 3
