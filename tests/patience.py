"""Waiting for what other processes do: until it is so, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

SECONDS = 60.0


async def until(holds: Callable[[], Awaitable[object]], *, seconds: float = SECONDS) -> None:
    """Return once a condition holds. Raises TimeoutError when it never does."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - another process makes it true, and tells nobody
            await asyncio.sleep(0.01)
