"""What search reads of a text, and of what is typed."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db.search import prefix_form, search_document, word_forms
from ctiscraper.defang import refanged


def test_parts_of_compounds_are_words_too() -> None:
    words = search_document("It ran powershell.exe from C:\\Users\\Public.").split()
    assert {"powershell.exe", "powershell", "exe", "Public"} <= {w.strip(".") for w in words}


@given(st.text("ab.@/-_: \t\n", max_size=200))
def test_no_compound_is_passed_over(text: str) -> None:
    found = search_document(text).partition("\n")[2] if "\n" not in text else search_document(text)
    for chain in re.findall(r"[\w./\\:@-]+", refanged(text)):
        parts = [part for part in re.split(r"[./\\:@_-]+", chain) if part]
        assert len(parts) < 2 or " ".join(parts) in found


def test_a_word_has_every_form_that_a_text_may_have_it_in() -> None:
    assert word_forms("evil[.]example") == ("evil.example", "evil example")
    assert word_forms("loader") == ("loader",)
    assert word_forms("lateral movement") == ("lateral movement",)
    assert word_forms("&") == ("&",)


def test_the_beginning_of_a_word_is_one_of_its_last_part() -> None:
    assert prefix_form("power") == "'power':*"
    assert prefix_form("CVE-2026-") == "'CVE' <-> '2026':*"
    assert prefix_form("evil[.]ex") == "'evil' <-> 'ex':*"
    assert prefix_form("__") == ""


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert len(search_document(text * 50)) <= 2 * 360_001
    assert all("\0" not in form for form in word_forms(text))


@pytest.mark.parametrize("text", ["T" * 200_000, "_" * 200_000, "a_" * 100_000, "[" * 200_000])
def test_no_text_makes_indexing_slow(text: str) -> None:
    started = time.process_time()
    search_document(text)
    assert time.process_time() - started < 5, "linear: milliseconds, not minutes"
