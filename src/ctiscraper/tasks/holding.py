"""What a worker holds: kept while it lives, given back when it cannot go on, taken when lost."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import structlog

from ctiscraper.db.queue import Held, Queue
from ctiscraper.errors import StorageError
from ctiscraper.types import FetchJob

log = structlog.get_logger()

# A step that takes longer is given up: the database is as good as away.
STEP_SECONDS = 15.0
TURN_SECONDS = 1.0
# Whoever takes back what others lost gives them this time first after an outage, or half a lease
# if that is more: they find the database again at their own moments.
SPARE_SECONDS = 5.0
# A lease is renewed each quarter of its time. So an outage that lets one run out takes three
# quarters of it, and one that is shorter than this is none that anybody must be spared for.
OUTAGE_SHARE = 0.6

PutBack = Callable[[FetchJob, StorageError], Awaitable[None]]


@dataclass(slots=True)
class Contact:
    """For how long the database has been there, without a break in which leases may run out."""

    most_gap: float
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None
    _last: float = 0.0

    def made(self) -> None:
        """Note that the database took what was written just now."""
        now = self.clock()
        if self._since is None or now - self._last > self.most_gap:
            self._since = now
        self._last = now

    @property
    def seconds(self) -> float:
        """How long it lasts; none before the first time."""
        return 0.0 if self._since is None else self.clock() - self._since


@dataclass(slots=True)
class Holding:
    """The leases of one worker, and what it owes: items that it could not give back yet."""

    queue: Queue
    put_back: PutBack
    worker: UUID
    lease_seconds: float
    clock: Callable[[], float] = time.monotonic
    held: Held = field(default_factory=Held)
    _owed: dict[str, tuple[FetchJob, StorageError]] = field(default_factory=dict)
    _contact: Contact = field(init=False)
    _renewed_at: float | None = None
    _kept_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin without contact: there may have been an outage just now."""
        self._contact = Contact(self.lease_seconds * OUTAGE_SHARE, self.clock)
        self._kept_at = self.clock()

    @property
    def silence(self) -> float:
        """How many seconds ago the leases were last seen to, or tried for while it was away."""
        return self.clock() - self._kept_at

    @property
    def owes(self) -> bool:
        """Whether there are items that could not be given back yet."""
        return bool(self._owed)

    @property
    def spare_seconds(self) -> float:
        """How long others have for their leases once the database is there again."""
        return max(SPARE_SECONDS, self.lease_seconds / 2)

    def hold(self, job: FetchJob) -> None:
        """Keep an item from now on."""
        self.held.jobs.add(job.lease_owner)

    def let_go(self, job: FetchJob) -> None:
        """Keep an item no longer, unless it is owed."""
        if job.lease_owner not in self._owed:
            self.held.jobs.discard(job.lease_owner)

    async def repay(self, job: FetchJob, error: StorageError) -> None:
        """Give an item back with its attempt: what failed was ours.

        While the database is away it stays in hand, and is owed until the database is back.
        """
        try:
            await self.put_back(job, error)
        except StorageError:
            self._owed[job.lease_owner] = job, error

    async def keep(self, done: Callable[[], int]) -> None:
        """See to the leases again and again, until cancelled; `done` counts the items ended."""
        # Short leases need their renewal sooner.
        pause = min(TURN_SECONDS, self.lease_seconds / 8)
        while True:
            await self.turn(done())
            await asyncio.sleep(pause)

    async def turn(self, done: int) -> None:
        """Renew what is held, give back what is owed, take back what others lost."""
        try:
            if self._is_due():
                await self._try("renew", partial(self._renew, done))
            else:
                self._kept_at = self.clock()
            for job, error in tuple(self._owed.values()):
                await self._try("give_back", partial(self.put_back, job, error))
                # Given back, taken by others meanwhile, or refused for good.
                del self._owed[job.lease_owner]
                self.let_go(job)
            if self._contact.seconds >= self.spare_seconds:
                await self._try("reap", self._reap)
        except (StorageError, TimeoutError) as error:
            # Each further step would wait for it anew.
            log.warning("database_unreachable", detail=str(error) or "no answer in time")
            self._kept_at = self.clock()

    async def _try(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step; what nobody foresaw in it does not keep the others from their turn.

        Raises StorageError and TimeoutError: those end the turn.
        """
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await step()
        except (StorageError, TimeoutError):
            raise
        except Exception:
            # The boundary of this task, which must not end before its worker does.
            log.exception("upkeep_broke", step=name)

    def _is_due(self) -> bool:
        """Whether to renew: each quarter of a lease, and at each turn while contact is young."""
        if self._renewed_at is None or self._contact.seconds < self.spare_seconds:
            return True
        return self.clock() - self._renewed_at >= self.lease_seconds / 4

    async def _renew(self, done: int) -> None:
        begun = self.clock()
        await self.queue.renew(
            self.worker, self.held, pid=os.getpid(), seconds=self.lease_seconds, done=done
        )
        self._renewed_at = begun
        self._kept_at = self.clock()
        self._contact.made()

    async def _reap(self) -> None:
        await self.queue.reap()
        self._contact.made()
