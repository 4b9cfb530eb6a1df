"""Leave to ask: each host's robots.txt, and its pace across all workers."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from ctiscraper.collect.robots import MAX_BYTES, RobotsRules, to_text
from ctiscraper.collect.schedule import parse_retry_after
from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.http import Client, FetchLimits
from ctiscraper.types import Page, RobotsRecord, SourceSettings, host_of

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]

MAX_GAP = 60.0
# How far away a turn may be that is waited for: an item has ten minutes for all it asks.
MOST_WAIT = 180.0
# The same at a host that one is led to: a slot later, whose own work asks there finds one.
LED_WAIT = MOST_WAIT - MAX_GAP
ROBOTS_LIMITS = FetchLimits(max_bytes=MAX_BYTES, seconds=10.0, allow_downgrade=True, truncate=True)
ROBOTS_FRESH = timedelta(hours=24)
# An unreachable robots.txt closes the whole host, so it is asked again sooner.
ROBOTS_RETRY = timedelta(minutes=30)
ROBOTS_LAST_GOOD = timedelta(days=30)
_MAX_ORIGINS = 1000
# A request goes out this much after its slot at most, on a machine that is not overloaded.
_MOST_LATE = 0.5
_TOO_MANY = 429


class HostLedger(Protocol):
    """What all workers share about hosts."""

    async def reserve(self, host: str, gap: float, most: float) -> float | None:
        """Return the seconds to wait before asking `host`; the slot is taken.

        None when that were more than `most`: then none is.
        """

    async def succeeded(self, host: str) -> None:
        """Close the breaker of a host that answered."""

    async def robots(self, origin: str) -> RobotsRecord | None:
        """Return the robots.txt last read of an origin."""

    async def save_robots(self, record: RobotsRecord) -> None:
        """Keep what an origin's robots.txt said."""


@dataclass(slots=True)
class Errand:
    """The requests made for one answer, under one source's settings.

    `host` is the one whose turn it is; at any other one is led there.
    """

    settings: SourceSettings
    host: str
    requests: int = 0


def gap_in_force(settings: SourceSettings, default_gap: float, robots_delay: float | None) -> float:
    """Return the seconds between two requests to a host: the longest that anybody asks for."""
    per_minute = settings.requests_per_minute
    return min(
        MAX_GAP,
        max(
            default_gap,
            settings.crawl_delay or 0.0,
            60.0 / per_minute if per_minute else 0.0,
            robots_delay or 0.0,
        ),
    )


class Pace:
    """One queue for each host, kept in the ledger."""

    def __init__(self, ledger: HostLedger, default_gap: float, sleep: Sleep) -> None:
        self._ledger = ledger
        self._default_gap = default_gap
        self._sleep = sleep
        self._sent: OrderedDict[str, float] = OrderedDict()

    async def wait(self, errand: Errand, url: str, robots_delay: float | None = None) -> None:
        """Wait for the host's next slot and count the request.

        Raises FetchError when that is too far away.
        """
        gap = gap_in_force(errand.settings, self._default_gap, robots_delay)
        if gap > 0:
            host = host_of(url)
            most = MOST_WAIT if host == errand.host else LED_WAIT
            seconds = await self._ledger.reserve(host, gap, most)
            if seconds is None:
                raise FetchError(
                    Reason.HOST_BUSY,
                    f"its next turn at {host} is more than {most:g} s away",
                    scope=Scope.ITEM,
                    retry_after=most,
                    url=url,
                )
            if seconds > 0:
                await self._sleep(seconds)
                await self._make_up(host, gap)
            self._sent[host] = time.monotonic()
            self._sent.move_to_end(host)
            while len(self._sent) > _MAX_ORIGINS:
                self._sent.popitem(last=False)
        errand.requests += 1

    async def _make_up(self, host: str, gap: float) -> None:
        """Wait on when the last request went out late, so that requests too are a gap apart."""
        early = self._sent.get(host, float("-inf")) + gap - time.monotonic()
        if 0 < early <= _MOST_LATE:
            await self._sleep(early)


@dataclass(frozen=True, slots=True)
class _Known:
    """A robots.txt in memory; rules are None when it was unreachable."""

    record: RobotsRecord
    rules: RobotsRules | None
    retry_after: float | None = None


