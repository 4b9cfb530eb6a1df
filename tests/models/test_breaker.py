"""Who fails in a row is let alone, then tried once."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.models.breaker import Breaker


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    """One that just opened for ten seconds."""
    breaker = Breaker(clock, failures=3, first_pause=10.0, longest_pause=35.0)
    for _ in range(3):
        assert breaker.wait() == 0.0
        breaker.tell(well=False)
    assert breaker.is_open
    return breaker


def test_failures_count_in_a_row_alone() -> None:
    breaker = Breaker(Clock(), failures=2)
    for well in (False, True, False, True, False):
        breaker.tell(well=well)
        assert breaker.wait() == 0.0
    breaker.tell(well=False)
    assert breaker.wait() > 0


def test_one_tries_and_the_others_wait_for_what_comes_of_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.wait() == 10.0
    clock.now = 10.0
    assert breaker.wait() == 0.0
    assert breaker.wait() > 0
    breaker.tell(well=True)
    assert not breaker.is_open
    assert breaker.wait() == breaker.wait() == 0.0


def test_each_try_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(4):
        clock.now += breaker.wait()
        assert breaker.wait() == 0.0
        breaker.tell(well=False)
        pauses.append(breaker.wait())
    assert pauses == [20.0, 35.0, 35.0, 35.0]


def test_whoever_gives_up_the_try_leaves_it_to_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    assert breaker.wait() == 0.0
    breaker.forget()
    assert breaker.wait() == 0.0


@given(st.lists(st.sampled_from(["well", "ill", "forget", "later"])))
def test_it_never_shuts_for_longer_than_the_longest(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=2, first_pause=10.0, longest_pause=35.0)
    for step in steps:
        if step == "later":
            clock.now += 7.0
        elif breaker.wait() == 0.0:
            breaker.forget() if step == "forget" else breaker.tell(well=step == "well")
        assert breaker.wait() <= 35.0
        breaker.forget()
    clock.now += 35.0
    assert breaker.wait() == 0.0
