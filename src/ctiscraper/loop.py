"""The event loop that every process of the program runs in."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from ctiscraper.allocator import give_back_large_blocks

try:
    import uvloop
except ImportError:
    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _new_loop = uvloop.new_event_loop

Key = TypeVar("Key")
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

    Who is cancelled himself meanwhile is so only then, or the task would go on with nobody to end
    it. A cancellation may be lost in `asyncio.wait_for` before Python 3.12, where what it waits for
    is done at the same moment (python/cpython#86296).
    """
    told: asyncio.CancelledError | None = None
    again_at = time.monotonic()
    while not task.done():
        now = time.monotonic()
        # A cancel scope tells its owner at each turn of the loop, and the task has to clean up.
        if now >= again_at:
            task.cancel()
            again_at = now + AGAIN_SECONDS
        try:
            await asyncio.wait({task}, timeout=again_at - now)
        except asyncio.CancelledError as error:
            told = error
    if told is not None:
        raise told


async def to_its_end(work: Coroutine[object, object, Value] | asyncio.Task[Value]) -> Value:
    """Return what is given; who is cancelled meanwhile is so once the work has ended."""
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    if (told := await _end_of(task)) is not None:
        _has_failed(task)
        raise told
    return task.result()


async def in_thread(work: Callable[[threading.Event], Value]) -> Value:
    """Return what a function gives, called in a thread; who is cancelled is so once it has ended.

    The event that it is given is set then: it looks at it again and again, and returns early.
    """
    over = threading.Event()
    thread = asyncio.create_task(asyncio.to_thread(work, over))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        over.set()
        await _end_of(thread)
        _has_failed(thread)
        raise


@asynccontextmanager
async def alongside(work: Coroutine[object, object, Value]) -> AsyncIterator[asyncio.Task[Value]]:
    """Yield a task that ends with the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await end_task(task)


async def until_one_ends(*tasks: asyncio.Task[object]) -> None:
    """Return once one of these has ended; raises what it raised."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()


class Threads:
    """Calls that may block, each in a thread; one that hangs keeps its thread for ever.

    No thread can be ended, and a process has few: who sees one hang must end with the process.
    """

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}

    @property
    def longest(self) -> float:
        """For how many seconds the call has been at it that began first; 0 when there is none."""
        begun = min(tuple(self._begun.values()), default=None)
        return 0.0 if begun is None else time.monotonic() - begun

    async def call(self, function: Callable[[], Value]) -> Value:
        """Return what a function gives, called in a thread as soon as there is one."""
        return await asyncio.to_thread(self._timed, function)

    def _timed(self, function: Callable[[], Value]) -> Value:
        mark = object()
        self._begun[mark] = time.monotonic()
        try:
            return function()
        finally:
            del self._begun[mark]


class Together(Generic[Key, Value]):
    """One question at a time; what is asked while one is under way goes into the next, together.

    `ask` answers up to `most` keys at once and may leave some out. What it raises, all of its
    callers get; a caller that is cancelled takes nothing from the others.
    """

    def __init__(
        self, ask: Callable[[list[Key]], Awaitable[Mapping[Key, Value]]], *, most: int
    ) -> None:
        self._ask = ask
        self._most = most
        self._turn = asyncio.Lock()
        self._next: _Question[Key, Value] | None = None

    async def one(self, key: Key) -> Value | None:
        """Return what is answered for a key, None when it is left out."""
        if self._next is None or len(self._next.keys) >= self._most:
            self._next = _Question()
            self._next.answer = asyncio.create_task(self._answer(self._next))
            self._next.answer.add_done_callback(_has_failed)
        question = self._next
        question.keys[key] = None
        found = await asyncio.shield(question.answer)
        return found.get(key)

    async def _answer(self, question: "_Question[Key, Value]") -> Mapping[Key, Value]:
        async with self._turn:
            if self._next is question:
                self._next = None
            return await self._ask(list(question.keys))


async def _end_of(task: asyncio.Task[Value]) -> asyncio.CancelledError | None:
    """Return once a task has ended by itself, with the cancellation that was told meanwhile."""
    told: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            told = error
    return told


def _has_failed(task: asyncio.Task[Value]) -> bool:
    """Whether a task failed: looked at, since nobody is left to whom it could be told."""
    return not task.cancelled() and task.exception() is not None


class _Question(Generic[Key, Value]):
    """Keys that are asked for together, in the order in which they came, and their answer."""

    answer: asyncio.Task[Mapping[Key, Value]]

    def __init__(self) -> None:
        self.keys: dict[Key, None] = {}
