from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect.schedule import (
    BREAKER_THRESHOLD,
    DAY,
    MINUTE,
    TIER_BOUNDS,
    breaker_delay,
    next_check_delay,
    parse_cache_control,
    parse_retry_after,
)
from ctiscraper.types import Tier

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tier", "minutes"), [(Tier.PREMIUM, 30), (Tier.STANDARD, 60), (Tier.BASIC, 180)]
)
def test_unknown_rhythm_gives_the_tiers_default(tier: Tier, minutes: int) -> None:
    assert next_check_delay(tier) == pytest.approx(minutes * MINUTE)


@pytest.mark.parametrize(
    ("items_per_day", "minutes"), [(6, 120), (12, 60), (1000, 15), (0.1, 720), (0, 720)]
)
def test_interval_follows_the_sources_rhythm(items_per_day: float, minutes: float) -> None:
    delay = next_check_delay(Tier.STANDARD, items_per_day=items_per_day)

    assert delay == pytest.approx(minutes * MINUTE)


@pytest.mark.parametrize(("asked", "got"), [(1, 15), (45, 45), (100_000, 720)])
def test_operators_interval_holds_within_the_tiers_bounds(asked: int, got: int) -> None:
    delay = next_check_delay(Tier.STANDARD, interval_minutes=asked, items_per_day=500)

    assert delay == pytest.approx(got * MINUTE)


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        ({"ttl_minutes": 300}, 5),
        ({"cache_max_age": 7200.0}, 2),
        ({"retry_after": 10_800.0}, 3),
        ({"retry_after": 10_800.0, "ttl_minutes": 240, "cache_max_age": 3600.0}, 4),
        ({"ttl_minutes": 10_000_000}, 24),
        ({"retry_after": 1e9}, 24),
        ({"retry_after": 10_800.0, "failures": 1, "jitter": 0.0}, 3),
    ],
)
def test_never_sooner_than_the_host_asks(asked: dict[str, float], hours: float) -> None:
    assert next_check_delay(Tier.PREMIUM, **asked) == pytest.approx(hours * 3600)  # type: ignore[arg-type]


def test_failures_back_off_without_giving_up() -> None:
    latest = [next_check_delay(Tier.STANDARD, failures=n, jitter=1.0) for n in range(1, 40)]

    assert latest[0] == pytest.approx(2 * 3600)
    assert latest == sorted(latest)
    assert latest[-1] == DAY
    assert next_check_delay(Tier.STANDARD, failures=10_000) < DAY


def test_failures_have_full_jitter() -> None:
    least = next_check_delay(Tier.STANDARD, failures=8, jitter=0.0)
    most = next_check_delay(Tier.STANDARD, failures=8, jitter=1.0)

    assert (least, most) == (15 * MINUTE, DAY)


def test_success_is_spread_by_a_tenth_either_way() -> None:
    least = next_check_delay(Tier.STANDARD, jitter=0.0)
    most = next_check_delay(Tier.STANDARD, jitter=1.0)

    assert least == pytest.approx(54 * MINUTE)
    assert most == pytest.approx(66 * MINUTE)


@given(
    tier=st.sampled_from(Tier),
    interval=st.none() | st.integers(0, 10**6),
    items=st.none() | st.floats(0, 1e6),
    ttl=st.none() | st.integers(0, 10**9),
    age=st.none() | st.floats(0, 1e12),
    retry=st.none() | st.floats(0, 1e12),
    failures=st.integers(0, 10**6),
    jitter=st.floats(0, 1),
)
def test_delay_is_always_between_the_least_and_a_day(  # noqa: PLR0913, PLR0917 - every voice
    tier: Tier,
    interval: int | None,
    items: float | None,
    ttl: int | None,
    age: float | None,
    retry: float | None,
    failures: int,
    jitter: float,
) -> None:
    delay = next_check_delay(
        tier,
        interval_minutes=interval,
        items_per_day=items,
        ttl_minutes=ttl,
        cache_max_age=age,
        retry_after=retry,
        failures=failures,
        jitter=jitter,
    )

    assert TIER_BOUNDS[tier].least <= delay <= DAY
    assert delay >= min(max((ttl or 0) * MINUTE, age or 0, retry or 0), DAY)


def test_breaker_opens_at_the_fifth_failure() -> None:
    assert [breaker_delay(n) for n in range(BREAKER_THRESHOLD)] == [0.0] * 5
    assert breaker_delay(5) == 5 * MINUTE
    assert breaker_delay(6) == 10 * MINUTE
    assert breaker_delay(1000) == DAY
    assert breaker_delay(5, jitter=0.0) == 2.5 * MINUTE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1000000000", DAY),
        ("9" * 5000, DAY),
        ("Fri, 20 Nov 2026 12:02:00 GMT", 120.0),
        ("Fri, 20 Nov 2026 12:02:00", 120.0),
        ("Friday, 20-Nov-26 12:02:00 GMT", 120.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 20 Nov 2056 12:00:00 GMT", DAY),
        ("Mon, 99 Nov 2056 12:00:00 GMT", None),
        ("Mon, 20 Nov 99999 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("public", None),
        ("max-age=600", 600.0),
        ("public, MAX-AGE = 600", 600.0),
        ('max-age="600"', 600.0),
        ("s-maxage=60, max-age=600", 600.0),
        ("max-age=0, must-revalidate", 0.0),
        ("max-age=600, no-cache", None),
        ("no-store", None),
        ("max-age=soon", None),
        ("max-age=-1", None),
        ("max-age=31536000", DAY),
        ("max-age=" + "9" * 5000, DAY),
        ('private="max-age=5"', None),
    ],
)
def test_cache_control_gives_the_age(header: str | None, seconds: float | None) -> None:
    assert parse_cache_control(header) == seconds


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    for seconds in (parse_retry_after(header, NOW), parse_cache_control(header)):
        assert seconds is None or 0 <= seconds <= DAY
