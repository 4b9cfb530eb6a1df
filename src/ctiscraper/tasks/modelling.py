"""A worker for models: asks about one text in each of its slots, apart from all that collects."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog
from structlog.contextvars import bind_contextvars

from ctiscraper.analyses import Asking
from ctiscraper.db.model_queue import Claimed
from ctiscraper.errors import CTIScraperError, FetchError, ModelError, StorageError
from ctiscraper.loop import end_task
from ctiscraper.models.meter import Metered

log = structlog.get_logger()

IDLE_SECONDS = 1.0
# The lease of a text is renewed, and its progress told, this often.
RENEW_SECONDS = 2.0
# How long answers under way may still take once the worker is told to stop.
GRACE_SECONDS = 5.0
# What the server has is asked this often, for the pages.
LOOK_SECONDS = 60.0
# What was answered is written within this time.
KEPT_SECONDS = 1.0
PROTECT_MINUTES = 60
_PROTECT_AGAIN = PROTECT_MINUTES * 60 / 2

Protect = Callable[[int], Awaitable[None]]


async def unprotected(minutes: int) -> None:
    """Ask nobody: where no agent is, nothing ends a task but an operator."""
    del minutes


@dataclass(slots=True)
class ModelWorker:
    """Questions to one server of models, as many at a time as it has slots.

    `run` returns when it is told to stop, or with `once` when nothing may be asked. `protect` asks
    that this process be left alone for so many minutes.
    """

    asking: Asking
    lease_seconds: float = 60.0
    once: bool = False
    protect: Protect = unprotected
    renew_seconds: float = RENEW_SECONDS
    grace_seconds: float = GRACE_SECONDS
    identity: UUID = field(default_factory=uuid4)
    done: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: set[asyncio.Task[None]] = field(default_factory=set)
    _looked_at: float = field(default_factory=time.monotonic)
    _protected_at: float | None = None
    _away_at: float | None = None

    def stop(self) -> None:
        """Ask nothing more; `run` returns once answers have come or were given up."""
        self._stopping.set()

    @property
    def silence(self) -> float:
        """How many seconds ago this worker last looked for work; a healthy one does so often."""
        return time.monotonic() - self._looked_at

    async def run(self) -> int:
        """Work until told to stop; return how many texts were asked about."""
        bind_contextvars(model_worker=str(self.identity))
        # Without a database all this waits until something may be asked.
        with contextlib.suppress(StorageError):
            await self.asking.queue.look_again()
            await self.asking.make_ready()
        looking = asyncio.create_task(self._look_at_server())
        try:
            while not self._stopping.is_set():
                found = await self._fill()
                self._looked_at = time.monotonic()
                await self._protect_while_busy()
                if self.once and not found and not self._slots:
                    break
                await self._pause()
        finally:
            await self._wind_down(looking)
        return self.done

    async def _fill(self) -> bool:
        """Ask about more texts, as many as there are slots; return whether any was found."""
        found = False
        use = self.asking.use
        while len(self._slots) < use.slots and not self._stopping.is_set():
            try:
                # A lease of its own for each: what one slot loses is no other's.
                claimed = await self.asking.queue.claim(
                    uuid4(),
                    server=use.server,
                    limits=use.limits,
                    seconds=self.lease_seconds,
                    reaps=self._reaps,
                )
            except StorageError as error:
                self._note_away(error)
                return found
            if claimed is None:
                return found
            found = True
            task = asyncio.create_task(self._work(claimed))
            self._slots.add(task)
            task.add_done_callback(self._slots.discard)
            await self._protect_while_busy()
        return found

    async def _pause(self) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait(
            {stopping, *self._slots}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()

    async def _work(self, claimed: Claimed) -> None:
        """Ask about one text, holding on to it until its end."""
        metered = Metered(self.asking.server)
        answer = asyncio.create_task(self.asking.answer(claimed, metered))
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            while not answer.done():
                await asyncio.wait(
                    {answer, leaving},
                    timeout=self.renew_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if answer.done():
                    break
                if not leaving.done() and await self._renewed(claimed, metered):
                    continue
                # What is kept at this moment need not be asked again.
                await asyncio.wait({answer}, timeout=KEPT_SECONDS if metered.counted else 0)
                if not answer.done():
                    log.info("analysis_broken_off", analysis=claimed.id)
                    return
            answer.result()
            self.done += 1
        except StorageError as error:
            # Its lease runs out by itself, and somebody asks again.
            log.warning("database_unreachable", detail=error.detail)
        finally:
            leaving.cancel()
            if not answer.done():
                await self._break_off(answer, claimed, metered)

    async def _renewed(self, claimed: Claimed, metered: Metered) -> bool:
        try:
            return await self.asking.queue.renew(
                claimed, said=metered.said, seconds=self.lease_seconds
            )
        except StorageError as error:
            self._note_away(error)
            return True

    def _note_away(self, error: StorageError) -> None:
        self._away_at = time.monotonic()
        log.warning("database_unreachable", detail=error.detail)

    @property
    def _reaps(self) -> bool:
        """Whether who holds a lease that ran out has ended: all have had time to renew theirs."""
        away = self._away_at
        return away is None or time.monotonic() - away >= self.lease_seconds / 2

    async def _break_off(
        self, answer: asyncio.Task[None], claimed: Claimed, metered: Metered
    ) -> None:
        await end_task(answer)
        with contextlib.suppress(StorageError):
            await self.asking.pay(claimed, metered)

    async def _look_at_server(self) -> None:
        """Tell the pages what the server has, again and again."""
        while True:
            try:
                await self.asking.note_server()
            except (ModelError, StorageError) as error:
                log.info("models_unknown", detail=str(error))
            except CTIScraperError as error:
                log.warning("models_unknown", detail=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _protect_while_busy(self) -> None:
        now = time.monotonic()
        since = self._protected_at
        if self._slots and (since is None or now - since > _PROTECT_AGAIN):
            self._protected_at = now
            await self._tell_agent(PROTECT_MINUTES)
        elif not self._slots and since is not None:
            self._protected_at = None
            await self._tell_agent(0)

    async def _tell_agent(self, minutes: int) -> None:
        try:
            await self.protect(minutes)
        except FetchError as error:
            log.warning("task_not_protected", minutes=minutes, detail=error.detail)

    async def _wind_down(self, looking: asyncio.Task[None]) -> None:
        """Let answers come for a moment, then give back what is still asked."""
        await end_task(looking)
        if self._slots:
            await asyncio.wait(self._slots, timeout=self.grace_seconds)
        self._leaving.set()
        await asyncio.gather(*self._slots, looking, return_exceptions=True)
        if self._protected_at is not None:
            await self._tell_agent(0)
