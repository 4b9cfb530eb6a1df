import contextlib
import gzip

import pytest

from ctiscraper.collect.fetch import FEED_LIMITS, PAGE_LIMITS, Fetcher
from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.types import Validators
from ledger import Ledger
from loopback import Origin, moved, reply
from make import settings

SITE = settings()
FEED = "http://site.test/feed.xml"
NONE = Validators()
KNOWN = Validators(etag='W/"odd, \\"tag"', last_modified="Fri, 20 Nov 2026 10:00:00 +0000")


def conditions(origin: Origin, path: str = "/feed.xml") -> list[tuple[str | None, str | None]]:
    asked = [request.headers for request in origin.asked if request.path == path]
    return [(head.get("if-none-match"), head.get("if-modified-since")) for head in asked]


async def failure(fetcher: Fetcher, url: str = FEED) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch_feed(SITE, url, NONE)
    return caught.value


async def test_feed_comes_with_its_validators(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/feed.xml"] = reply(
        gzip.compress(b"<rss/>"), {"ETag": 'W/"1"', "Content-Encoding": "gzip"}
    )
    page = await fetcher.fetch_feed(SITE, FEED, NONE)

    assert (page.status, page.body, page.not_modified) == (200, b"<rss/>", False)
    assert page.headers["etag"] == 'W/"1"'
    assert page.requests == 2
    assert conditions(origin) == [(None, None)]


async def test_validators_go_out_verbatim(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/feed.xml"] = reply(b"", {"ETag": "x"}, status=304)
    page = await fetcher.fetch_feed(SITE, FEED, KNOWN)

    assert page.not_modified
    assert conditions(origin) == [(KNOWN.etag, KNOWN.last_modified)]


async def test_validators_stay_with_a_moved_feed(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers |= {"/feed.xml": moved("/atom.xml", status=301), "/atom.xml": reply(status=304)}
    page = await fetcher.fetch_feed(SITE, FEED, KNOWN)

    assert page.not_modified
    assert conditions(origin, "/atom.xml") == [(KNOWN.etag, KNOWN.last_modified)]
    assert page.redirects[0].status == 301


async def test_pages_and_robots_get_no_validators(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/feed.xml"] = reply(b"page")
    await fetcher.fetch_page(SITE, FEED)
    await fetcher.fetch_feed(SITE, FEED, KNOWN)

    assert conditions(origin) == [(None, None), (KNOWN.etag, KNOWN.last_modified)]
    assert conditions(origin, "/robots.txt") == [(None, None)]


async def test_sitemap_is_fetched_like_a_feed(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/sitemap.xml"] = reply(b"", status=304)
    page = await fetcher.fetch_site(SITE, "http://site.test/sitemap.xml", KNOWN)

    assert page.not_modified
    assert conditions(origin, "/sitemap.xml") == [(KNOWN.etag, KNOWN.last_modified)]


async def test_unasked_304_is_no_answer(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/feed.xml"] = reply(status=304)

    assert (await failure(fetcher)).reason is Reason.UNEXPECTED_STATUS


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (202, Reason.UNEXPECTED_STATUS),
        (204, Reason.UNEXPECTED_STATUS),
        (206, Reason.UNEXPECTED_STATUS),
        (300, Reason.UNEXPECTED_STATUS),
        (400, Reason.CLIENT_ERROR),
        (401, Reason.UNAUTHORIZED),
        (403, Reason.FORBIDDEN),
        (404, Reason.NOT_FOUND),
        (410, Reason.GONE),
        (418, Reason.CLIENT_ERROR),
        (451, Reason.FORBIDDEN),
    ],
)
async def test_refusals_count_against_the_item_and_are_final(
    origin: Origin, fetcher: Fetcher, status: int, reason: Reason
) -> None:
    origin.answers["/feed.xml"] = reply(b"", {"Retry-After": "9"}, status=status)
    error = await failure(fetcher)

    assert (error.reason, error.status) == (reason, status)
    assert (error.scope, error.transient, error.retry_after) == (Scope.ITEM, False, None)
    assert error.url == FEED
    assert error.requests == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, Reason.CLIENT_ERROR),
        (425, Reason.CLIENT_ERROR),
        (429, Reason.RATE_LIMITED),
        (500, Reason.SERVER_ERROR),
        (503, Reason.SERVER_ERROR),
        (522, Reason.SERVER_ERROR),
    ],
)
async def test_outages_count_against_the_host_and_pass(
    origin: Origin, fetcher: Fetcher, status: int, reason: Reason
) -> None:
    origin.answers["/feed.xml"] = reply(b"", {"Retry-After": "120"}, status=status)
    error = await failure(fetcher)

    assert (error.reason, error.status, error.retry_after) == (reason, status, 120)
    assert (error.scope, error.transient) == (Scope.HOST, True)


async def test_retry_after_is_capped_at_a_day(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/feed.xml"] = reply(b"", {"Retry-After": "1000000000"}, status=429)

    assert (await failure(fetcher)).retry_after == 86_400


async def test_feed_past_its_cap_is_refused(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers |= {"/feed.xml": reply(b" " * 14_000_000), "/big": reply(b" " * 15_000_001)}

    assert len((await fetcher.fetch_feed(SITE, FEED, NONE)).body) == 14_000_000
    assert (await failure(fetcher, "http://site.test/big")).reason is Reason.TOO_LARGE
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch_page(SITE, FEED)
    assert caught.value.reason is Reason.TOO_LARGE


def test_limits_are_those_promised() -> None:
    assert (FEED_LIMITS.max_bytes, FEED_LIMITS.seconds) == (15_000_000, 30)
    assert (PAGE_LIMITS.max_bytes, PAGE_LIMITS.seconds) == (10_000_000, 30)
    assert FEED_LIMITS.max_redirects == PAGE_LIMITS.max_redirects == 5
    assert not FEED_LIMITS.allow_downgrade


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:6379/", "http://169.254.169.254/", "file:///etc/passwd", "nonsense"]
)
async def test_refused_url_costs_no_request(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, url: str
) -> None:
    error = await failure(fetcher, url)

    assert (error.scope, error.transient, error.requests) == (Scope.ITEM, False, 0)
    assert origin.asked == []
    assert ledger.gaps == []


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"/page": moved("http://other.test/end"), "/end": reply(b"end")}, ["other.test"]),
        ({"/page": moved("http://other.test/gone")}, ["other.test"]),
        ({"/page": moved("http://other.test/end"), "/end": reply(status=503)}, []),
        ({"/page": moved("http://other.test/end"), "/end": reply(status=429)}, []),
        (
            {
                "/page": moved("http://other.test/on"),
                "/on": moved("http://third.test/end"),
                "/end": reply(status=503),
            },
            ["other.test"],
        ),
        ({"/page": moved("/end"), "/end": reply(b"end")}, []),
    ],
)
async def test_what_a_host_answers_to_who_is_led_there_counts_for_it(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, answers: dict[str, bytes], told: list[str]
) -> None:
    origin.answers |= answers
    with contextlib.suppress(FetchError):
        await fetcher.fetch_page(SITE, "http://site.test/page")
    assert ledger.answered == told


async def test_what_a_host_answers_to_another_ones_check_counts_for_it(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    site = settings(feed_url=None, url="http://site.test/")
    origin.answers |= {"/sitemap.xml": reply(b"x"), "/part.xml": reply(b"x")}
    await fetcher.fetch_site(site, "http://site.test/sitemap.xml", NONE)
    assert ledger.answered == []
    await fetcher.fetch_site(site, "http://other.test/part.xml", NONE)
    assert ledger.answered == ["other.test"]
