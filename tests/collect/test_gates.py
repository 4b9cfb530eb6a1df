import pytest

import make
from ctiscraper.collect.gates import held_back
from ctiscraper.errors import Reason

URL = "https://acme.example/a/1"


def gate(text: str, title: str = "A title", **settings: object) -> Reason | None:
    held = held_back(make.settings(**settings), make.content(URL, text, title=title))  # type: ignore[arg-type]  # a builder
    return held[0] if held else None


def test_without_gates_everything_passes() -> None:
    assert gate("") is None


def test_a_text_shorter_than_asked_is_held_back_with_both_lengths() -> None:
    held = held_back(make.settings(min_length=11), make.content(URL, "ten chars."))
    assert held == (Reason.TOO_SHORT, "10 characters, the source asks for 11")
    assert gate("ten chars.", min_length=10) is None


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Our webinar on malware", True),
        ("WEBINAR", True),
        ("the webinars of the year", False),
        ("prewebinar", False),
        ("C++ code", False),
    ],
)
def test_an_excluded_word_stands_on_its_own_in_any_case(text: str, held: bool) -> None:
    assert (gate(text, exclude_words=("webinar",)) is Reason.WORD_EXCLUDED) is held


def test_a_word_of_signs_is_no_pattern() -> None:
    assert gate("all about C++ today", exclude_words=("c++",)) is Reason.WORD_EXCLUDED
    assert gate("all about CCC today", exclude_words=("c++",)) is None
    assert gate("x", exclude_words=("(a+)+$",)) is None


def test_one_of_the_include_words_is_enough_also_in_the_title() -> None:
    words = ("ransomware", "espionage")
    assert gate("nothing of it", include_words=words) is Reason.WORD_NOT_INCLUDED
    assert gate("about espionage", include_words=words) is None
    assert gate("text", title="Ransomware again", include_words=words) is None
