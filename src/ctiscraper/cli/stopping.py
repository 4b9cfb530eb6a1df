"""Long commands end in order when the terminal or the system says so."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

import typer

from ctiscraper.cli.exits import Exit
from ctiscraper.loop import alongside, run_async, until_one_ends

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Value = TypeVar("Value")


def run_stoppable(work: Coroutine[object, object, Value]) -> Value:
    """Return what `work` gives; a signal ends it in order, and the command as interrupted."""
    done = run_async(until_signal(_told_until_it_ends(work)))
    if done is None:
        raise typer.Exit(Exit.INTERRUPTED)
    return done[0]


async def until_signal(work: Coroutine[object, object, Value]) -> Value | None:
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
    heard = [number for number in SIGNALS if not _is_for_nobody(number)]
    for number in heard:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            return None
        raise
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


async def _told_until_it_ends(work: Coroutine[object, object, Value]) -> tuple[Value]:
    """Return what `work` gives; it is told to end until it does, as one signal comes once.

    What it raises while it ends is told as any other error.
    """
    try:
        async with alongside(work) as task:
            await until_one_ends(task)
    except asyncio.CancelledError:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise
    return (task.result(),)


def _is_for_nobody(number: signal.Signals) -> bool:
    """Whether this is the end of a terminal that `nohup` said is not ours."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
