"""Slots: so many at a time, a few more who wait for a while, and a plain no to the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ctiscraper.errors import ModelError, ModelFault

PATIENCE = 30.0
WAITING = 8


class Slots:
    """A bulkhead before one server, which `name` names in errors."""

    def __init__(self, name: str, number: int, *, patience: float = PATIENCE) -> None:
        self._name = name
        self._number = number
        self._free = asyncio.Semaphore(number)
        self._patience = patience
        self._waiting = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one of the slots. Raises ModelError where none comes free in time."""
        await self._take()
        try:
            yield
        finally:
            self._free.release()

    async def _take(self) -> None:
        if self._free.locked() and self._waiting >= WAITING:
            raise self._busy(f"{self._waiting} others wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._busy(f"none came free within {self._patience:g} s") from error
        finally:
            self._waiting -= 1

    def _busy(self, why: str) -> ModelError:
        return ModelError(
            ModelFault.BUSY,
            f"{self._number} at a time may ask {self._name}, and {why}; see CTISCRAPER_MODEL_SLOTS",
        )
