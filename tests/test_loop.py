"""Tasks that end, calls in threads, and questions asked together."""

import asyncio
import gc
import threading
from collections.abc import Mapping

import pytest

from ctiscraper import loop
from ctiscraper.loop import Threads, Together, alongside, end_task, in_thread, to_its_end


class Oracle:
    """Answers a key with its length, once the gate is open; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def answer(self, keys: list[str]) -> Mapping[str, int]:
        self.asked.append(keys)
        self.begun.set()
        await self.gate.wait()
        if "bad" in keys:
            raise ValueError("a bad key")
        return {key: len(key) for key in keys if key != "unknown"}


async def test_what_is_asked_meanwhile_goes_together() -> None:
    oracle = Oracle()
    together = Together(oracle.answer, most=10)
    first = asyncio.create_task(together.one("a"))
    await oracle.begun.wait()
    others = [asyncio.create_task(together.one(key)) for key in ("bb", "ccc", "bb", "unknown")]
    await asyncio.sleep(0)
    oracle.gate.set()

    assert await asyncio.gather(first, *others) == [1, 2, 3, 2, None]
    assert oracle.asked == [["a"], ["bb", "ccc", "unknown"]]


async def test_a_question_has_at_most_so_many_keys() -> None:
    oracle = Oracle()
    oracle.gate.set()
    together = Together(oracle.answer, most=2)

    answers = await asyncio.gather(*(together.one("k" * n) for n in range(1, 6)))

    assert answers == [1, 2, 3, 4, 5]
    assert [len(keys) for keys in oracle.asked] == [2, 2, 1]


async def test_all_callers_get_the_error_and_the_next_question_is_asked() -> None:
    oracle = Oracle()
    oracle.gate.set()
    together = Together(oracle.answer, most=10)

    failed = await asyncio.gather(together.one("good"), together.one("bad"), return_exceptions=True)
    assert [str(one) for one in failed] == ["a bad key", "a bad key"]
    with pytest.raises(ValueError, match="a bad key"):
        await together.one("bad")

    assert await together.one("good") == 4


async def test_a_caller_that_is_cancelled_takes_nothing_from_the_others() -> None:
    oracle = Oracle()
    together = Together(oracle.answer, most=10)
    given_up, waiting = (asyncio.create_task(together.one(key)) for key in ("a", "bb"))
    await oracle.begun.wait()
    await end_task(given_up)
    oracle.gate.set()

    assert await waiting == 2
    assert given_up.cancelled()


async def test_a_failure_that_nobody_waits_for_is_no_surprise_to_the_loop() -> None:
    surprises: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: surprises.append(told))
    oracle = Oracle()
    together = Together(oracle.answer, most=10)
    given_up = asyncio.create_task(together.one("bad"))
    await oracle.begun.wait()
    await end_task(given_up)
    del given_up
    oracle.gate.set()

    assert await together.one("good") == 4
    gc.collect()
    assert surprises == []


async def test_a_call_that_hangs_is_known_for_as_long_as_it_does() -> None:
    threads, begun, go_on = Threads(), threading.Event(), threading.Event()
    assert threads.longest == 0.0

    def hang() -> int:
        begun.set()
        go_on.wait()
        return 7

    hanging = asyncio.create_task(threads.call(hang))
    await asyncio.to_thread(begun.wait)
    assert await threads.call(lambda: 1) == 1
    first = threads.longest
    assert 0.0 < first < threads.longest
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert threads.longest > 0.0, "its thread hangs on"
    go_on.set()
    while threads.longest:  # noqa: ASYNC110 - a thread ends, and tells nobody
        await asyncio.sleep(0)


async def test_what_a_call_raises_its_caller_gets() -> None:
    threads = Threads()
    with pytest.raises(ZeroDivisionError):
        await threads.call(lambda: 1 // 0)
    assert threads.longest == 0.0


async def linger(told: list[str], times: int) -> None:
    """Hear no cancellation but the last of so many."""
    for _ in range(times - 1):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("not yet")
    try:
        await asyncio.Event().wait()
    finally:
        told.append("ended")


async def test_what_runs_alongside_ends_with_the_block_however_often_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    told: list[str] = []
    async with alongside(linger(told, 3)):
        await asyncio.sleep(0)
    assert told == ["not yet", "not yet", "ended"]


async def test_nothing_is_left_running_by_who_is_cancelled_while_he_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    told: list[str] = []
    left: list[asyncio.Task[None]] = []
    begun = asyncio.Event()

    async def outer() -> None:
        async with alongside(linger(told, 5)) as inner:
            left.append(inner)
            await asyncio.sleep(0)
            begun.set()
            await asyncio.Event().wait()

    async with alongside(outer()) as ending:
        await begun.wait()
    assert ending.cancelled()
    assert left[0].cancelled()
    assert told[-1] == "ended"


async def test_a_task_that_tidies_up_is_not_told_each_time_its_owner_is() -> None:
    told: list[str] = []
    begun = asyncio.Event()

    async def tidy_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    told.append("again")

    async def outer() -> None:
        async with alongside(tidy_up()):
            await asyncio.sleep(0)
            begun.set()
            await asyncio.Event().wait()

    owner = asyncio.create_task(outer())
    await begun.wait()
    while not owner.done():
        owner.cancel()
        await asyncio.sleep(0)
    assert told == []
    assert owner.cancelled()


async def test_what_must_come_to_its_end_does_and_the_cancellation_is_told_then() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def close() -> int:
        begun.set()
        await go_on.wait()
        ended.set()
        return 7

    closing = asyncio.create_task(to_its_end(close()))
    await begun.wait()
    for _ in range(3):
        closing.cancel()
        await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert ended.is_set()
    assert await to_its_end(close()) == 7


async def test_what_it_raises_is_raised_or_was_looked_at_by_who_was_cancelled() -> None:
    surprises: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: surprises.append(told))
    go_on = asyncio.Event()

    async def fail() -> None:
        await go_on.wait()
        raise ValueError("no way")

    failing = asyncio.create_task(to_its_end(fail()))
    await asyncio.sleep(0)
    failing.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await failing
    with pytest.raises(ValueError, match="no way"):
        await to_its_end(fail())
    del failing
    gc.collect()
    assert surprises == []


@pytest.mark.parametrize("fails", [False, True])
async def test_who_is_cancelled_while_a_thread_works_is_so_once_that_has_ended(fails: bool) -> None:
    surprises: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: surprises.append(told))
    begun, ended = threading.Event(), threading.Event()

    def work(over: threading.Event) -> int:
        begun.set()
        over.wait()
        ended.set()
        return 1 // 0 if fails else 7

    working = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait)
    while not working.done():
        working.cancel()
        await asyncio.sleep(0)
    assert ended.is_set()
    assert working.cancelled()
    del working
    gc.collect()
    assert surprises == []


async def test_a_thread_that_nobody_ends_gives_what_it_has() -> None:
    assert await in_thread(threading.Event.is_set) is False
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda _: 1 // 0)
