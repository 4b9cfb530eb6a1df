"""A token asks so often in any minute, and no more."""

import pytest

from ctiscraper.db.token_use import Shared
from ctiscraper.web.token_rate import SECONDS, SHARED_SECONDS, TOKENS_MOST, TokenRate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_token_waits_until_its_oldest_request_is_a_minute_old(clock: Clock) -> None:
    rate = TokenRate(3, clock)
    assert [rate.wait("a"), rate.wait("a")] == [0, 0]
    clock.now += 20.0
    assert rate.wait("a") == 0
    assert rate.wait("a") == 40
    assert rate.wait("b") == 0
    clock.now += 39.5
    assert rate.wait("a") == 1
    clock.now += 0.5
    assert [rate.wait("a"), rate.wait("a"), rate.wait("a")] == [0, 0, 20]


def test_it_is_600_times_where_nothing_else_is_said(clock: Clock) -> None:
    rate = TokenRate(clock=clock)
    assert [rate.wait("a") for _ in range(600)] == [0] * 600
    assert rate.wait("a") == 60


def test_no_minute_holds_more_than_its_share(clock: Clock) -> None:
    rate = TokenRate(60, clock)
    let_in = []
    for _ in range(1_000):
        clock.now += 0.37
        if rate.wait("a") == 0:
            let_in.append(clock.now)
    for at in let_in:
        assert sum(at <= other < at + SECONDS for other in let_in) <= 60
    assert len(let_in) > 300


def test_tokens_that_were_silent_longest_are_forgotten(clock: Clock) -> None:
    rate = TokenRate(1, clock)
    for number in range(TOKENS_MOST + 1):
        assert rate.wait(str(number)) == 0
    assert rate.wait(str(TOKENS_MOST)) > 0
    assert rate.wait("0") == 0


def test_what_others_have_let_in_counts_here(clock: Clock) -> None:
    rate = TokenRate(10, clock)
    assert rate.to_share("a") == 0
    rate.heard("a", 0, Shared(slot=100, asked=7))
    assert [rate.wait("a") for _ in range(4)] == [0, 0, 0, 60]
    assert rate.to_share("a") is None
    clock.now += SHARED_SECONDS
    # Told since, and not taken for another's.
    assert rate.to_share("a") == 3
    rate.heard("a", 3, Shared(slot=100, asked=7))
    clock.now += SHARED_SECONDS
    assert rate.to_share("a") == 0
    rate.heard("a", 0, Shared(slot=101, asked=10))
    assert rate.wait("a") == 58
    # Where others leave nothing, the time of a slot is told.
    clock.now += SHARED_SECONDS
    assert rate.to_share("a") == 0
    rate.heard("a", 0, Shared(slot=101, asked=13))
    assert rate.wait("a") == 5
    # A minute later what was told is nobody's any more.
    clock.now += SECONDS
    assert rate.to_share("a") == 0
    rate.heard("a", 0, Shared(slot=114, asked=0))
    assert rate.wait("a") == 0
