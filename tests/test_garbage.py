"""What outlives the first full collections is left out of later ones, and nothing after those."""

import gc
from collections.abc import Iterator

import pytest

from ctiscraper.garbage import leave_out_what_stays, loading


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


def test_what_is_loaded_is_gone_through_by_no_full_collection() -> None:
    # A full one comes when there is a quarter more than at the last.
    gc.freeze()
    gc.collect()
    before = gc.get_threshold()
    generations: set[int] = set()
    gc.callbacks.append(lambda _, about: generations.add(about["generation"]))
    with loading():
        kept = [Ring() for _ in range(100_000)]
    assert generations == {0, 1}
    assert living() == 0
    assert gc.get_threshold() == before
    kept.append(Ring())
    assert living() == 1


def test_full_collections_come_again_when_loading_failed() -> None:
    before = gc.get_threshold()
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.get_threshold() == before
