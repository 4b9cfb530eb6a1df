import gzip
import hashlib
from dataclasses import replace

import pytest

from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import MOST_SITEMAPS, Finder
from ctiscraper.collect.politeness import MOST_WAIT
from ctiscraper.errors import FetchError, ParseError, Reason
from ctiscraper.types import Discovery, Selectors, Source, Validators
from inline import InlineSandbox
from ledger import Ledger
from loopback import Origin, reply
from sites import FEED, PAGE, RSS, SITE, SITEMAP, sitemap, source, urls

LINKED = b'<html><head><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head>'
LISTING = b'<html><body><h2><a href="/a/1">The first article</a></h2></body></html>'


@pytest.fixture
def sandbox() -> InlineSandbox:
    return InlineSandbox()


@pytest.fixture
def finder(fetcher: Fetcher, sandbox: InlineSandbox) -> Finder:
    return Finder(fetcher, sandbox)


async def test_a_feed_gives_its_entries_and_the_hash_of_its_body(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/feed.xml"] = reply(RSS, {"ETag": '"1"'})
    found = await finder.find(source())
    assert urls(found) == [f"{SITE}a/1", f"{SITE}a/2"]
    assert found.sha == hashlib.sha256(RSS).digest()
    assert found.requests == 2
    assert found.feed_url is None


async def test_an_answer_that_nothing_changed_is_not_parsed(
    origin: Origin, finder: Finder, sandbox: InlineSandbox
) -> None:
    origin.answers["/feed.xml"] = reply(status=304)
    found = await finder.find(source(Validators(etag='"1"', body_sha256=b"x")))
    assert (found.feed, found.sha, sandbox.called) == (None, b"x", [])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"discovery": Discovery.SITEMAP},
        {"discovery": Discovery.LISTING, "feed_url": None, "url": FEED},
    ],
)
async def test_the_same_body_again_is_not_parsed(
    origin: Origin, finder: Finder, sandbox: InlineSandbox, changes: dict[str, object]
) -> None:
    origin.answers["/feed.xml"] = reply(RSS)
    held = Validators(body_sha256=hashlib.sha256(RSS).digest())
    found = await finder.find(source(held, **changes))
    assert (found.feed, found.sha, sandbox.called) == (None, held.body_sha256, [])


async def test_a_site_is_searched_for_its_feed(origin: Origin, finder: Finder) -> None:
    origin.answers["/"] = reply(LINKED, {"Content-Type": "text/html"})
    origin.answers["/feed.xml"] = reply(RSS)
    found = await finder.find(source(feed_url=None))
    assert (found.feed_url, found.discovery) == (FEED, Discovery.FEED)
    assert len(urls(found)) == 2
    assert found.requests == len(origin.asked)


async def test_an_address_that_is_a_feed_itself_needs_no_search(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/feed.xml"] = reply(RSS)
    found = await finder.find(source(feed_url=None, url=FEED))
    assert found.feed_url == FEED
    assert origin.paths == ["/robots.txt", "/feed.xml"]


async def test_a_site_without_feed_is_found_by_its_sitemap(origin: Origin, finder: Finder) -> None:
    origin.answers["/"] = reply(PAGE, {"Content-Type": "text/html"})
    origin.answers["/sitemap.xml"] = sitemap("a/1")
    found = await finder.find(source(feed_url=None))
    assert (found.feed_url, found.discovery) == (f"{SITE}sitemap.xml", Discovery.SITEMAP)
    assert urls(found) == [f"{SITE}a/1"]


async def test_a_site_that_has_nothing_says_what_was_tried(origin: Origin, finder: Finder) -> None:
    origin.answers["/"] = reply(PAGE, {"Content-Type": "text/html"})
    origin.answers["/sitemap.xml"] = sitemap()
    with pytest.raises(ParseError) as caught:
        await finder.find(source(feed_url=None))
    assert caught.value.reason is Reason.NOT_A_FEED
    assert f"{SITE}sitemap.xml (feed_empty)" in caught.value.detail
    assert "not_found" in caught.value.detail


async def test_a_feed_that_is_refused_is_not_searched_for_elsewhere(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/"] = reply(
        b'<!DOCTYPE r [<!ENTITY x "y">]><rss version="2.0"><channel>&x;</channel></rss>'
    )
    with pytest.raises(ParseError) as caught:
        await finder.find(source(feed_url=None))
    assert caught.value.reason is Reason.DTD_REFUSED
    assert origin.paths == ["/robots.txt", "/"]


async def test_a_sitemap_index_is_read_in_full_each_time(origin: Origin, finder: Finder) -> None:
    names = [f"s{n}.xml" for n in range(MOST_SITEMAPS + 2)]
    rows = "".join(f"<sitemap><loc>{SITE}{name}</loc></sitemap>" for name in names)
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}'
    origin.answers["/sitemap.xml"] = reply(
        f"{index}</sitemapindex>".encode(), {"ETag": '"1"', "Last-Modified": "x"}
    )
    for name in names:
        origin.answers[f"/{name}"] = sitemap(f"a/{name}")
    found = await finder.find(source(discovery=Discovery.SITEMAP, feed_url=None))
    assert len(urls(found)) == MOST_SITEMAPS
    assert found.feed is not None
    assert found.feed.truncated
    assert found.feed.warnings == ("5 sitemaps are read at a time, 2 were left out",)
    assert found.requests == len(origin.asked) == MOST_SITEMAPS + 2
    assert found.sha is None
    assert not {"etag", "last-modified"} & set(found.page.headers)


