"""What outlives the first full collections is left out of later ones, and nothing after those."""

import gc
from collections.abc import Iterator

import pytest

from ctiscraper.garbage import leave_out_what_stays


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process's collector as it was found."""
    before = list(gc.callbacks)
    yield
    gc.callbacks[:] = before
    gc.unfreeze()


class Ring:
    """What only a collection can free."""

    def __init__(self) -> None:
        self.me = self


def living() -> int:
    """Return how many rings a collection would go through."""
    return sum(isinstance(one, Ring) for one in gc.get_objects())


def test_what_stays_is_left_out_for_as_long_as_was_said() -> None:
    kept = [Ring()]
    leave_out_what_stays(times=2)
    assert living() == 0
    kept.append(Ring())
    gc.collect(1)
    assert living() == 1
    gc.collect()
    assert living() == 0
    kept.append(Ring())
    gc.collect()
    assert living() == 1
    assert len(kept) == 3


def test_what_nobody_holds_is_freed_before() -> None:
    Ring()
    leave_out_what_stays(times=1)
    gc.unfreeze()
    assert living() == 0
