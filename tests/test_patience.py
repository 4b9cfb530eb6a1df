"""How long readers wait for a server of models, and what becomes of what they did not wait for."""

import asyncio

import pytest

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.breaker import Breaker
from ctiscraper.patience import Patience


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def said() -> str:
    await asyncio.sleep(0)
    return "said"


async def refused() -> str:
    raise ModelError(ModelFault.REFUSED, "no key")


async def test_what_comes_in_time_is_handed_on() -> None:
    patience = Patience(seconds=30.0)
    assert await patience.wait_for(said) == "said"
    with pytest.raises(ModelError, match="no key"):
        await patience.wait_for(refused)
    await patience.close()


async def test_who_waited_long_enough_is_told_and_what_is_late_goes_on() -> None:
    go, came = asyncio.Event(), asyncio.Event()

    async def late() -> str:
        await go.wait()
        came.set()
        return "late"

    patience = Patience(seconds=0.01)
    with pytest.raises(ModelError) as caught:
        await patience.wait_for(late)
    assert caught.value.fault is ModelFault.TIMEOUT
    assert "0.01 s" in caught.value.detail
    go.set()
    await asyncio.wait_for(came.wait(), 30)
    await patience.close()


@pytest.mark.parametrize("raised", [ModelError(ModelFault.AWAY, "gone"), RuntimeError("a fault")])
async def test_what_fails_after_that_is_told_to_the_log_alone(raised: Exception) -> None:
    go = asyncio.Event()

    async def late() -> str:
        await go.wait()
        raise raised

    patience = Patience(seconds=0.01)
    before = asyncio.all_tasks()
    with pytest.raises(ModelError, match="waits"):
        await patience.wait_for(late)
    [task] = asyncio.all_tasks() - before
    go.set()
    await asyncio.wait({task})
    await patience.close()


async def test_after_two_that_were_late_nobody_waits_for_a_while() -> None:
    clock, asked = Clock(), 0

    async def never() -> str:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    breaker = Breaker(clock, failures=2, first_pause=15.0, longest_pause=15.0)
    patience = Patience(seconds=0.01, breaker=breaker)
    for _ in range(2):
        with pytest.raises(ModelError):
            await patience.wait_for(never)
    with pytest.raises(ModelError, match="asked again in 15 s"):
        await patience.wait_for(never)
    assert asked == 2
    clock.now += 15
    assert await patience.wait_for(said) == "said"
    assert await patience.wait_for(said) == "said"
    await patience.close()


async def test_a_reader_who_goes_away_says_nothing_of_the_server() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=1)
    breaker.tell(well=False)
    clock.now += 60
    patience = Patience(seconds=30.0, breaker=breaker)
    waiting = asyncio.Event()

    async def never() -> str:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    reader = asyncio.create_task(patience.wait_for(never))
    await asyncio.wait_for(waiting.wait(), 30)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    # The one who tries it again is still let through.
    assert await patience.wait_for(said) == "said"
    await patience.close()


async def test_nothing_goes_on_beyond_the_end() -> None:
    before = asyncio.all_tasks()
    patience = Patience(seconds=0.01)
    with pytest.raises(ModelError):
        await patience.wait_for(asyncio.Event().wait)
    await patience.close()
    assert asyncio.all_tasks() == before
