"""The search for the feed of a site whose hosts fail meanwhile."""

import pytest

from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.types import Page, SourceSettings, Validators
from inline import InlineSandbox
from loopback import Origin, reply
from sites import FEED, PAGE, RSS, SITE, sitemap, source, urls


@pytest.fixture
def finder(fetcher: Fetcher) -> Finder:
    return Finder(fetcher, InlineSandbox())


def naming(*places: str) -> bytes:
    """A page that names these as its feeds."""
    link = '<link rel="alternate" type="application/rss+xml" href="{}">'
    page = f"<html><head>{''.join(map(link.format, places))}</head></html>"
    return reply(page.encode(), {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"", {"Retry-After": "600"}, status=429), Reason.RATE_LIMITED),
        (reply(status=503), Reason.SERVER_ERROR),
        (b"no HTTP\r\n\r\n", Reason.PROTOCOL),
    ],
)
async def test_a_host_that_fails_at_its_named_feed_is_searched_no_further(
    origin: Origin, finder: Finder, answer: bytes, reason: Reason
) -> None:
    origin.answers |= {"/": naming("/1.xml", "/2.xml"), "/1.xml": answer, "/2.xml": reply(RSS)}
    with pytest.raises(FetchError) as caught:
        await finder.find(source(feed_url=None))
    fault = caught.value
    assert (fault.reason, fault.scope, fault.url) == (reason, Scope.HOST, f"{SITE}1.xml")
    assert fault.retry_after == (600 if b"Retry-After" in answer else None)
    assert (fault.answered, fault.requests) == (True, 3)
    assert f"tried {SITE}1.xml ({reason})" in fault.detail
    assert origin.paths == ["/robots.txt", "/", "/1.xml"]


async def test_a_site_with_a_fault_at_each_unknown_place_is_found_by_its_sitemap(
    origin: Origin, finder: Finder
) -> None:
    origin.answers |= {"/": reply(PAGE), "/feed/": reply(status=500), "/sitemap.xml": sitemap("a")}
    found = await finder.find(source(feed_url=None))
    assert (urls(found), found.fault) == ([f"{SITE}a"], None)
    assert origin.paths == ["/robots.txt", "/", "/feed/", "/sitemap.xml"]
    origin.answers["/sitemap.xml"] = reply(status=500)
    with pytest.raises(FetchError, match="HTTP 500"):
        await finder.find(source(feed_url=None))
    assert origin.paths[4:] == ["/", "/feed/", "/sitemap.xml"]
    origin.answers["/sitemap.xml"] = reply(status=404)
    with pytest.raises(ParseError, match="names no feed that works"):
        await finder.find(source(feed_url=None))


async def test_another_host_that_fails_is_told_beside_the_feed_that_works(
    origin: Origin, finder: Finder
) -> None:
    origin.answers |= {
        "/": naming("http://other.test/1.xml", "http://other.test/2.xml", "/feed.xml"),
        "/1.xml": reply(status=503),
        "/feed.xml": reply(RSS),
    }
    found = await finder.find(source(feed_url=None))
    assert found.feed_url == FEED
    assert found.fault is not None
    assert (found.fault.url, found.fault.answered) == ("http://other.test/1.xml", False)
    assert found.requests == len(origin.asked)
    assert "/2.xml" not in origin.paths


async def test_with_ourselves_away_no_further_place_is_asked(
    origin: Origin, finder: Finder, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.answers["/"] = naming("/1.xml", "/2.xml")
    fetch = fetcher.fetch_site

    async def offline(settings: SourceSettings, _: str, validators: Validators) -> Page:
        await fetch(settings, SITE, validators)
        error = FetchError(Reason.OFFLINE, scope=Scope.OURS)
        error.requests = 1
        raise error

    monkeypatch.setattr(fetcher, "fetch_site", offline)
    with pytest.raises(FetchError) as caught:
        await finder.find(source(feed_url=None))
    assert caught.value.scope is Scope.OURS
    assert caught.value.requests == len(origin.asked) == 3
