"""Entries of the watchlist in their normal form."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiscraper.errors import CatalogError
from ctiscraper.weighing import WatchKind, normal_term, watch_given


@pytest.mark.parametrize(
    ("kind", "term", "normal"),
    [
        ("keyword", "  supply \n chain ", "supply chain"),
        ("cve", "cve-2026-12345", "CVE-2026-12345"),
        ("technique", "t1059.001", "T1059.001"),
        ("technique", "PowerShell", "PowerShell"),
        ("domain", "hxxps://Evil[.]Example.com:8443/x?y", "evil.example.com"),
        ("domain", "*.example.com", "example.com"),
        ("domain", ".example.com.", "example.com"),
    ],
)
def test_a_term_has_one_form(kind: str, term: str, normal: str) -> None:
    assert normal_term(kind, term) == normal
    assert watch_given(kind, term).term == normal


@pytest.mark.parametrize(
    ("kind", "term", "weight", "note", "said"),
    [
        ("town", "Oslo", 0.5, "", "is no kind: vendor, product"),
        ("keyword", "x", 0.5, "", "2 to 200"),
        ("keyword", "x" * 201, 0.5, "", "2 to 200"),
        ("keyword", "a\x00b", 0.5, "", "all of them seen"),
        ("keyword", "a\ud800b", 0.5, "", "all of them seen"),
        ("cve", "2026-1", 0.5, "", "CVE-2026-12345"),
        ("domain", "localhost", 0.5, "", "example.com"),
        ("domain", "https://", 0.5, "", "2 to 200"),
        ("keyword", "acme", 0.0, "", "at least 0.001"),
        ("keyword", "acme", 1.01, "", "at most 1"),
        ("keyword", "acme", float("nan"), "", "nan"),
        ("keyword", "acme", 0.5, "x" * 401, "note"),
    ],
)
def test_what_is_wrong_is_told(kind: str, term: str, weight: float, note: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        watch_given(kind, term, weight, note)


@given(st.sampled_from(WatchKind), st.text(max_size=30) | st.text("a0 .*/:[]hxtp", max_size=12))
@example(WatchKind.DOMAIN, "0 /")
@example(WatchKind.DOMAIN, "*. *.a.example")
@example(WatchKind.DOMAIN, "http://http://a.example")
@example(WatchKind.DOMAIN, "a[[.].]example")
def test_a_normal_form_is_its_own(kind: WatchKind, term: str) -> None:
    once = normal_term(kind, term)
    assert normal_term(kind, once) == once


@pytest.mark.parametrize("term", ["*" * 5000, "[" * 5000 + "." + "].]" * 5000, "http://" * 5000])
def test_a_domain_of_any_depth_is_refused_and_breaks_nothing(term: str) -> None:
    with pytest.raises(CatalogError, match=r"example\.com"):
        watch_given("domain", term)
