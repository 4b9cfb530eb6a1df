import pytest
from hypothesis import given
from hypothesis import strategies as st

import make
from ctiscraper.collect.failing import HOST_TRIES, MOST_BUSY_DELAY, MOST_DELAY, retry_of
from ctiscraper.collect.politeness import MOST_WAIT
from ctiscraper.errors import FetchError, ParseError, Reason, Scope, StorageError
from ctiscraper.types import MAX_ATTEMPTS, FetchJob


def job(attempts: int = 1, host_tries: int = 0, busy_turns: int = 0) -> FetchJob:
    return FetchJob(
        id=1,
        source_id=1,
        url="https://acme.example/a/1",
        entry=make.entry("https://acme.example/a/1"),
        attempts=attempts,
        lease_owner="o",
        host_tries=host_tries,
        busy_turns=busy_turns,
    )


@pytest.mark.parametrize(
    "error",
    [
        StorageError(Reason.DATABASE, "gone"),
        StorageError(Reason.STORAGE, "full"),
        FetchError(Reason.OFFLINE, scope=Scope.OURS),
    ],
)
@pytest.mark.parametrize("attempts", [1, MAX_ATTEMPTS, 100])
def test_our_own_faults_burn_nothing_ever(error: StorageError | FetchError, attempts: int) -> None:
    retry = retry_of(job(attempts, host_tries=HOST_TRIES), error, 0.5)
    assert retry is not None
    assert (retry.refund, retry.host_try, retry.reason) == (True, False, error.reason)


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_turn_that_is_too_far_away_costs_an_item_nothing_however_often(jitter: float) -> None:
    busy = FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=MOST_WAIT)
    retry = retry_of(job(MAX_ATTEMPTS, host_tries=HOST_TRIES), busy, jitter)
    assert retry is not None
    assert (retry.refund, retry.host_try, retry.reason) == (True, False, Reason.HOST_BUSY)
    assert retry.delay == MOST_WAIT * (0.5 + jitter)


def test_a_turn_that_is_too_far_away_is_waited_for_twice_as_long_each_time() -> None:
    busy = FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=MOST_WAIT)
    waits, turns = [], 0
    for _ in range(100):
        retry = retry_of(job(busy_turns=turns), busy, 0.5)
        assert retry is not None
        turns = retry.busy_turns
        waits.append(retry.delay)
    assert waits[:6] == [180.0, 360.0, 720.0, 1440.0, 2880.0, MOST_BUSY_DELAY]
    assert set(waits[6:]) == {MOST_BUSY_DELAY}
    other = retry_of(job(busy_turns=turns), FetchError(Reason.TIMEOUT), 0.5)
    assert other is not None
    assert other.busy_turns == 0


def test_a_hosts_fault_burns_no_attempt_but_not_for_ever() -> None:
    error = FetchError(Reason.SERVER_ERROR, "HTTP 503")
    retry = retry_of(job(), error, 0.5)
    assert retry is not None
    assert (retry.refund, retry.host_try) == (True, True)
    assert retry_of(job(host_tries=HOST_TRIES - 1), error, 0.5) is None


def test_what_the_host_asks_for_is_waited() -> None:
    error = FetchError(Reason.RATE_LIMITED, retry_after=50_000.0)
    retry = retry_of(job(), error, 0.5)
    assert retry is not None
    assert retry.delay == 50_000.0


@given(st.integers(0, HOST_TRIES - 2), st.floats(0, 1))
def test_the_wait_grows_within_its_bounds(tries: int, jitter: float) -> None:
    retry = retry_of(job(host_tries=tries), FetchError(Reason.TIMEOUT), jitter)
    later = retry_of(job(host_tries=tries), FetchError(Reason.TIMEOUT), 1.0)
    assert retry is not None
    assert later is not None
    assert 0 < retry.delay <= later.delay <= MOST_DELAY * 1.5


def test_a_final_answer_is_not_asked_again() -> None:
    error = FetchError(Reason.NOT_FOUND, scope=Scope.ITEM, transient=False)
    assert retry_of(job(), error, 0.5) is None
    assert retry_of(job(), ParseError(Reason.EMPTY_EXTRACTION), 0.5) is None


def test_an_item_that_kills_its_parser_pays_each_time_and_then_no_more() -> None:
    error = ParseError(Reason.PARSER_TIMEOUT, transient=True)
    for attempts in range(1, MAX_ATTEMPTS):
        retry = retry_of(job(attempts), error, 0.5)
        assert retry is not None
        assert not retry.refund
        assert retry.delay > 0
    assert retry_of(job(MAX_ATTEMPTS), error, 0.5) is None
