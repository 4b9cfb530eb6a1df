"""Waiting for what other processes do: until it is so, and not for ever."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable

SECONDS = 60.0


async def until(holds: Callable[[], Awaitable[object]], *, seconds: float = SECONDS) -> None:
    """Return once a condition holds. Raises TimeoutError when it never does."""
    try:
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110 - another process makes it true, and tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        error.add_note(what_threads_do())
        raise


def what_threads_do() -> str:
    """Return where every thread but this one stands: it may be one of them that is waited for."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}:\n" + "".join(traceback.format_stack(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread is not threading.current_thread() and thread.ident in frames
    )
