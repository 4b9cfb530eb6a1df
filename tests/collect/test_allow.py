"""Allow patterns: the whole path, `*` for anything, in linear time."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect.allow import is_allowed, pattern_fault


@pytest.mark.parametrize(
    ("url", "patterns", "allowed"),
    [
        ("https://a.example/blog/x", (), True),
        ("https://a.example/blog/x", ("/blog/*",), True),
        ("https://a.example/blog/x?utm=1#top", ("/blog/x",), True),
        ("https://a.example/blog/x/y", ("/blog/*",), True),
        ("https://a.example/news", ("/blog/*",), False),
        ("https://a.example/en/blog/x", ("/blog/*",), False),
        ("https://a.example/en/blog/x", ("*/blog/*",), True),
        ("https://a.example/a/b.html", ("/a/*.html",), True),
        ("https://a.example/a/b.htm", ("/a/*.html", "/c"), False),
        ("https://a.example", ("/",), True),
        ("https://a.example/aba", ("/ab*ba",), False),
        ("https://a.example/posts/1", ("/news/*", "/posts/*"), True),
        ("https://a.example/[x]", ("/[x]",), True),
    ],
)
def test_a_url_is_matched_by_its_path(url: str, patterns: tuple[str, ...], allowed: bool) -> None:
    assert is_allowed(url, patterns) is allowed


@given(st.text("ab/", max_size=12), st.text("ab/*", max_size=8))
def test_a_star_means_what_it_means_in_the_shell(path: str, pattern: str) -> None:
    expected = re.fullmatch(fnmatch.translate("/" + pattern), "/a" + path) is not None

    assert is_allowed(f"https://a.example/a{path}", (f"/{pattern}",)) is expected


@pytest.mark.timeout(5)
def test_many_stars_stay_fast() -> None:
    assert not is_allowed("https://a.example/" + "a" * 4000, ("/" + "*a" * 90 + "*b",))


@pytest.mark.parametrize("pattern", ["/a/*", "*", "*.html", "/a-b_c%20d"])
def test_a_good_pattern_has_no_fault(pattern: str) -> None:
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize(
    "pattern", ["a", "https://a.example/*", "/a b", "/\n", "/a?b", "/#", "/" * 201]
)
def test_a_bad_pattern_has_a_fault_with_a_way_out(pattern: str) -> None:
    assert "; " in (pattern_fault(pattern) or "")
