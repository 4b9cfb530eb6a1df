"""Python's garbage collector: it does not go through what stays again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FULL = 2
_TIMES = 10
_NEVER = 1 << 30


class _Staying:
    """Leaves what outlives a full collection out of the next ones, for the first few of them."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, phase: str, about: dict[str, int]) -> None:
        """Take note of a collection, as `gc.callbacks` tells of it."""
        if phase == "stop" and about["generation"] == _FULL and self._left:
            self._left -= 1
            gc.freeze()


def leave_out_what_stays(*, times: int = _TIMES) -> None:
    """Collect now, and leave out of later collections what outlives this and the next full ones.

    Everything waits while a full collection goes through all objects: a quarter of a second with
    what the first pages load, and that is not loaded again. What little is held by an answer at
    such a moment is freed all the same unless it refers to itself.
    """
    gc.callbacks.append(_Staying(times))
    gc.collect()


@contextmanager
def loading() -> Iterator[None]:
    """Hold full collections back, and leave what was loaded meanwhile out of all later ones.

    They would go through all that was loaded before, several times in a second of imports and once
    more as the process ends, and find a few dozen objects: modules stay as long as it does.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
        gc.freeze()
