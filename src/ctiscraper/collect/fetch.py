"""Fetching as a good guest: robots.txt, one pace per host, conditional requests."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from ctiscraper.collect.manners import Manners, manners_of
from ctiscraper.collect.politeness import (
    Clock,
    Errand,
    HostLedger,
    Pace,
    RobotsBook,
    Sleep,
    origin_of,
)
from ctiscraper.collect.schedule import parse_retry_after
from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.http import Client, FetchLimits
from ctiscraper.types import Page, SourceSettings, Validators, host_of

__all__ = ["FEED_LIMITS", "PAGE_LIMITS", "Fetcher", "HostLedger"]

FEED_LIMITS = FetchLimits(max_bytes=15_000_000, seconds=30.0)
PAGE_LIMITS = FetchLimits(max_bytes=10_000_000, seconds=30.0)

_FEED_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_PAGE_ACCEPT = "text/html, application/xhtml+xml, */*;q=0.5"

_OK = 200
_SERVER_ERRORS = range(500, 600)
_CLIENT_ERRORS = range(400, 500)
_REASONS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    429: Reason.RATE_LIMITED,
    451: Reason.FORBIDDEN,
}
# What the host may answer otherwise another time: 408 and 425 by definition, 429 by asking.
_PASSING = frozenset({408, 425, 429})


class Fetcher:
    """Pages and feeds of sources, asked for as their hosts wish.

    `agent_token` is the product token that robots.txt knows us by; `default_gap`
    the least seconds between two requests to a host.
    """

    def __init__(
        self,
        client: Client,
        ledger: HostLedger,
        *,
        agent_token: str,
        default_gap: float = 1.0,
        clock: Clock = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._agent_token = agent_token
        self._default_gap = default_gap
        self._clock = clock
        self._pace = Pace(ledger, default_gap, sleep)
        self._robots = RobotsBook(client, ledger, self._pace, clock)

    async def fetch_feed(self, settings: SourceSettings, url: str, validators: Validators) -> Page:
        """Return a feed's answer, 200 or 304; raises FetchError for any other."""
        headers = {"Accept": _FEED_ACCEPT, **_conditions(validators)}
        return await self._fetch(_check_of(settings), url, FEED_LIMITS, headers)

    async def fetch_site(self, settings: SourceSettings, url: str, validators: Validators) -> Page:
        """Return a sitemap's or listing's answer, 200 or 304; raises FetchError."""
        headers = {"Accept": "*/*", **_conditions(validators)}
        return await self._fetch(_check_of(settings), url, FEED_LIMITS, headers)

    async def fetch_page(self, settings: SourceSettings, url: str) -> Page:
        """Return an article page's answer, 200; raises FetchError for any other."""
        errand = Errand(settings, host_of(url))
        return await self._fetch(errand, url, PAGE_LIMITS, {"Accept": _PAGE_ACCEPT})

    async def manners(self, settings: SourceSettings, url: str) -> Manners:
        """Return how a URL's host is treated for a source; nothing is asked for it."""
        return manners_of(
            settings,
            url,
            await self._ledger.robots(origin_of(url)),
            agent=self._agent_token,
            default_gap=self._default_gap,
            now=self._clock(),
        )

    async def _fetch(
        self, errand: Errand, url: str, limits: FetchLimits, headers: dict[str, str]
    ) -> Page:
        async def before_hop(hop: str) -> None:
            await self._ask_leave(errand, hop)

        try:
            page = await self._client.get(
                url, limits=limits, headers=headers, before_hop=before_hop
            )
            await self._note_answers(errand, page)
            conditional = "If-None-Match" in headers or "If-Modified-Since" in headers
            _check_status(page, conditional=conditional)
        except FetchError as error:
            error.requests = errand.requests
            raise
        return replace(page, requests=errand.requests)

    async def _note_answers(self, errand: Errand, page: Page) -> None:
        """Close the breakers of hosts that one was led to; what they fail with counts as well."""
        answered = {host_of(hop.url) for hop in page.redirects} | {host_of(page.final_url)}
        if _is_passing(page.status):
            answered.discard(host_of(page.final_url))
        for host in sorted(answered - {errand.host}):
            await self._ledger.succeeded(host)

    async def _ask_leave(self, errand: Errand, url: str) -> None:
        delay = None
        if errand.settings.robots.obey:
            rules = await self._robots.rules(errand, url)
            if not rules.allows(self._agent_token, url):
                raise FetchError(
                    Reason.ROBOTS_DISALLOWED,
                    "robots.txt asks crawlers not to read this",
                    scope=Scope.ITEM,
                    transient=False,
                    url=url,
                )
            delay = rules.crawl_delay(self._agent_token)
        await self._pace.wait(errand, url, delay)


def _conditions(validators: Validators) -> dict[str, str]:
    headers = {}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def _check_of(settings: SourceSettings) -> Errand:
    return Errand(settings, host_of(settings.feed_url or settings.url))


def _is_passing(status: int) -> bool:
    """Whether a host answers so by a fault of its own, or because we ask too often."""
    return status in _SERVER_ERRORS or status in _PASSING


def _check_status(page: Page, *, conditional: bool) -> None:
    if page.status == _OK or (conditional and page.not_modified):
        return
    passing = _is_passing(page.status)
    retry_after = None
    if passing:
        retry_after = parse_retry_after(page.headers.get("retry-after"), page.fetched_at)
    raise FetchError(
        _reason(page.status),
        f"HTTP {page.status}",
        scope=Scope.HOST if passing else Scope.ITEM,
        transient=passing,
        status=page.status,
        retry_after=retry_after,
        url=page.final_url,
    )


def _reason(status: int) -> Reason:
    if status in _REASONS:
        return _REASONS[status]
    if status in _SERVER_ERRORS:
        return Reason.SERVER_ERROR
    if status in _CLIENT_ERRORS:
        return Reason.CLIENT_ERROR
    return Reason.UNEXPECTED_STATUS
