"""Selectors that curators write find elements by CSS, and can say nothing in XPath."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.dom import parse_html
from ctiscraper.extract.selectors import select

PAGE = "<html><body><p class='a'>one</p><p class='b'>two</p><a href='x'>three</a></body></html>"
# What ends a text or a condition of XPath, adds to it, or asks a function for more.
QUOTING = (
    '"] | //*[@x="',
    "'] | //* | //a['",
    "x' or '1'='1",
    'x" or "1"="1',
    '\\"] | //* | //a[\\"',
    "x') or contains(.,'t",
    "document('file:///etc/passwd')",
    "'\"'\"]",
)
HOSTILE = (*QUOTING, "\x00", "\x01")


def quoted(text: str) -> str:
    """A text as CSS writes it (CSS Syntax 3, 4.3.5)."""
    return '"' + "".join(f"\\{ord(char):x} " for char in text) + '"'


@pytest.mark.parametrize("text", HOSTILE)
def test_a_quoted_text_stays_a_text(text: str) -> None:
    root = parse_html(PAGE)
    assert root is not None
    for sign in ("=", "~=", "|=", "^=", "$=", "*="):
        assert select(root, f"[href{sign}{quoted(text)}]", []) == []


@pytest.mark.parametrize(
    "text",
    ["//*", "//p[@class='a']", "*//p", "p | a", "/html", "p\x01", "a|b", "p, a|b", *QUOTING],
)
def test_what_is_no_selector_of_html_is_told(text: str) -> None:
    root = parse_html(PAGE)
    assert root is not None
    notes: list[str] = []
    assert select(root, text, notes) == []
    assert notes


@given(st.text(max_size=60))
def test_any_text_finds_elements_or_is_told(text: str) -> None:
    root = parse_html(PAGE)
    assert root is not None
    found = select(root, text, [])
    assert set(found) <= set(root.iter())
    assert select(root, f"[href={quoted(text)}]", []) == [e for e in root.iter("a") if text == "x"]