def index_of(*names: str) -> bytes:
    rows = "".join(f"<sitemap><loc>{SITE}{name}</loc></sitemap>" for name in names)
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}'
    return reply(f"{index}</sitemapindex>".encode())


def in_sitemaps() -> Source:
    return source(discovery=Discovery.SITEMAP, feed_url=None)


async def test_sitemaps_without_dates_are_read_from_both_ends(
    origin: Origin, finder: Finder
) -> None:
    names = [f"post-sitemap{n}.xml" for n in range(1, 10)]
    origin.answers["/sitemap.xml"] = index_of(*names)
    origin.answers |= {f"/{name}": sitemap(f"a/{name}") for name in names}
    found = await finder.find(in_sitemaps())
    read = [url.removeprefix(f"{SITE}a/post-sitemap") for url in urls(found)]
    assert read == ["9.xml", "1.xml", "8.xml", "2.xml", "7.xml"]


async def test_an_index_within_an_index_is_followed(origin: Origin, finder: Finder) -> None:
    origin.answers |= {
        "/sitemap.xml": index_of("inner.xml", "sitemap.xml"),
        "/inner.xml": index_of("deep.xml", "inner.xml"),
        "/deep.xml": sitemap("a/1"),
    }
    found = await finder.find(in_sitemaps())
    assert urls(found) == [f"{SITE}a/1"]
    assert origin.asked[-1].path in {"/deep.xml", "/sitemap.xml"}
    assert len(origin.asked) <= MOST_SITEMAPS + 2


@pytest.mark.parametrize(
    ("answer", "reason", "accounted"),
    [
        (reply(status=404), Reason.NOT_FOUND, True),
        (reply(b"<html><body>Not here.</body></html>"), Reason.NOT_A_FEED, True),
        (reply(status=503), Reason.SERVER_ERROR, False),
    ],
)
async def test_one_sitemap_that_cannot_be_had_costs_itself_alone(
    origin: Origin, finder: Finder, answer: bytes, reason: Reason, accounted: bool
) -> None:
    origin.answers |= {"/sitemap.xml": index_of("old.xml", "new.xml"), "/new.xml": sitemap("a/1")}
    origin.answers["/old.xml"] = answer
    found = await finder.find(in_sitemaps())
    assert urls(found) == [f"{SITE}a/1"]
    assert found.feed is not None
    refused = [(f"{SITE}old.xml", reason)] if accounted else []
    assert [(one.guid, one.reason) for one in found.feed.bad] == refused
    assert found.feed.truncated is not accounted
    told = [f"{SITE}old.xml could not be read this time: HTTP 503"]
    assert list(found.feed.warnings) == ([] if accounted else told)
    origin.answers["/new.xml"] = answer
    with pytest.raises((FetchError, ParseError), match=reason.value):
        await finder.find(in_sitemaps())


