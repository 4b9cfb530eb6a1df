"""What search reads of a text, and of what is typed."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db.search import search_document, search_variants
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


def test_operators_keep_their_meaning() -> None:
    assert search_variants("-evil.example") == ("-evil.example",)
    assert search_variants("evil[.]example") == (
        "evil[.]example",
        "evil.example",
        '"evil example"',
    )


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert len(search_document(text * 50)) <= 2 * 360_001
    assert all("\0" not in variant for variant in search_variants(text))


@pytest.mark.parametrize("text", ["T" * 200_000, "_" * 200_000, "a_" * 100_000, "[" * 200_000])
def test_no_text_makes_indexing_slow(text: str) -> None:
    started = time.process_time()
    search_document(text)
    assert time.process_time() - started < 5, "linear: milliseconds, not minutes"
