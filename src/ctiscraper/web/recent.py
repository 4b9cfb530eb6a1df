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
    renewal: asyncio.Task[T] | None = None


class Recent(Generic[T]):
    """Values by key, each as old as `seconds` at most, or as a caller allows."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Hashable, _Kept[T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the value for a key, made anew by one caller when it is too old."""
        return await self._fresh(self._of(key), make)

    async def get_soon(
        self, key: Hashable, make: Callable[[], Awaitable[T]], *, within: float
    ) -> T:
        """Return the value for a key at once, made anew meanwhile when it is too old.

        What is older than `within` seconds more is waited for. What goes wrong meanwhile is
        raised for whoever asks next.
        """
        kept = self._of(key)
        late = self._clock() - kept.until
        if kept.value is None or late >= within:
            return await self._fresh(kept, make)
        if late < 0:
            return kept.value
        if kept.renewal is None:
            kept.renewal = asyncio.create_task(self._fresh(kept, make))
        elif kept.renewal.done():
            renewal, kept.renewal = kept.renewal, None
            renewal.result()
            return await self.get_soon(key, make, within=within)
        return kept.value

    async def _fresh(self, kept: _Kept[T], make: Callable[[], Awaitable[T]]) -> T:
        if kept.value is not None and self._clock() < kept.until:
            return kept.value
        async with kept.lock:
            if kept.value is None or self._clock() >= kept.until:
                kept.value = await make()
                kept.until = self._clock() + self._seconds
            return kept.value

    def _of(self, key: Hashable) -> _Kept[T]:
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            kept = self._kept[key] = _Kept()
        return kept

    def clear(self) -> None:
        """Forget everything: what was shown has been changed."""
        self._kept.clear()
