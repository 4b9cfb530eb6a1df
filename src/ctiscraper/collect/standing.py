"""Where a source stands after a check: pure decisions from what the check saw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from ctiscraper.collect.find import Found
from ctiscraper.collect.schedule import next_check_delay, parse_cache_control
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.types import (
    Health,
    Page,
    ParsedFeed,
    Source,
    SourceSettings,
    SourceStanding,
    Validators,
)

# RFC 9110 section 15.4: only these say that the move is for good.
PERMANENT = {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
MOVED_AFTER = 3
GONE_AFTER = {Reason.GONE: 3, Reason.NOT_FOUND: 10}
# A source that is gone is still asked this seldom: it may come back.
GONE_DELAY = timedelta(days=7).total_seconds()
OFFLINE_DELAY = 60.0
PARSER_DELAY = 60.0
# Its host had no turn for it within minutes.
BUSY_DELAY = 180.0
BLOCKED = {
    Reason.ROBOTS_DISALLOWED,
    Reason.ROBOTS_UNREACHABLE,
    Reason.FORBIDDEN,
    Reason.UNAUTHORIZED,
}
RHYTHM_DAYS = 30
RHYTHM_ITEMS = 2


@dataclass(frozen=True, slots=True)
class Chance:
    """The random part of a schedule, 0 to 1, passed in so that decisions stay pure."""

    jitter: float


@dataclass(frozen=True, slots=True)
class Move:
    """The settings of a source with the address that its feed has by now, and who says so why."""

    settings: SourceSettings
    actor: str
    reason: str


def move_of(source: Source, found: Found, standing: SourceStanding) -> Move | None:
    """Return how a feed's own address is to be written down, None when it is the one we have.

    It was found on its site, or moved for good.
    """
    settings = source.settings
    if found.feed_url is not None and found.feed_url != settings.feed_url:
        moved = replace(settings, feed_url=found.feed_url, discovery=found.discovery)
        return Move(moved, "discovery", f"the site has this {found.discovery}")
    if standing.moved_to is not None and standing.moved_count >= MOVED_AFTER:
        moved = replace(settings, feed_url=standing.moved_to)
        return Move(moved, "redirect", f"moved permanently, {standing.moved_count} equal answers")
    return None


def after_answer(
    source: Source,
    page: Page,
    feed: ParsedFeed | None,
    rhythm: float | None,
    chance: Chance,
) -> SourceStanding:
    """Return where a source stands once it answered; `feed` is None when nothing changed."""
    moved_to = _permanent_target(page)
    count = 0
    if moved_to is not None:
        count = source.moved_count + 1 if moved_to == source.moved_to else 1
    items_per_day = rhythm if rhythm is not None else source.items_per_day
    note = "; ".join(feed.warnings) if feed is not None else _note(source)
    return SourceStanding(
        health=Health.OK,
        next_check_seconds=next_check_delay(
            source.settings.tier,
            interval_minutes=source.settings.interval_minutes,
            items_per_day=items_per_day,
            ttl_minutes=feed.ttl_minutes if feed else None,
            cache_max_age=parse_cache_control(page.headers.get("cache-control")),
            retry_after=None,
            failures=0,
            jitter=chance.jitter,
        ),
        validators=_validators(source, page),
        failures=0,
        succeeded=True,
        detail=note,
        note=note,
        items_per_day=items_per_day,
        moved_to=moved_to,
        moved_count=count,
    )


def _note(source: Source) -> str:
    """Return what the last reading had to mend or pass over, empty when there was nothing."""
    return source.detail if source.reason is None else source.note


def after_failure(
    source: Source, error: FetchError | ParseError, chance: Chance, *, in_a_row: int = 0
) -> SourceStanding:
    """Return where a source stands after a check that failed, as `in_a_row` before it did.

    Our own outages count nothing, and a turn that was too far away says nothing of it; all else
    backs off and never gives up. Where its reader was ended it is soon tried again, once: a machine
    with too much to do ends readers as well.
    """
    if isinstance(error, FetchError) and error.scope is Scope.OURS:
        return _failed(
            source,
            error,
            health=Health.OFFLINE,
            failures=source.failures,
            delay=OFFLINE_DELAY * (1 + chance.jitter),
        )
    if error.reason is Reason.HOST_BUSY:
        return _as_it_stood(source, BUSY_DELAY * (1 + chance.jitter))
    failures = source.failures + 1
    if _is_gone(source, error, in_a_row + 1):
        return _failed(source, error, health=Health.GONE, failures=failures, delay=GONE_DELAY)
    if isinstance(error, ParseError) and error.transient and source.failures == 0:
        delay = PARSER_DELAY * (1 + chance.jitter)
        return _failed(source, error, health=Health.FAILING, failures=failures, delay=delay)
    return _failed(
        source,
        error,
        health=Health.BLOCKED if error.reason in BLOCKED else Health.FAILING,
        failures=failures,
        delay=next_check_delay(
            source.settings.tier,
            interval_minutes=source.settings.interval_minutes,
            items_per_day=source.items_per_day,
            ttl_minutes=None,
            cache_max_age=None,
            retry_after=error.retry_after if isinstance(error, FetchError) else None,
            failures=failures,
            jitter=chance.jitter,
        ),
    )


def items_per_day(dates: Sequence[datetime], now: datetime) -> float | None:
    """Return the rhythm of a source from its articles' dates, None when they say too little."""
    recent = sorted(date for date in dates if now - date <= timedelta(days=RHYTHM_DAYS))
    if len(recent) < RHYTHM_ITEMS:
        return None
    span = max((now - recent[0]).total_seconds() / 86_400, 1 / 24)
    return len(recent) / span


def _permanent_target(page: Page) -> str | None:
    if not page.redirects or any(hop.status not in PERMANENT for hop in page.redirects):
        return None
    return page.final_url


def _is_gone(source: Source, error: FetchError | ParseError, equal: int) -> bool:
    """Whether so many equal answers say that it is gone, or one more does where it was."""
    if error.reason not in GONE_AFTER:
        return False
    was_gone = source.health is Health.GONE and source.reason == error.reason
    return was_gone or equal >= GONE_AFTER[error.reason]


def _validators(source: Source, page: Page) -> Validators:
    """Return what the next conditional request sends; a 304 may renew them (RFC 9110)."""
    held = source.validators
    fresh = not page.not_modified
    return Validators(
        etag=page.headers.get("etag") or (None if fresh else held.etag),
        last_modified=page.headers.get("last-modified") or (None if fresh else held.last_modified),
        body_sha256=held.body_sha256,
    )


def _as_it_stood(source: Source, delay: float) -> SourceStanding:
    return SourceStanding(
        health=source.health,
        next_check_seconds=delay,
        validators=source.validators,
        failures=source.failures,
        succeeded=False,
        reason=source.reason,
        detail=source.detail,
        note=_note(source),
        items_per_day=source.items_per_day,
        moved_to=source.moved_to,
        moved_count=source.moved_count,
    )


def _failed(
    source: Source,
    error: FetchError | ParseError,
    *,
    health: Health,
    failures: int,
    delay: float,
) -> SourceStanding:
    return replace(
        _as_it_stood(source, delay),
        health=health,
        failures=failures,
        reason=error.reason,
        detail=error.detail,
    )
