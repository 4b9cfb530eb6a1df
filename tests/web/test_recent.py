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


async def test_what_is_a_little_old_is_shown_while_it_is_made_anew() -> None:
    clock, made, gate = Clock(), iter(range(100)), asyncio.Event()

    async def make() -> int:
        await gate.wait()
        return next(made)

    recent = Recent[int](1.0, clock=clock)
    gate.set()
    assert await recent.get_soon("a", make, within=9.0) == 0
    gate.clear()
    clock.now = 1.0
    assert [await recent.get_soon("a", make, within=9.0) for _ in range(3)] == [0, 0, 0]
    gate.set()
    assert await recent.get("a", make) == 1
    clock.now = 11.0
    assert await recent.get_soon("a", make, within=9.0) == 2
    assert next(made) == 3


async def test_what_fails_meanwhile_is_told_once() -> None:
    clock = Clock()

    async def broken() -> int:
        raise RuntimeError("away")

    async def whole() -> int:
        return 1

    recent = Recent[int](1.0, clock=clock)
    assert await recent.get_soon("a", whole, within=9.0) == 1
    clock.now = 2.0
    assert await recent.get_soon("a", broken, within=9.0) == 1
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="away"):
        await recent.get_soon("a", whole, within=9.0)
    assert await recent.get_soon("a", whole, within=9.0) == 1
    assert await recent.get("a", whole) == 1
