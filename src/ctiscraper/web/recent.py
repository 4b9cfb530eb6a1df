"""Answers that are kept for a moment, so that many who ask at once cost as much as one."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 256


@dataclass(slots=True)
class _Kept(Generic[T]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: T | None = None
    until: float = 0.0


class Recent(Generic[T]):
    """Values by key, each as old as `seconds` at most."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Hashable, _Kept[T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the value for a key, made anew by one caller when it is too old."""
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            kept = self._kept[key] = _Kept()
        if kept.value is not None and self._clock() < kept.until:
            return kept.value
        async with kept.lock:
            if kept.value is None or self._clock() >= kept.until:
                kept.value = await make()
                kept.until = self._clock() + self._seconds
            return kept.value

    def clear(self) -> None:
        """Forget everything: what was shown has been changed."""
        self._kept.clear()
