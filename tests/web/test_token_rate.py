"""A token asks so often in any minute, and no more."""

import pytest

from ctiscraper.web.token_rate import SECONDS, TOKENS_MOST, TokenRate


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
