from dataclasses import replace
from datetime import timedelta

import pytest

import make
from ctiscraper.collect.standing import (
    BUSY_DELAY,
    GONE_AFTER,
    GONE_DELAY,
    MOVED_AFTER,
    PARSER_DELAY,
    Chance,
    after_answer,
    after_failure,
    items_per_day,
)
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.types import Health, Page, ParsedFeed, Redirect, Source, Validators

EVEN = Chance(0.5)
HELD = Validators(etag='"held"', last_modified="Fri, 20 Nov 2026 10:00:00 GMT", body_sha256=b"x")
SOURCE = Source(id=1, settings=make.settings(), validators=HELD)
FEED = ParsedFeed(kind="rss")
MOVED = "https://acme.example/new.xml"
HOUR = 3600.0


def page(status: int = 200, hops: tuple[int, ...] = (), **headers: str) -> Page:
    return Page(
        url="https://acme.example/feed.xml",
        final_url=MOVED,
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=b"",
        fetched_at=make.NOW,
        redirects=tuple(Redirect(url="u", status=hop, location="l") for hop in hops),
    )


def test_an_answer_ends_all_failures() -> None:
    failing = replace(SOURCE, failures=7, reason=Reason.TIMEOUT, health=Health.FAILING)
    standing = after_answer(failing, page(), FEED, None, EVEN)
    assert (standing.health, standing.failures, standing.reason) == (Health.OK, 0, None)
    assert standing.succeeded


def test_validators_of_a_new_answer_replace_the_old_ones_whole() -> None:
    standing = after_answer(SOURCE, page(etag='W/"new"'), FEED, None, EVEN)
    assert (standing.validators.etag, standing.validators.last_modified) == ('W/"new"', None)


def test_validators_survive_an_answer_that_nothing_changed() -> None:
    standing = after_answer(SOURCE, page(304), None, None, EVEN)
    assert standing.validators == HELD
    renewed = after_answer(SOURCE, page(304, etag='"2"'), None, None, EVEN)
    assert renewed.validators == replace(HELD, etag='"2"')


def test_what_a_reading_passed_over_is_told_until_the_next_reading() -> None:
    noted = after_answer(SOURCE, page(), replace(FEED, warnings=("mended", "cut")), None, EVEN)
    assert (noted.detail, noted.reason, noted.health) == ("mended; cut", None, Health.OK)
    held = replace(SOURCE, detail=noted.detail)
    assert after_answer(held, page(304), None, None, EVEN).detail == "mended; cut"
    assert after_answer(held, page(), FEED, None, EVEN).detail == ""


@pytest.mark.parametrize(
    "error",
    [
        FetchError(Reason.TIMEOUT, "no answer in 30 s"),
        FetchError(Reason.OFFLINE, "no route", scope=Scope.OURS),
        FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=180.0),
        ParseError(Reason.NOT_A_FEED, "a page"),
    ],
)
def test_what_a_reading_passed_over_is_told_again_after_checks_that_failed(
    error: FetchError | ParseError,
) -> None:
    source = replace(SOURCE, detail="mended; cut")
    for _ in range(2):
        standing = after_failure(source, error, EVEN)
        assert standing.note == "mended; cut"
        source = replace(source, reason=standing.reason, detail=standing.detail, note=standing.note)
    again = after_answer(source, page(304), None, None, EVEN)
    assert (again.reason, again.detail, again.note) == (None, "mended; cut", "mended; cut")
    anew = after_answer(source, page(), FEED, None, EVEN)
    assert (anew.detail, anew.note) == ("", "")


def test_the_rhythm_is_kept_while_nothing_new_is_known() -> None:
    steady = replace(SOURCE, items_per_day=24.0)
    quiet = after_answer(steady, page(304), None, None, EVEN)
    assert quiet.items_per_day == 24.0
    assert quiet.next_check_seconds == 0.5 * HOUR
    assert after_answer(steady, page(), FEED, 2.0, EVEN).next_check_seconds == 6 * HOUR


def test_what_the_answer_asks_for_is_waited() -> None:
    told = ParsedFeed(kind="rss", ttl_minutes=300)
    assert after_answer(SOURCE, page(), told, None, EVEN).next_check_seconds == 5 * HOUR
    cached = page(cache_control="max-age=14400")
    assert after_answer(SOURCE, cached, FEED, None, EVEN).next_check_seconds == 4 * HOUR


@pytest.mark.parametrize(
    ("hops", "moved"),
    [((301,), MOVED), ((308, 301), MOVED), ((302,), None), ((301, 302), None), ((), None)],
)
def test_only_permanent_moves_count_as_moves(hops: tuple[int, ...], moved: str | None) -> None:
    standing = after_answer(SOURCE, page(200, hops), FEED, None, EVEN)
    assert (standing.moved_to, standing.moved_count) == (moved, 1 if moved else 0)


def test_equal_moves_are_counted_and_another_starts_again() -> None:
    moving = replace(SOURCE, moved_to=MOVED, moved_count=MOVED_AFTER - 1)
    assert after_answer(moving, page(200, (301,)), FEED, None, EVEN).moved_count == MOVED_AFTER
    elsewhere = replace(moving, moved_to="https://acme.example/other.xml")
    assert after_answer(elsewhere, page(200, (301,)), FEED, None, EVEN).moved_count == 1
    assert after_answer(moving, page(), FEED, None, EVEN).moved_count == 0


