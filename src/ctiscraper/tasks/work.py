"""A worker: leases hosts that have work, drains each politely, and survives what fails."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog
from structlog.contextvars import bind_contextvars

from ctiscraper.bootstrap import Services
from ctiscraper.collect.tiers import SHARES
from ctiscraper.db.hosts import HostLease
from ctiscraper.errors import FetchError, Reason, Scope, StorageError
from ctiscraper.loop import end_task
from ctiscraper.tasks.bell import Bell, SilentBell
from ctiscraper.tasks.checking import Checking
from ctiscraper.tasks.holding import Holding
from ctiscraper.tasks.resting import count_fault
from ctiscraper.tracing import describe, traced
from ctiscraper.types import FetchJob, Retry, SourceSettings, Tier

log = structlog.get_logger()

# How long a worker sleeps when nothing is due; a due source waits this long at most.
IDLE_SECONDS = 1.0
# The same where a bell wakes it: then its own looks are for the time when nobody rings.
WAKEABLE_SECONDS = 5.0
# How soon it looks again after a look that brought hosts: it took its share, others may not come.
AGAIN_SECONDS = 0.25
# The same for a single round, whose end somebody waits for.
ONCE_SECONDS = 0.05
# A look at the database that takes longer is given up.
LOOK_SECONDS = 15.0
# How long one host may keep its place while others wait.
DRAIN_SECONDS = 60.0
# What an item or a check may take: its requests, each with a deadline of its own, may have to wait
# a minute each for their turn at hosts. One that takes longer hangs where nobody foresaw it.
LONGEST_SECONDS = 600.0
# A call of the raw store that takes longer hangs, and its thread with it: a disk that is gone. One
# to S3 is two requests at most, each of which gives up after half a minute and goes to the outbox.
HUNG_SECONDS = 45.0
# How long current items may run on when the worker is told to stop.
GRACE_SECONDS = 5.0
SETTINGS_SECONDS = 5.0
UPKEEP_SECONDS = 1.0
LINK_BATCH = 50
RESCORE_BATCH = 500
RESCORE_SECONDS = 2.0
# How long a host is let be after a fault of our own.
OURS_SECONDS = 5.0


@dataclass(slots=True)
class Tally:
    """What a worker did since it started."""

    checks: int = 0
    items: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Turn:
    """How long a host has had its place, and how many items it may have done in one."""

    started: float
    items: int = 0
    most: int = 1
    over: bool = False


@dataclass(slots=True)
class _Checks:
    """How many checks of a host are left in its turn, and what they said of it."""

    left: int
    has_items: bool
    rests: bool = False


@dataclass(slots=True)
class Worker:
    """One worker of one process; `run` returns when it is told to stop or has nothing left.

    With `source_id` it works only at the hosts where that source has work, with `tiers` only at
    hosts of these. `idle_seconds` is how long it sleeps when nothing is due and nobody wakes it.
    """

    services: Services
    once: bool = False
    source_id: int | None = None
    tiers: tuple[Tier, ...] = ()
    idle_seconds: float = IDLE_SECONDS
    bell: Bell = field(default_factory=SilentBell)
    identity: UUID = field(default_factory=uuid4)
    tally: Tally = field(default_factory=Tally)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _rested: asyncio.Event = field(default_factory=asyncio.Event)
    _looked_at: float = field(default_factory=time.monotonic)
    _rescored_at: float = 0.0
    _suspects: asyncio.Lock = field(default_factory=asyncio.Lock)
    _drains: set[asyncio.Task[None]] = field(default_factory=set)
    holding: Holding = field(init=False)
    checking: Checking = field(init=False)
    _settings: dict[int, tuple[float, SourceSettings]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold nothing yet."""
        services = self.services
        self.checking = Checking(services)
        self.holding = Holding(
            services.queue,
            services.pipeline.put_back,
            self.identity,
            services.settings.lease_seconds,
        )

    def stop(self) -> None:
        """Claim nothing more; `run` returns once current items are done or given back."""
        self._stopping.set()
        self._rested.set()

    async def serve(self, seconds: float) -> None:
        """Look for work at once; return when there is no more, or after so many seconds."""
        self._rested.clear()
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rested.wait()

    @property
    def silence(self) -> float:
        """How many seconds ago this worker last looked for work, or saw to its leases.

        A healthy one does both often, and goes on to try while the database is away.
        """
        return max(time.monotonic() - self._looked_at, self.holding.silence)

    async def run(self) -> Tally:
        """Work until told to stop, or with `once` until nothing is due; give what was done."""
        bind_contextvars(worker=str(self.identity))
        upkeep = [
            asyncio.create_task(self.holding.keep(lambda: self.tally.items)),
            asyncio.create_task(_again(self._compare)),
        ]
        if self.services.settings.enrich:
            upkeep.append(asyncio.create_task(_again(self._look_through)))
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                found = await self._fill()
                self._looked_at = time.monotonic()
                if self._hangs():
                    break
                if not found and not self._drains:
                    self._rested.set()
                    if await self._finished():
                        break
                await self._pause(found)
        finally:
            await self._wind_down(upkeep)
        return self.tally

    def _hangs(self) -> bool:
        """Whether a thread of ours is lost: then we stop, what we hold goes back to the others.

        Our process cannot end by itself while the thread hangs; it shows no life, and is ended.
        """
        seconds = self.services.pipeline.threads.longest
        if seconds <= HUNG_SECONDS:
            return False
        log.error("worker_hangs", detail=f"the raw store has not answered for {seconds:.0f} s")
        self.stop()
        return True

    async def _finished(self) -> bool:
        """Return whether a single round is over: nothing due, held or to be told of a text."""
        if not self.once or self.checking.owes:
            return False
        pipeline = self.services.pipeline
        try:
            # Our own upkeep may hold texts at this moment, and is not to be cut off with them.
            if (
                not await self.services.queue.idle(self.source_id)
                or await pipeline.link()
                or await pipeline.unlinked()
            ):
                return False
            return not self.services.settings.enrich or (
                not await pipeline.unenriched()
                and not await pipeline.tell_stories()
                and not await pipeline.untold()
            )
        except StorageError:
            return False

    async def _fill(self) -> bool:
        """Start draining more hosts, as many as there is room for; return whether any was due."""
        room = self.services.settings.concurrency - len(self._drains)
        # Who cannot give back what he has is not to take more.
        if room <= 0 or self.holding.owes:
            return False
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.checking.repay()
                leases = await self.services.hosts.lease(
                    self.identity,
                    limit=room,
                    seconds=self.services.settings.lease_seconds,
                    source_id=self.source_id,
                    tiers=self.tiers,
                )
        except (StorageError, TimeoutError) as error:
            log.warning("database_unreachable", detail=str(error) or "no answer in time")
            return False
        for lease in leases:
            task = asyncio.create_task(self._drain(lease))
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)
        # There may be more than our share: whoever is idle comes and looks.
        for tier in {lease.tier for lease in leases}:
            self.bell.ring(tier)
        return bool(leases)

    async def _pause(self, found: bool) -> None:
        """Wait for a drain to end, for a bell or a stop, or for a moment to pass."""
        waiting = {
            asyncio.ensure_future(self._stopping.wait()),
            asyncio.ensure_future(self._woken.wait()),
        }
        done, _ = await asyncio.wait(
            waiting | self._drains,
            timeout=self._patience(found),
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in waiting - done:
            task.cancel()

    def _patience(self, found: bool) -> float:
        """Return how long to wait before the next look."""
        if self.once:
            return ONCE_SECONDS
        if found:
            return AGAIN_SECONDS
        return IDLE_SECONDS if self._drains else self.idle_seconds

    @traced("drain")
    async def _drain(self, lease: HostLease) -> None:
        """Do a host's due work, one request at a time, then give the host back."""
        bind_contextvars(host=lease.host)
        describe(host=lease.host, worker=self.identity)
        self.holding.held.hosts.add(lease.owner)
        try:
            # Of a host that fails in a row a check and an item ask in turn: where one of the two
            # fails each time, it must not keep the other from the host for ever.
            items_first = lease.items_due and lease.failures % 2 == 1
            if items_first or await self._check_sources(lease):
                await self._process_items(lease)
        except StorageError as error:
            log.warning("storage_failed", host=lease.host, detail=error.detail)
            await self._leave_alone(lease)
        except Exception:
            # The boundary of this task: what nobody foresaw ends the turn of one host.
            log.exception("drain_failed", host=lease.host)
        finally:
            # When even this fails the lease runs out by itself: it is no longer renewed.
            self.holding.held.hosts.discard(lease.owner)
            with contextlib.suppress(StorageError):
                await self.services.hosts.release(lease)

    async def _check_sources(self, lease: HostLease) -> bool:
        """Check a host's due sources, at last those that may have ended workers, one at a time.

        Returns whether it may be asked for items, and has some.
        """
        turn = _Checks(lease.sources_due, lease.items_due)
        while await self._check_next(lease, turn, suspects=False):
            pass
        if turn.left and not self._stopping.is_set():
            async with self._suspects:
                while await self._check_next(lease, turn, suspects=True):
                    pass
        return turn.has_items and not turn.rests

    async def _check_next(self, lease: HostLease, turn: _Checks, *, suspects: bool) -> bool:
        """Check one source; return whether there may be another."""
        if self._stopping.is_set() or not turn.left:
            return False
        due = await self.services.checks.claim(
            lease.host,
            seconds=self.services.settings.lease_seconds,
            suspects=suspects,
            under=lease.owner,
        )
        if due is None:
            return False
        summary, error = await self.checking.check(due, seconds=LONGEST_SECONDS)
        self.tally.checks += 1
        if summary is not None:
            log.info(
                "checked",
                source=summary.source_key,
                discovered=summary.discovered,
                reason=summary.reason,
            )
            turn.has_items = turn.has_items or summary.discovered + summary.changed > 0
        turn.rests = await self._host_rests(lease, error)
        turn.left = 0 if turn.rests else turn.left - 1
        return turn.left > 0

    async def _process_items(self, lease: HostLease) -> None:
        """Process a host's items, at last those that may have ended workers, one at a time."""
        turn = _Turn(time.monotonic())
        while await self._process_next(lease, turn, suspects=False):
            pass
        if turn.over or self._stopping.is_set():
            return
        if self._suspects.locked() and not await self.services.queue.has_suspects(lease.host):
            return
        async with self._suspects:
            while await self._process_next(lease, turn, suspects=True):
                pass

    async def _process_next(self, lease: HostLease, turn: _Turn, *, suspects: bool) -> bool:
        """Process one item; return whether the host may be asked for another."""
        if self._stopping.is_set() or time.monotonic() - turn.started > DRAIN_SECONDS:
            turn.over = True
            return False
        job = await self.services.queue.claim(
            lease.host,
            self.identity,
            seconds=self.services.settings.lease_seconds,
            suspects=suspects,
            under=lease.owner,
        )
        if job is None:
            return False
        self.holding.hold(job)
        try:
            error = await self._process(job, turn)
        except StorageError as ours:
            await self.holding.repay(job, ours)
            raise
        finally:
            self.holding.let_go(job)
        self.tally.items += 1
        turn.items += 1
        turn.over = await self._host_rests(lease, error) or turn.items >= turn.most
        return not turn.over

    async def _process(self, job: FetchJob, turn: _Turn) -> FetchError | None:
        """Take an item through the pipeline; return what its host answered if that was a fault.

        This is the boundary of a task: what nobody foresaw costs the item an attempt, no more.
        Raises StorageError.
        """
        try:
            settings = await self._settings_of(job)
            turn.most = SHARES[settings.tier].turn
            async with asyncio.timeout(LONGEST_SECONDS):
                result = await self.services.pipeline.process(job, settings)
        except StorageError:
            raise
        except Exception as error:
            log.exception("item_failed", job=job.id, url=job.url)
            late = f"no end within {LONGEST_SECONDS:g} s"
            detail = f"{type(error).__name__}: {str(error) or late}"
            await self.services.queue.give_back(
                job, Retry(reason=Reason.INTERNAL, detail=detail, delay=job.attempts * 10.0)
            )
            return None
        return result.error if isinstance(result.error, FetchError) else None

    async def _settings_of(self, job: FetchJob) -> SourceSettings:
        held = self._settings.get(job.source_id)
        now = time.monotonic()
        if held is None or held[0] < now:
            source = await self.services.sources.by_id(job.source_id)
            held = (now + SETTINGS_SECONDS, source.settings)
            self._settings[job.source_id] = held
        return held[1]

    async def _host_rests(self, lease: HostLease, error: FetchError | None) -> bool:
        """Count for or against the host that answered; return whether it is to be left alone."""
        hosts = self.services.hosts
        if error is None or error.scope is Scope.ITEM:
            # Who waits for a turn was told nothing by anybody.
            if lease.failures and not (error and error.reason is Reason.HOST_BUSY):
                await hosts.succeeded(lease.host)
            return False
        self.tally.failures += 1
        if error.scope is Scope.OURS:
            await self._leave_alone(lease)
            return True
        failed = await count_fault(hosts, error, lease.host)
        if failed != lease.host and lease.failures:
            # It answered: that is how another one came to be asked.
            await hosts.succeeded(lease.host)
        return failed == lease.host

    async def _leave_alone(self, lease: HostLease) -> None:
        """Let a host be for a moment: with our own network or disk away, asking is in vain."""
        with contextlib.suppress(StorageError):
            await self.services.hosts.rest(lease.host, OURS_SECONDS)

    async def _compare(self) -> bool:
        """Compare stored texts with those before them; return whether there are more."""
        return await self.services.pipeline.link() >= LINK_BATCH

    async def _look_through(self) -> bool:
        """Find what stored texts name, tell their stories, and score them anew when need be."""
        found = 0
        if await self.services.recognition.refresh():
            found = await self.services.pipeline.enrich()
        rescored = 0
        try:
            await self.services.pipeline.tell_stories()
        finally:
            # Neither waits for the other to succeed.
            rescored = await self._rescore()
        return found + rescored > 0

    async def _rescore(self) -> int:
        if time.monotonic() - self._rescored_at < RESCORE_SECONDS:
            return 0
        self._rescored_at = time.monotonic()
        return await self.services.scoring.rescore(RESCORE_BATCH)

    async def _wind_down(self, upkeep: list[asyncio.Task[None]]) -> None:
        """Let current items end for a moment, then give back whatever is still held."""
        if self._drains:
            await asyncio.wait(self._drains, timeout=GRACE_SECONDS)
        tasks = (*self._drains, *upkeep)
        await asyncio.gather(*map(end_task, tasks))
        # Each is at its end by now; what it failed with is no news.
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StorageError):
            await self.checking.repay()
            await self.services.queue.retire(self.identity)


async def _again(step: Callable[[], Awaitable[bool]]) -> None:
    """Take a step again and again, at once when it says that there is more, until cancelled."""
    while True:
        more = False
        try:
            more = await step()
        except StorageError as error:
            lost = error.reason is Reason.DATABASE
            log.warning("database_unreachable" if lost else "storage_failed", detail=str(error))
        except Exception:
            # The boundary of this task: what nobody foresaw is tried again, and counted there.
            log.exception("upkeep_broke", step=step.__name__.strip("_"))
        if not more:
            await asyncio.sleep(UPKEEP_SECONDS)
