"""What the C allocator keeps for itself: less, where it can be told."""

import ctypes
import sys

# mallopt(3): the numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Pages and feeds of ordinary size stay in the heap; a larger answer goes back when it is done with.
_LARGE = 512 * 1024
_SPARE = 4 * 1024 * 1024
_ARENAS = 2


def give_back_large_blocks() -> bool:
    """Return whether this process's memory shrinks again after large answers; glibc is told to.

    By itself glibc raises the size from which it gives blocks back to that of the largest one
    freed so far, up to 32 MB, and gives every thread a heap of its own.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    wanted = ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _SPARE), (_ARENA_MAX, _ARENAS))
    taken = [mallopt(parameter, value) for parameter, value in wanted]
    return all(taken)
