"""Questions asked together."""

import asyncio
import gc
import threading
from collections.abc import Mapping

import pytest

from ctiscraper.loop import Threads, Together, end_task


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
