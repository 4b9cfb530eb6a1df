import gzip
from datetime import UTC, datetime, timedelta
from time import process_time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.collect.sitemap import parse_sitemap
from ctiscraper.collect.sitemap_types import Sitemap
from ctiscraper.errors import ParseError, Reason

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOME = "https://lab.example/sitemap.xml"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
URLS = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="{NAMESPACE}" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
<url><loc> https://lab.example/a </loc><lastmod>2026-11-20</lastmod></url>
<url><loc>https://lab.example/b?x=1&amp;y=2</loc><news:news>
  <news:publication><news:name>Lab</news:name><news:language>en</news:language></news:publication>
  <news:publication_date>2026-11-21T10:00:00+00:00</news:publication_date>
  <news:title>B &amp; C</news:title><news:keywords>apt, ransom,apt</news:keywords></news:news></url>
<url><loc>javascript:1</loc></url><url><lastmod>2026-11-20</lastmod></url>
</urlset>""".encode()
INDEX = f"""<sitemapindex xmlns="{NAMESPACE}">
<sitemap><loc>https://lab.example/old.xml</loc><lastmod>2020-01-01</lastmod></sitemap>
<sitemap><loc>/new.xml.gz</loc><lastmod>2026-11-01T00:00:00Z</lastmod></sitemap>
<sitemap><loc>https://lab.example/undated.xml</loc></sitemap>
<sitemap><loc>file:///etc/passwd</loc></sitemap></sitemapindex>""".encode()


def parse(body: bytes, **options: int) -> Sitemap:
    return parse_sitemap(body, url=HOME, now=NOW, **options)


def urlset(*rows: str) -> bytes:
    return f'<urlset xmlns="{NAMESPACE}">{"".join(rows)}</urlset>'.encode()


@pytest.mark.parametrize("body", [URLS, gzip.compress(URLS), URLS.replace(b"</urlset>", b"")])
def test_pages_of_a_sitemap(body: bytes) -> None:
    sitemap = parse(body)
    first, second = sitemap.entries
    assert (first.guid, first.url) == ("https://lab.example/a", "https://lab.example/a")
    assert first.updated == datetime(2026, 11, 20, tzinfo=UTC)
    assert first.published is None
    assert second.url == "https://lab.example/b?x=1&y=2"
    assert second.published == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert (second.title, second.tags, second.language) == ("B & C", ("apt", "ransom"), "en")
    assert [b.reason for b in sitemap.bad] == [Reason.SCHEME_REFUSED, Reason.NO_URL]


def test_sitemaps_of_an_index_come_newest_first() -> None:
    assert parse(INDEX).children == (
        "https://lab.example/new.xml.gz",
        "https://lab.example/old.xml",
        "https://lab.example/undated.xml",
    )


def test_a_list_of_addresses_is_a_sitemap() -> None:
    sitemap = parse(b"\xef\xbb\xbfhttps://lab.example/1\r\n\r\nhttps://lab.example/2\nnoise here\n")
    assert [e.url for e in sitemap.entries] == [
        "https://lab.example/1",
        "https://lab.example/2",
        "https://lab.example/noise%20here",
    ]


def test_a_feed_serves_as_a_sitemap() -> None:
    body = b"<rss><channel><item><link>https://lab.example/1</link></item></channel></rss>"
    assert [e.url for e in parse(body).entries] == ["https://lab.example/1"]


def test_the_newest_pages_are_kept() -> None:
    rows = [
        f"<url><loc>/p{i}</loc><lastmod>{(NOW - timedelta(days=20 - i)).date()}</lastmod></url>"
        for i in range(10)
    ]
    sitemap = parse(urlset(*rows), max_entries=3)
    assert [e.url[-2:] for e in sitemap.entries] == ["p7", "p8", "p9"]
    assert sitemap.truncated


def test_a_sitemap_of_fifty_thousand_pages_is_cut() -> None:
    sitemap = parse(urlset(*(f"<url><loc>/p{i}</loc></url>" for i in range(50_000))))
    assert (len(sitemap.entries), sitemap.truncated) == (5000, True)