class RobotsBook:
    """robots.txt of every origin: asked once a day, kept for 30 when unreachable."""

    def __init__(self, client: Client, ledger: HostLedger, pace: Pace, clock: Clock) -> None:
        self._client = client
        self._ledger = ledger
        self._pace = pace
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def rules(self, errand: Errand, url: str) -> RobotsRules:
        """Return the rules that hold for the URL's origin.

        Raises FetchError when they cannot be known: ROBOTS_UNREACHABLE, or what
        kept the host from being reached at all.
        """
        origin = origin_of(url)
        known = self._known.get(origin)
        if known is None or not self._fresh(known.record):
            lock = self._locks.setdefault(origin, asyncio.Lock())
            async with lock:
                known = await self._look_up(errand, origin)
        if known.rules is None:
            raise FetchError(
                Reason.ROBOTS_UNREACHABLE,
                f"{origin}/robots.txt answered {known.record.status or 'nothing readable'}",
                status=known.record.status,
                retry_after=known.retry_after,
                url=url,
            )
        return known.rules

    async def _look_up(self, errand: Errand, origin: str) -> _Known:
        known = self._known.get(origin)
        if known is not None and self._fresh(known.record):
            return known
        record = await self._ledger.robots(origin)
        if record is None or not self._fresh(record):
            known = await self._ask(errand, origin, record)
            await self._ledger.save_robots(known.record)
        else:
            known = self._know(record)
        self._known[origin] = known
        self._known.move_to_end(origin)
        if len(self._known) > _MAX_ORIGINS:
            self._known.popitem(last=False)
        return known

    async def _ask(self, errand: Errand, origin: str, old: RobotsRecord | None) -> _Known:
        async def before_hop(url: str) -> None:
            await self._pace.wait(errand, url)

        try:
            page = await self._client.get(
                f"{origin}/robots.txt", limits=ROBOTS_LIMITS, before_hop=before_hop
            )
        except FetchError as error:
            if error.scope is Scope.OURS or error.reason is Reason.HOST_BUSY:
                raise
            known = self._know(self._failed_record(origin, old, error))
            if known.rules is None and error.scope is Scope.HOST:
                # The host itself cannot be reached: that is the cause to tell.
                raise
            return known
        return self._know(self._answered_record(origin, old, page), _retry_after(page))

    def _failed_record(
        self, origin: str, old: RobotsRecord | None, error: FetchError
    ) -> RobotsRecord:
        # Endless redirects count as no robots.txt (RFC 9309 section 2.3.1.2).
        lost = error.reason in {Reason.REDIRECT_LIMIT, Reason.REDIRECT_LOOP}
        return self._record(origin, None, "" if lost else None, old)

    def _answered_record(self, origin: str, old: RobotsRecord | None, page: Page) -> RobotsRecord:
        unreachable = page.status == _TOO_MANY or page.status >= 500  # noqa: PLR2004 - HTTP's classes
        body = None if unreachable else ""
        if page.status in range(200, 300):
            body = to_text(page.body)
        return self._record(origin, page.status, body, old)

    def _record(
        self, origin: str, status: int | None, body: str | None, old: RobotsRecord | None
    ) -> RobotsRecord:
        now = self._clock()
        record = RobotsRecord(origin=origin, status=status, body=body, fetched_at=now)
        if body is not None:
            return replace(record, good_body=body, good_at=now)
        if old is not None:
            return replace(record, good_body=old.good_body, good_at=old.good_at)
        return record

    def _know(self, record: RobotsRecord, retry_after: float | None = None) -> _Known:
        return _Known(record, rules_in_force(record, self._clock()), retry_after)

    def _fresh(self, record: RobotsRecord) -> bool:
        lasts = ROBOTS_RETRY if record.body is None else ROBOTS_FRESH
        return self._clock() - record.fetched_at < lasts


def rules_in_force(record: RobotsRecord, now: datetime) -> RobotsRules | None:
    """Return the rules that a robots.txt sets, or its last good copy; None closes the host."""
    body = record.body
    if body is None and record.good_at and now - record.good_at <= ROBOTS_LAST_GOOD:
        body = record.good_body
    return None if body is None else RobotsRules.parse(body)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: whose robots.txt holds for it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _retry_after(page: Page) -> float | None:
    return parse_retry_after(page.headers.get("retry-after"), page.fetched_at)
