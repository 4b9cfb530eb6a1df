"""The event loop that every process of the program runs in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from ctiscraper.allocator import give_back_large_blocks

try:
    import uvloop
except ImportError:
    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _new_loop = uvloop.new_event_loop

Value = TypeVar("Value")


def run_async(main: Coroutine[object, object, Value]) -> Value:
    """Return what a coroutine gives, run in the fastest event loop there is."""
    give_back_large_blocks()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(main)


# How long a task has to end before it is told again.
AGAIN_SECONDS = 0.5


async def end_task(task: asyncio.Task[Value]) -> None:
    """Return once a task has ended, however often it must be told.

    A cancellation may be lost in `asyncio.wait_for` before Python 3.12, where what it waits for
    is done at the same moment (python/cpython#86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)


@asynccontextmanager
async def alongside(work: Coroutine[object, object, Value]) -> AsyncIterator[asyncio.Task[Value]]:
    """Yield a task that ends with the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await end_task(task)