def test_being_offline_counts_nothing_against_a_source() -> None:
    source = replace(SOURCE, failures=3)
    error = FetchError(Reason.OFFLINE, "no route", scope=Scope.OURS)
    standing = after_failure(source, error, EVEN)
    assert (standing.health, standing.failures, standing.reason) == (
        Health.OFFLINE,
        3,
        Reason.OFFLINE,
    )
    assert standing.next_check_seconds <= 120
    assert standing.enabled


@pytest.mark.parametrize("health", [Health.NEW, Health.OK, Health.FAILING, Health.GONE])
def test_a_turn_that_is_too_far_away_leaves_a_source_as_it_stood(health: Health) -> None:
    source = replace(SOURCE, health=health, failures=3, reason=Reason.NOT_FOUND, detail="HTTP 404")
    busy = FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=180.0)
    standing = after_failure(source, busy, EVEN, in_a_row=20)
    assert (standing.health, standing.failures) == (health, 3)
    assert (standing.reason, standing.detail) == (Reason.NOT_FOUND, "HTTP 404")
    assert (standing.validators, standing.succeeded) == (HELD, False)
    assert standing.next_check_seconds == BUSY_DELAY * 1.5


@pytest.mark.parametrize("reason", [Reason.GONE, Reason.NOT_FOUND])
def test_a_source_that_is_gone_is_told_after_its_number_of_equal_answers(reason: Reason) -> None:
    error = FetchError(reason, scope=Scope.ITEM, transient=False)
    source = SOURCE
    for count in range(1, GONE_AFTER[reason] + 1):
        standing = after_failure(source, error, EVEN, in_a_row=count - 1)
        gone = count == GONE_AFTER[reason]
        assert (standing.health is Health.GONE) is gone
        source = replace(
            source, failures=standing.failures, reason=standing.reason, health=standing.health
        )
    assert standing.next_check_seconds == GONE_DELAY
    assert standing.enabled, "it is asked again, seldom: it may come back"
    # What it answered before may be past its time by then.
    assert after_failure(source, error, EVEN, in_a_row=1).health is Health.GONE
    other = FetchError(Reason.TIMEOUT)
    assert after_failure(source, other, EVEN).health is Health.FAILING


def test_failures_of_another_cause_do_not_make_a_source_gone() -> None:
    down = replace(SOURCE, failures=50, reason=Reason.TIMEOUT)
    error = FetchError(Reason.GONE, scope=Scope.ITEM, transient=False)
    assert after_failure(down, error, EVEN).health is Health.FAILING
    again = replace(down, failures=51, reason=Reason.GONE)
    assert after_failure(again, error, EVEN, in_a_row=1).health is Health.FAILING


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (FetchError(Reason.FORBIDDEN, scope=Scope.ITEM, transient=False), Health.BLOCKED),
        (FetchError(Reason.ROBOTS_DISALLOWED, scope=Scope.ITEM), Health.BLOCKED),
        (FetchError(Reason.SERVER_ERROR), Health.FAILING),
        (ParseError(Reason.NOT_A_FEED), Health.FAILING),
    ],
)
def test_who_refuses_is_told_from_who_fails(error: FetchError | ParseError, health: Health) -> None:
    standing = after_failure(SOURCE, error, EVEN)
    assert (standing.health, standing.failures, standing.succeeded) == (health, 1, False)
    assert standing.validators == HELD


def test_retry_after_is_obeyed() -> None:
    error = FetchError(Reason.RATE_LIMITED, retry_after=20 * HOUR)
    assert after_failure(SOURCE, error, EVEN).next_check_seconds == 20 * HOUR


def test_failures_back_off_and_never_give_up() -> None:
    waits = [
        after_failure(replace(SOURCE, failures=n), FetchError(Reason.TIMEOUT), Chance(1.0))
        for n in range(60)
    ]
    seconds = [standing.next_check_seconds for standing in waits]
    assert seconds == sorted(seconds)
    assert seconds[-1] == 24 * HOUR
    assert all(standing.enabled for standing in waits)


def test_a_reader_that_was_ended_is_soon_tried_again_but_once() -> None:
    ended = ParseError(Reason.PARSER_TIMEOUT, "feed took too long", transient=True)
    first = after_failure(SOURCE, ended, EVEN)
    assert (first.health, first.failures) == (Health.FAILING, 1)
    assert PARSER_DELAY <= first.next_check_seconds <= 2 * PARSER_DELAY
    again = after_failure(replace(SOURCE, failures=1, reason=ended.reason), ended, EVEN)
    assert again.next_check_seconds >= HOUR / 4
    wrong = ParseError(Reason.PARSER_ERROR, "no feed")
    assert after_failure(SOURCE, wrong, EVEN).next_check_seconds >= HOUR / 4


def test_the_rhythm_is_read_from_recent_dates_alone() -> None:
    days = [make.NOW - timedelta(days=n) for n in (0, 1, 2, 4, 400)]
    assert items_per_day(days, make.NOW) == 1.0
    assert items_per_day(days[-1:], make.NOW) is None
    assert items_per_day(days[:1], make.NOW) is None
    assert items_per_day([], make.NOW) is None
    at_once = [make.NOW] * 4
    assert items_per_day(at_once, make.NOW) == 96.0
