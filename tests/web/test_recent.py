"""Answers that are kept for a moment."""

import asyncio

import pytest

from ctiscraper.web.recent import MOST, Recent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_many_who_ask_at_once_cost_one() -> None:
    made = 0
    gate = asyncio.Event()

    async def make() -> int:
        nonlocal made
        made += 1
        await gate.wait()
        return made

    recent = Recent[int](1.0)
    asking = [asyncio.create_task(recent.get("k", make)) for _ in range(20)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asking) == [1] * 20


async def test_values_age_and_are_forgotten() -> None:
    clock, made = Clock(), iter(range(100))

    async def make() -> int:
        return next(made)

    recent = Recent[int](1.0, clock=clock)
    assert await recent.get("a", make) == 0
    clock.now = 0.9
    assert await recent.get("a", make) == 0
    clock.now = 1.0
    assert await recent.get("a", make) == 1
    recent.clear()
    assert await recent.get("a", make) == 2
    for number in range(MOST + 5):
        await recent.get(number, make) if number < 50 else None
    assert len(recent._kept) <= MOST


async def test_failure_is_not_kept() -> None:
    async def broken() -> int:
        raise RuntimeError("once")

    async def whole() -> int:
        return 1

    recent = Recent[int](1.0)
    with pytest.raises(RuntimeError):
        await recent.get("a", broken)
    assert await recent.get("a", whole) == 1
