"""How long somebody who reads waits for a server of models; what is late goes on without him."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from ctiscraper.errors import CTIScraperError, ModelError, ModelFault
from ctiscraper.loop import end_task
from ctiscraper.models.breaker import Breaker

Value = TypeVar("Value")

SECONDS = 5.0
_LATE_IN_A_ROW = 2
_PAUSE = 15.0

log = structlog.get_logger()


def _breaker() -> Breaker:
    return Breaker(
        time.monotonic, failures=_LATE_IN_A_ROW, first_pause=_PAUSE, longest_pause=_PAUSE
    )


@dataclass(slots=True)
class Patience:
    """A time for the whole of what a reader waits for: a slot, the server, and what it answers.

    What is late is not broken off, as it has a deadline of its own: a server that has yet to load
    its model would begin anew for each reader. After two that were late nobody waits for a while.
    """

    seconds: float = SECONDS
    breaker: Breaker = field(default_factory=_breaker)
    _under_way: set[asyncio.Task[object]] = field(default_factory=set)
    _late: set[asyncio.Task[object]] = field(default_factory=set)

    async def wait_for(self, asked: Callable[[], Coroutine[object, object, Value]]) -> Value:
        """Return what comes in time, or raise as it does. Raises ModelError for what is late."""
        if (wait := self.breaker.wait()) > 0:
            words = f"it was too slow for who waits, and is asked again in {wait:.0f} s"
            raise ModelError(ModelFault.AWAY, words)
        task = asyncio.create_task(asked())
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait({task}, timeout=self.seconds)
        except asyncio.CancelledError:
            self._late.add(task)
            self.breaker.forget()
            raise
        self.breaker.tell(well=task.done())
        if task.done():
            return task.result()
        self._late.add(task)
        raise ModelError(
            ModelFault.TIMEOUT, f"nothing came within the {self.seconds:g} s that a reader waits"
        )

    async def close(self) -> None:
        """End what is still under way."""
        for task in tuple(self._under_way):
            await end_task(task)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._under_way.discard(task)
        if task not in self._late:
            return
        self._late.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, CTIScraperError):
            log.info("came_too_late", detail=str(error))
        else:
            log.error("came_too_late", exc_info=error)
