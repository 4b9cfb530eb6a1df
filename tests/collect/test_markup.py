from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect.markup import inner_markup, resolve_link, resolve_markup, tidy_markup
from ctiscraper.collect.xml_text import parse_xml


@given(
    st.sampled_from(["https://a.example/x/y?z", "http://a.example", "HTTP://A:80/", "ftp://a/b"]),
    st.text("/a.b?=&;:@%-~", max_size=9).map(lambda words: f"/{words}"),
)
def test_a_rooted_reference_means_what_the_standard_says(base: str, reference: str) -> None:
    assert resolve_link(base, reference) == urljoin(base, reference)


@pytest.mark.parametrize("base", ["", "https://["])
def test_a_reference_without_a_sound_base_stays(base: str) -> None:
    assert resolve_link(base, "/a") == "/a"
    assert resolve_link(base, "a") == "a"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<a href=/b>x</a>", '<a href="https://a.example/b">x</a>'),
        ("<p><a class='l' href='b?c=d'>x</a>", "<p><a class='l' href=\"https://a.example/b?c=d\">x</a>"),
        ('<a href="#top">x</a> <a href="">y</a>', '<a href="#top">x</a> <a href="">y</a>'),
        ('<a href="/b">x</a><a href="#t">', '<a href="https://a.example/b">x</a><a href="#t">'),
        ('<a href="//b.example">x</a> href="/b"', '<a href="https://b.example">x</a> href="/b"'),
    ],
)  # fmt: skip
def test_relative_links_of_tags_are_resolved(markup: str, expected: str) -> None:
    assert resolve_markup(markup, "https://a.example/") == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a < b & c &copy d &amp; &#38; <3", "a &lt; b &amp; c &copy d &amp; &#38; &lt;3"),
        ("a<br/>b<!-- c --><!DOCTYPE x><!x>", "a<br />b<!-- c --><!DOCTYPE x>&lt;!x>"),
        ('<img src=a.png alt="b<i>c"/>', '<img alt="b&lt;i&gt;c" src="a.png" />'),
        ("<a href=x\" title='&lt;'>y</a>", '<a href="x&quot;" title="&lt;">y</a>'),
        ('<a href=x>1</a><a href="b?c=d">2</a>', '<a href="x">1</a><a href="b?c=d">2</a>'),
        ('<i title="a<b">', '<i title="a&lt;b">'),
    ],
)
def test_signs_that_could_be_misread_are_written_out(markup: str, expected: str) -> None:
    assert tidy_markup(markup) == expected


def test_elements_inside_a_text_are_written_as_html() -> None:
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:o="urn:o"'
    root = parse_xml(f'<t {xlink}>a &lt;<b o:x="1" xlink:href="/c">d</b><br/>e</t>')
    assert inner_markup(root) == (
        'a &lt;<b xlink:href="/c" xmlns:xlink="http://www.w3.org/1999/xlink">d</b><br />e'
    )
