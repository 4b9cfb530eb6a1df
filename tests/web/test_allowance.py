"""How often somebody may ask."""

from ctiscraper.web import allowance
from ctiscraper.web.allowance import Allowance


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_many_are_allowed_in_so_long_and_others_are_not_held_up() -> None:
    clock = Clock()
    given = Allowance(2, 60.0, clock)
    assert [given.take("a"), given.take("a")] == [0.0, 0.0]
    clock.now += 20
    assert given.take("a") == 40.0
    assert given.take("b") == 0.0
    clock.now += 40
    assert given.take("a") == 0.0


def test_what_is_refused_does_not_count() -> None:
    clock = Clock()
    given = Allowance(1, 10.0, clock)
    given.take("a")
    for _ in range(5):
        clock.now += 1
        assert given.take("a") > 0
    clock.now += 5
    assert given.take("a") == 0.0


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    given = Allowance(1, 1e6, Clock())
    for number in range(allowance.MOST_KEYS + 5):
        given.take(number)
    assert given.take(0) == 0.0
    assert given.take(allowance.MOST_KEYS) > 0
