"""Long commands end in order when the terminal or the system says so."""

import asyncio
import signal
from collections.abc import Coroutine

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_signal(work: Coroutine[object, object, int]) -> int | None:
    """Return what `work` gives, or None when a signal stopped it and it has cleaned up.

    Further signals change nothing: the clean end is bounded in time.
    """
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            return None
        raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
