import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import ParseError, Reason
from ctiscraper.extract.kind import Kind, page_kind

RSS = "<?xml version='1.0'?>\n<rss version='2.0'><channel><title>T</title></channel></rss>"
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title></feed>"
PAGE = "<!DOCTYPE html>\n<html><body><p>Words of a page.</p></body></html>"


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8 + RSS.encode(),
        RSS.encode("utf-16"),
        codecs.BOM_UTF16_BE + RSS.encode("utf-16-be"),
        RSS.encode("utf-16-le"),
        RSS.replace("<rss", "<!DOCTYPE rss [<!ENTITY a 'b'>]>\n<rss").encode(),
        RSS.replace("<rss", "<?xml-stylesheet href='a.xsl'?><!-- <html> --><rss").encode(),
        f"<!DOCTYPE rss PUBLIC '-//N//DTD 0.91//EN' 'http://h.example/r.dtd'>{RSS[22:]}".encode(),
        ATOM.encode(),
        ATOM.replace("feed", "atom:feed").encode(),
        b"<rdf:RDF xmlns:rdf='urn:x'/>",
        b"<opml version='2.0'><body/></opml>",
        b"<urlset></urlset>",
        b"<!DOCTYPE l []><l>words</l>",
        b"<?xml version='1.0'?><note><to>You</to><p>Words.</p></note>",
        b"<!DOCTYPE lolz [" + b"<!ENTITY lol 'lol'>" * 9000,
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"content_html": "<p>x</p>"}]}',
        codecs.BOM_UTF8 + b'{"a": "b"}',
    ],
)
@pytest.mark.parametrize("media", ["", "text/html; charset=utf-8"])
def test_feeds_and_other_data_are_no_pages(body: bytes, media: str) -> None:
    with pytest.raises(ParseError) as raised:
        page_kind(body, media)
    assert raised.value.reason is Reason.NOT_A_PAGE


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"words before <channel><title>T</title></channel>", "application/rss+xml"),
        (b"<channel><title>T</title></channel>", "application/atom+xml; charset=utf-8"),
        (b"<note>words</note>", "text/xml"),
        (b'{"items": ["<p>x</p>"]}', "application/feed+json"),
    ],
)
def test_the_media_type_tells_where_the_bytes_do_not(body: bytes, media: str) -> None:
    with pytest.raises(ParseError) as raised:
        page_kind(body, media)
    assert raised.value.reason is Reason.NOT_A_PAGE


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (PAGE.encode(), "text/html"),
        (PAGE.encode(), "application/rss+xml"),
        (PAGE.encode(), "text/xml"),
        (codecs.BOM_UTF8 + PAGE.encode(), ""),
        (PAGE.encode("utf-16"), ""),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x' 'y'><html><p>Words.", "text/html"),
        (b"<?xml version='1.0'?><div>Words.</div>", ""),
        (b"<!-- a --><!doctype HTML><title>T</title>Words.", ""),
        (b"<article><p>Words.</p></article>", "application/xhtml+xml"),
        (b"{{ greeting }}<html><p>Words.</p>", "text/html"),
    ],
)
def test_pages_stay_pages(body: bytes, media: str) -> None:
    assert page_kind(body, media) is Kind.HTML


def test_plain_words_stay_plain() -> None:
    assert page_kind(b"rss <feed> words", "text/plain") is Kind.PLAIN


def test_a_long_prologue_costs_little() -> None:
    assert page_kind(b"<!-- " * 200_000 + PAGE.encode()) is Kind.HTML


TOKENS = [
    b"<?xml ",
    b"?>",
    b"<!--",
    b"-->",
    b"<!DOCTYPE ",
    b"[",
    b"]",
    b">",
    b"html",
    b"<rss ",
    b" ",
]


@given(st.binary(max_size=200) | st.lists(st.sampled_from(TOKENS)).map(b"".join))
def test_any_bytes_are_a_kind_or_refused(body: bytes) -> None:
    try:
        assert page_kind(body) in Kind
    except ParseError as error:
        assert error.reason is Reason.NOT_A_PAGE  # noqa: PT017 - either way is right
