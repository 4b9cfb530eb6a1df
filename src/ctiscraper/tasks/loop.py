"""The event loop that every process of the program runs in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

try:
    import uvloop
except ImportError:
    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _new_loop = uvloop.new_event_loop

Value = TypeVar("Value")


def run_async(main: Coroutine[object, object, Value]) -> Value:
    """Return what a coroutine gives, run in the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(main)
