"""What is past its time is removed: a little at a time, by as many as like, from where it ended."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from ctiscraper.bootstrap import Services
from ctiscraper.db.queue import Queue
from ctiscraper.db.raw import RawStore
from ctiscraper.db.retention import BATCH, Batch, Outlived, Retention
from ctiscraper.db.session import Database
from ctiscraper.errors import StorageError
from ctiscraper.types import Keep

# One run's time, shared out to its parts so that none keeps another from its turn.
SECONDS = 40.0
# A body that was put is not deleted for half a day. Leases that are over for less are for workers
# to judge, who know whether the database was away.
LAPSED_SECONDS = 6 * 3600.0
# A raw store that lets so many bodies in a row not go is away, or lets none go.
MOST_FAILURES = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a run removed; `done` says that it came to the end of everything.

    `undeleted` bodies were not let go by the raw store: their pages stay.
    """

    checks: int
    revisions: int
    snapshots: int
    bodies: int
    workers: int
    done: bool
    undeleted: int = 0


@dataclass(slots=True)
class _Bodies:
    """How many bodies went from the raw store, and what it did not let go."""

    removed: int = 0
    undeleted: int = 0
    failure: StorageError | None = None
    stopped: bool = False
    _in_a_row: int = 0

    def delete(self, raw: RawStore, hashes: Sequence[bytes]) -> tuple[set[bytes], bytes | None]:
        """Return which bodies stay, and the last that was tried where the store lets none go."""
        stay: set[bytes] = set()
        for at, sha256 in enumerate(hashes):
            try:
                self.removed += raw.delete(sha256)
                self._in_a_row = 0
            except StorageError as error:
                stay.add(sha256)
                self.failure = error
                self.undeleted += 1
                self._in_a_row += 1
            if self._in_a_row >= MOST_FAILURES:
                self.stopped, self._in_a_row = True, 0
                return stay.union(hashes[at + 1 :]), sha256
        return stay, None


async def apply_retention(services: Services, *, seconds: float = SECONDS) -> Removed:
    """Remove what the settings no longer keep. Raises StorageError."""
    return await remove_outlived(
        services.database, services.pipeline.raw, services.settings.keep(), seconds=seconds
    )


async def remove_outlived(
    database: Database, raw: RawStore, keep: Keep, *, seconds: float = SECONDS
) -> Removed:
    """Remove rows and raw bodies past their time, for so many seconds at most.

    Each batch is a short transaction of its own; the next run goes on where this one ended.
    Any number may run at once. A body that the raw store does not let go keeps its page, and is
    tried again in the next round. Raises StorageError, at the end where the store lets none go.
    """
    rows, bodies = Retention(database), _Bodies()
    # Whoever was frozen since it put a body may not write down any more that it did.
    await Queue(database).reap(lapsed_seconds=LAPSED_SECONDS)
    share = seconds / 4
    checks = await _until_over(lambda: rows.drop_checks(keep.checks), share)
    revisions = await _until_over(lambda: rows.drop_revisions(keep.revisions), share)
    # Before the raw store, which may be away.
    workers = await rows.drop_workers()
    snapshots = await _until_over(lambda: _drop_snapshots(rows, raw, keep, bodies), share)
    sweep = await _until_over(lambda: _sweep(rows, raw, bodies), share)
    removed = Removed(
        checks=checks.removed,
        revisions=revisions.removed,
        snapshots=snapshots.removed,
        bodies=bodies.removed,
        workers=workers.removed,
        done=checks.over and revisions.over and snapshots.over and sweep.over,
        undeleted=bodies.undeleted,
    )
    log.info("outlived_removed", **{name: getattr(removed, name) for name in removed.__slots__})
    _tell(bodies)
    return removed


def _tell(bodies: _Bodies) -> None:
    """Log what the raw store did not let go. Raises StorageError where it let none go."""
    why = bodies.failure
    if why is None:
        return
    log.error("bodies_undeleted", bodies=bodies.undeleted, detail=why.detail)
    if bodies.stopped:
        words = f"bodies cannot be deleted, and their pages stay: {why.detail}"
        raise StorageError(why.reason, words, transient=why.transient)


async def count_outlived(database: Database, raw: RawStore, keep: Keep) -> tuple[Outlived, int]:
    """Return the rows past their time, and how many raw bodies no page refers to."""
    rows = Retention(database)
    orphans, after = 0, b""
    while hashes := await asyncio.to_thread(_next_hashes, raw, after):
        orphans += len(await rows.unreferenced(hashes))
        after = hashes[-1]
    return await rows.outlived(keep), orphans


async def _until_over(step: Callable[[], Awaitable[Batch]], seconds: float) -> Batch:
    """Return all that the batches removed until there were no more, or the time was up."""
    deadline = time.monotonic() + seconds
    removed = 0
    while True:
        batch = await step()
        removed += batch.removed
        if batch.over or time.monotonic() > deadline:
            return Batch(removed=removed, over=batch.over)


async def _drop_snapshots(rows: Retention, raw: RawStore, keep: Keep, bodies: _Bodies) -> Batch:
    """Delete bodies first and their rows after: what a crash leaves is done again."""
    old = await rows.old_snapshots(keep.raw)
    stay, until = await asyncio.to_thread(bodies.delete, raw, old.hashes)
    old = old.without(stay, until=until)
    removed = await rows.drop_snapshots(old)
    return Batch(removed=removed, over=old.over or until is not None)


async def _sweep(rows: Retention, raw: RawStore, bodies: _Bodies) -> Batch:
    """Delete bodies that were put but never written down: of unchanged pages, of lost leases.

    At the end of the store go the parts of bodies that killed processes left.
    """
    after = bytes.fromhex(await rows.position("bodies"))
    hashes = await asyncio.to_thread(_next_hashes, raw, after)
    alone = sorted(await rows.unreferenced(hashes))
    before = bodies.removed
    _, until = await asyncio.to_thread(bodies.delete, raw, alone)
    gone = bodies.removed - before
    if until is not None:
        await rows.move("bodies", until.hex())
        return Batch(removed=gone, over=True)
    over = len(hashes) < BATCH
    await rows.move("bodies", "" if over else hashes[-1].hex())
    if over and (parts := await asyncio.to_thread(raw.remove_parts)):
        log.info("parts_removed", parts=parts)
    return Batch(removed=gone, over=over)


def _next_hashes(raw: RawStore, after: bytes) -> list[bytes]:
    return list(itertools.islice(raw.hashes(after), BATCH))
