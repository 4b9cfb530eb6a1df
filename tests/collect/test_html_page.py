import pytest

from ctiscraper.collect.html_page import HtmlPage, site_of
from ctiscraper.errors import ParseError, Reason


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.lab.example", "lab.example"),
        ("blog.lab.co.uk.", "lab.co.uk"),
        ("lab.co", "lab.co"),
        ("a.b.io", "b.io"),
    ],
)
def test_the_registrable_part_of_a_host(host: str, site: str) -> None:
    assert site_of(host) == site


def test_links_start_from_the_base_of_the_page() -> None:
    page = HtmlPage(
        b"<base href='/b/'><meta charset=cp1251><a href='c#d'>\xc4\xc0</a><a href='#e'>",
        url="https://a.example/x",
    )
    anchors = page.tree.css("a")
    assert [page.link(anchor) for anchor in anchors] == ["https://a.example/b/c", ""]
    assert anchors[0].text() == "\u0414\u0410"


def test_a_page_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        HtmlPage(b"<div>" * 6000, url="https://a.example/")
    assert caught.value.reason is Reason.PARSER_ERROR
