"""When to ask again: pure decisions from a source's rhythm and what hosts ask for."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ctiscraper.types import Tier

MINUTE = 60.0
DAY = 24 * 3600.0
BREAKER_THRESHOLD = 5
_BREAKER_FIRST = 5 * MINUTE
# 2 ** 20 minutes is past every cap; a larger exponent only costs arithmetic.
_MAX_DOUBLINGS = 20
_MAX_DIGITS = 20
_DIRECTIVE = re.compile(r'([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?')


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalBounds:
    """Seconds between two checks of a source: least, at first, and most."""

    least: float
    default: float
    most: float


# Defaults are what a source gets before its own rhythm is known.
TIER_BOUNDS = {
    Tier.PREMIUM: IntervalBounds(least=5 * MINUTE, default=30 * MINUTE, most=6 * 60 * MINUTE),
    Tier.STANDARD: IntervalBounds(least=15 * MINUTE, default=60 * MINUTE, most=12 * 60 * MINUTE),
    Tier.BASIC: IntervalBounds(least=60 * MINUTE, default=180 * MINUTE, most=DAY),
}


def next_check_delay(  # noqa: PLR0913 - each is a voice in the one decision
    tier: Tier,
    *,
    interval_minutes: int | None = None,
    items_per_day: float | None = None,
    ttl_minutes: int | None = None,
    cache_max_age: float | None = None,
    retry_after: float | None = None,
    failures: int = 0,
    jitter: float = 0.5,
) -> float:
    """Return the seconds until the next check of a source.

    Half the mean time between its items, or the operator's interval, within the
    tier's bounds; after failures, exponential back-off with full jitter, never more
    than a day apart. Never sooner than TTL, max-age (seconds) or Retry-After
    (seconds) ask, each counted up to a day. `jitter` is uniform in [0, 1).
    """
    bounds = TIER_BOUNDS[tier]
    wanted = _rhythm(bounds, interval_minutes, items_per_day)
    if failures > 0:
        # Full jitter over the growing window, above the tier's least interval.
        window = min(wanted * 2.0 ** min(failures, _MAX_DOUBLINGS), DAY)
        delay = bounds.least + jitter * max(0.0, window - bounds.least)
    else:
        # A tenth either way keeps sources of one interval apart.
        delay = wanted * (0.9 + 0.2 * jitter)
    asked = max((ttl_minutes or 0) * MINUTE, cache_max_age or 0.0, retry_after or 0.0)
    return min(max(delay, asked, bounds.least), DAY)


def breaker_delay(failures: int, *, jitter: float = 1.0) -> float:
    """Return the seconds a host is left alone after that many failures in a row.

    0 below five: the breaker is closed. Afterwards one probe may be made when the
    time is over (half open); its failure doubles the time, up to a day.
    """
    if failures < BREAKER_THRESHOLD:
        return 0.0
    doublings = min(failures - BREAKER_THRESHOLD, _MAX_DOUBLINGS)
    window = min(_BREAKER_FIRST * 2.0**doublings, DAY)
    return window * (0.5 + 0.5 * jitter)


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After asks for (RFC 9110 section 10.2.3), at most a day.

    None when there is none or it cannot be read; 0 for a past date.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return DAY if len(text) > _MAX_DIGITS else min(float(text), DAY)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), DAY)


def parse_cache_control(header: str | None) -> float | None:
    """Return the seconds an answer stays fresh (max-age, RFC 9111), at most a day.

    None when it names no age or may not be reused at all.
    """
    age: float | None = None
    for name, quoted, plain in _DIRECTIVE.findall(header or ""):
        value = quoted or plain
        if name.lower() in {"no-store", "no-cache"}:
            return None
        if name.lower() == "max-age" and value.isascii() and value.isdigit():
            age = DAY if len(value) > _MAX_DIGITS else min(float(value), DAY)
    return age


def _rhythm(
    bounds: IntervalBounds, interval_minutes: int | None, items_per_day: float | None
) -> float:
    if interval_minutes is not None:
        wanted = interval_minutes * MINUTE
    elif items_per_day is None:
        wanted = bounds.default
    elif items_per_day <= 0:
        wanted = bounds.most
    else:
        wanted = DAY / items_per_day / 2
    return min(max(wanted, bounds.least), bounds.most)
