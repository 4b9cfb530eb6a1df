"""What the C allocator keeps for itself: less, where it can be told."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

# mallopt(3): the numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Pages and feeds of ordinary size stay in the heap; a larger answer goes back when it is done with.
_LARGE = 512 * 1024
_SPARE = 4 * 1024 * 1024
# The heap of other threads keeps what is fragmented: it grew by 5 MB an hour in a worker.
_ARENAS = 1


def give_back_large_blocks() -> bool:
    """Return whether this process's memory shrinks again after large answers; glibc is told to.

    By itself glibc raises the size from which it gives blocks back to that of the largest one
    freed so far, up to 32 MB, and gives threads heaps of their own, whose ends are not given back.
    """
    mallopt = _function("mallopt")
    if mallopt is None:
        return False
    wanted = ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _SPARE), (_ARENA_MAX, _ARENAS))
    taken = [mallopt(parameter, value) for parameter, value in wanted]
    return all(taken)


def give_back_free_pages() -> bool:
    """Return whether free pages between blocks in use went back to the system.

    A few small blocks that live on keep what was freed below them; malloc_trim(3) finds it.
    """
    trim = _function("malloc_trim")
    return trim is not None and bool(trim(_SPARE))


def _function(name: str) -> Callable[..., int] | None:
    """Return a function of glibc, None where there is no glibc."""
    return _found(name) if sys.platform.startswith("linux") else None


@cache
def _found(name: str) -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