async def test_a_sitemap_that_breaks_off_is_read_and_told(origin: Origin, finder: Finder) -> None:
    packed = gzip.compress(SITEMAP.format(f"<url><loc>{SITE}a/1</loc></url>").encode())
    origin.answers |= {"/sitemap.xml": index_of("1.xml.gz"), "/1.xml.gz": reply(packed[:-8])}
    found = await finder.find(in_sitemaps())
    assert urls(found) == [f"{SITE}a/1"]
    assert found.feed is not None
    assert found.feed.truncated
    told = f"{SITE}1.xml.gz breaks off: what it names after that is not known"
    assert found.feed.warnings == (told,)
    origin.answers["/sitemap.xml"] = reply(packed[:-8], {"ETag": '"1"'})
    found = await finder.find(in_sitemaps())
    assert (urls(found), found.sha, "etag" in found.page.headers) == ([f"{SITE}a/1"], None, False)


async def fill(ledger: Ledger, host: str) -> None:
    """Let the next turn at a host be too far away."""
    while await ledger.reserve(host, 60.0, MOST_WAIT) is not None:
        pass


async def test_a_sitemap_on_a_host_without_a_turn_is_passed_over_this_time(
    origin: Origin, finder: Finder, ledger: Ledger
) -> None:
    away = "http://other.test/far.xml"
    rows = f"<sitemap><loc>{SITE}near.xml</loc></sitemap><sitemap><loc>{away}</loc></sitemap>"
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}'
    origin.answers |= {
        "/sitemap.xml": reply(f"{index}</sitemapindex>".encode()),
        "/near.xml": sitemap("a/1"),
    }
    await fill(ledger, "other.test")
    found = await finder.find(in_sitemaps())
    assert urls(found) == [f"{SITE}a/1"]
    assert found.feed is not None
    assert (found.feed.bad, found.feed.truncated) == ((), True)
    assert found.feed.warnings[0].startswith(f"{away} could not be read this time")
    assert found.requests == len(origin.asked)


async def test_a_feed_on_a_host_without_a_turn_is_not_said_to_be_none(
    origin: Origin, finder: Finder, ledger: Ledger
) -> None:
    link = b'<link rel="alternate" type="application/rss+xml" href="http://other.test/feed.xml">'
    page = b"<html><head>" + link + b"</head></html>"
    origin.answers["/"] = reply(page, {"Content-Type": "text/html"})
    await fill(ledger, "other.test")
    with pytest.raises(FetchError) as caught:
        await finder.find(source(feed_url=None))
    assert caught.value.reason is Reason.HOST_BUSY
    assert caught.value.requests == len(origin.asked)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"", {"Retry-After": "600"}, status=429), Reason.RATE_LIMITED),
        (reply(status=429), Reason.RATE_LIMITED),
        (reply(status=503), Reason.SERVER_ERROR),
        (b"no HTTP\r\n\r\n", Reason.PROTOCOL),
    ],
)
async def test_a_host_that_fails_amidst_sitemaps_is_told_beside_what_was_read(
    origin: Origin, finder: Finder, answer: bytes, reason: Reason
) -> None:
    origin.answers |= {
        "/sitemap.xml": index_of("2.xml", "3.xml", "1.xml"),
        "/1.xml": sitemap("a/1"),
        "/2.xml": answer,
        "/3.xml": sitemap("a/3"),
    }
    found = await finder.find(in_sitemaps())
    assert urls(found) == [f"{SITE}a/1"]
    assert found.fault is not None
    assert (found.fault.reason, found.fault.url) == (reason, f"{SITE}2.xml")
    assert found.fault.answered, "before it failed"
    assert found.fault.retry_after == (600 if b"Retry-After" in answer else None)
    assert found.requests == len(origin.asked) == 4
    assert "/3.xml" not in origin.paths
    origin.answers["/1.xml"] = reply(status=404)
    with pytest.raises(FetchError) as caught:
        await finder.find(in_sitemaps())
    assert (caught.value.reason, caught.value.requests) == (reason, 3)