def test_a_page_named_twice_is_one_entry() -> None:
    assert len(parse(urlset("<url><loc>/a</loc></url>" * 3)).entries) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.FEED_EMPTY),
        (b"<!doctype html><html></html>", Reason.NOT_A_FEED),
        (b"User-agent: *\nDisallow: /", Reason.NOT_A_FEED),
        (b"<opml><body/></opml>", Reason.NOT_A_FEED),
        (b'<!DOCTYPE urlset [<!ENTITY a "b">]><urlset/>', Reason.DTD_REFUSED),
        (b"\x1f\x8bnot gzip at all", Reason.ENCODING_BROKEN),
        (gzip.compress(b"\0" * (40 << 20)), Reason.TOO_LARGE),
    ],
)
def test_what_is_no_sitemap_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(ParseError) as caught:
        parse(body)
    assert caught.value.reason is reason


def test_result_survives_the_way_out_of_the_sandbox() -> None:
    sitemap = parse(URLS)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sitemap), type=Sitemap) == sitemap


@settings(deadline=timedelta(seconds=2))
@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(st.sampled_from([URLS, INDEX]), st.integers(0, 900), st.binary(max_size=8)).map(
            lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]
        ),
    )
)
def test_any_bytes_give_a_sitemap_or_a_typed_error(body: bytes) -> None:
    try:
        sitemap = parse(body)
    except ParseError as error:
        assert error.reason in Reason  # noqa: PT017 - the error is one of two good outcomes
        return
    for address in (*sitemap.children, *(e.url for e in sitemap.entries)):
        assert address.startswith(("http://", "https://"))


PAGES = "".join(f"<url><loc>https://site.test/{n}</loc></url>" for n in range(200))
WHOLE = f"<urlset>{PAGES}</urlset>".encode()


def test_a_gzip_of_several_parts_is_read_to_its_end() -> None:
    parts = gzip.compress(WHOLE[:3000]) + gzip.compress(WHOLE[3000:])
    sitemap = parse(parts)
    assert (len(sitemap.entries), sitemap.broken_off) == (200, False)


@pytest.mark.parametrize("missing", [1, 8, 9, 20, 200])
def test_of_a_gzip_without_its_end_what_came_whole_is_read(missing: int) -> None:
    for packed in (
        gzip.compress(WHOLE),
        gzip.compress(WHOLE[:3000]) + gzip.compress(WHOLE[3000:]),
    ):
        sitemap = parse(packed[:-missing])
        assert sitemap.broken_off
        assert sitemap.bad == ()
        urls = [entry.url for entry in sitemap.entries]
        assert urls == [f"https://site.test/{n}" for n in range(len(urls))]
        assert len(urls) > 50


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
def test_of_a_list_without_its_end_the_last_address_is_not_taken_for_a_whole_one(mark: str) -> None:
    lines = "".join(f"https://site.test/{n}\n" for n in range(1000, 1200))
    whole = lines.encode(mark)
    parts = gzip.compress(whole[:-12]) + gzip.compress(whole[-12:])[:5]
    sitemap = parse(parts)
    assert sitemap.broken_off
    assert {len(entry.url) for entry in sitemap.entries} == {len("https://site.test/1000")}


@pytest.mark.parametrize("body", [b"", b"<urlset><url><loc>https://site.test/", b"https://site."])
def test_a_gzip_of_which_nothing_whole_came_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError, match="before its end") as caught:
        parse(gzip.compress(body)[:-8])
    assert caught.value.reason is Reason.ENCODING_BROKEN


def test_a_gzip_of_very_many_parts_costs_no_more_than_its_size() -> None:
    parts = gzip.compress(WHOLE) + gzip.compress(b"") * 100_000
    began = process_time()
    sitemap = parse(parts)
    assert process_time() - began < 2
    assert (len(sitemap.entries), sitemap.broken_off) == (200, True)
