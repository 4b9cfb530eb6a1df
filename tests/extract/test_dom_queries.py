"""Queries that go by attribute and back find what the plain condition finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ctiscraper.extract import byline, dom, prune, structured
from ctiscraper.extract.dom import find_all, parse_html

STYLED = " or ".join(
    f"contains(@style,'{s}')"
    for s in ("display:none", "display: none", "visibility:hidden", "visibility: hidden")
)
QUERIES = {
    "hidden": (dom._HIDDEN, f"//*[@hidden or @aria-hidden='true' or {STYLED}]"),
    "dated": (
        structured._DATED,
        (
            "//*[self::time[@datetime or @pubdate]"
            " or @itemprop[.='datePublished' or .='dateModified']]"
        ),
    ),
    "authors": (structured._AUTHORS, "//*[@itemprop='author' or @rel='author']"),
    "signed": (
        byline._SIGNED,
        "//*[contains(@class,'uthor') or contains(@class,'yline') or contains(@rel,'author')]",
    ),
    "shown": (
        byline._DATED,
        (
            "//*[contains(@class,'date') or contains(@class,'Date') or contains(@class,'ublish')"
            " or contains(@class,'osted') or contains(@name,'publish')]"
        ),
    ),
    "captions": (prune._CAPTIONS, ".//figcaption | .//*[contains(@class,'caption')]"),
}
TAGS = st.sampled_from(["div", "p", "time", "span", "a", "figcaption", "li", "input", "meta"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["class", "CLASS", "id", "name", "rel", "itemprop", "datetime", "pubdate", "hidden",
         "aria-hidden", "style", "title"]
    ),
    st.sampled_from(
        ["", "true", "false", "author", "x author", "Author byline", "date", "post-Date", "caption",
         "datePublished", "dateModified", "published", "posted", "display:none",
         "visibility: hidden", "color:red;display: none", "visibility:hid&#100;en", "DISPLAY:NONE"]
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def pages(draw: st.DrawFn) -> str:
    parts = ["<html><body>"]
    for tag, attributes, closed in draw(
        st.lists(st.tuples(TAGS, ATTRIBUTES, st.booleans()), max_size=12)
    ):
        written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
        parts.append(f"<{tag} {written}>text")
        parts.append(f"</{tag}>" if closed else "")
    return "".join(parts)


@pytest.mark.parametrize("name", QUERIES)
@given(markup=pages())
def test_a_query_finds_what_its_condition_says_in_its_order(name: str, markup: str) -> None:
    root = parse_html(markup)
    assert root is not None
    query, plain = QUERIES[name]
    assert find_all(query, root) == find_all(etree.XPath(plain), root)


@given(markup=pages())
def test_captions_are_looked_for_inside_only(markup: str) -> None:
    root = parse_html(markup)
    assert root is not None
    query, plain = QUERIES["captions"]
    for element in root.iter():
        assert find_all(query, element) == find_all(etree.XPath(plain), element)