@pytest.mark.parametrize(
    ("names", "answer", "answered"),
    [
        (("1.xml", "2.xml"), sitemap("b/1"), True),
        (("1.xml", "2.xml"), reply(status=404), True),
        (("1.xml", "2.xml"), reply(b"<html>"), True),
        (("2.xml",), b"", False),
    ],
)
async def test_another_host_of_sitemaps_has_answered_before_it_fails_or_not(
    origin: Origin, finder: Finder, names: tuple[str, ...], answer: bytes, answered: bool
) -> None:
    places = [f"{SITE}near.xml", *(f"http://other.test/{name}" for name in names)]
    rows = "".join(
        f"<sitemap><loc>{place}</loc><lastmod>2026-11-{20 - n}</lastmod></sitemap>"
        for n, place in enumerate(places)
    )
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}'
    origin.answers |= {
        "/sitemap.xml": reply(f"{index}</sitemapindex>".encode()),
        "/near.xml": sitemap("a/1"),
        "/1.xml": answer,
        "/2.xml": reply(status=503),
    }
    found = await finder.find(in_sitemaps())
    assert found.fault is not None
    assert (found.fault.url, found.fault.answered) == ("http://other.test/2.xml", answered)


async def test_a_listing_gives_the_links_of_its_selector(origin: Origin, finder: Finder) -> None:
    origin.answers["/"] = reply(LISTING, {"Content-Type": "text/html"})
    listed = source(discovery=Discovery.LISTING, selectors=Selectors(listing="h2 a"))
    assert urls(await finder.find(listed)) == [f"{SITE}a/1"]


async def test_a_listing_without_links_is_an_error_that_names_the_selector(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/"] = reply(LISTING, {"Content-Type": "text/html"})
    listed = source(discovery=Discovery.LISTING, selectors=Selectors(listing="h6 a"))
    with pytest.raises(ParseError) as caught:
        await finder.find(listed)
    assert caught.value.reason is Reason.FEED_EMPTY
    assert "'h6 a'" in caught.value.detail


async def test_what_stands_in_the_way_is_raised_with_its_requests(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/feed.xml"] = reply(status=503)
    with pytest.raises(FetchError) as caught:
        await finder.find(source())
    assert (caught.value.reason, caught.value.requests) == (Reason.SERVER_ERROR, 2)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (reply(status=404), Reason.NOT_FOUND),
        (reply(b"<html>"), Reason.NOT_A_FEED),
        (reply(b"Nothing."), Reason.NOT_A_FEED),
    ],
)
async def test_an_index_of_which_nothing_can_be_read_tells_all_its_requests(
    origin: Origin, finder: Finder, part: bytes, reason: Reason
) -> None:
    names = ("1.xml", "2.xml", "3.xml")
    origin.answers["/sitemap.xml"] = index_of(*names)
    origin.answers |= {f"/{name}": part for name in names}
    with pytest.raises((FetchError, ParseError)) as caught:
        await finder.find(in_sitemaps())
    assert isinstance(caught.value, FetchError | ParseError)
    assert (caught.value.reason, caught.value.requests) == (reason, len(origin.asked))
    assert len(origin.asked) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"feed_url": SITE},
        {"discovery": Discovery.SITEMAP, "feed_url": SITE},
        {"discovery": Discovery.LISTING},
        {"feed_url": None},
    ],
)
async def test_what_cannot_be_read_tells_its_requests(
    origin: Origin, finder: Finder, changes: dict[str, object]
) -> None:
    origin.answers["/"] = reply(PAGE, {"Content-Type": "text/html"})
    origin.answers["/sitemap.xml"] = sitemap()
    origin.answers["/feed/"] = reply(PAGE)
    with pytest.raises(ParseError) as caught:
        await finder.find(source(None, **changes))
    assert caught.value.requests == len(origin.asked) > 1


async def test_an_answer_of_another_shape_counts_as_a_crash(
    origin: Origin, finder: Finder, sandbox: InlineSandbox
) -> None:
    origin.answers["/feed.xml"] = reply(RSS)
    sandbox.answer = b"\xc1"
    with pytest.raises(ParseError) as caught:
        await finder.find(source())
    assert caught.value.reason is Reason.PARSER_CRASH


async def test_validators_of_a_settings_change_are_those_of_the_source(
    origin: Origin, finder: Finder
) -> None:
    origin.answers["/feed.xml"] = reply(status=304)
    held = source(Validators(etag='"1"'))
    await finder.find(held)
    assert origin.asked[-1].headers["if-none-match"] == '"1"'
    moved = replace(held, validators=Validators())
    with pytest.raises(FetchError):
        await finder.find(moved)
    assert "if-none-match" not in origin.asked[-1].headers
