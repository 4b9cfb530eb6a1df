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
from ctiscraper.types import Keep

# One run's time, shared out to its parts so that none keeps another from its turn.
SECONDS = 40.0
# A body that was put is not deleted for half a day. Leases that are over for less are for workers
# to judge, who know whether the database was away.
LAPSED_SECONDS = 6 * 3600.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a run removed; `done` says that it came to the end of everything."""

    checks: int
    revisions: int
    snapshots: int
    bodies: int
    workers: int
    done: bool


@dataclass(slots=True)
class _Bodies:
    """How many bodies went from the raw store."""

    removed: int = 0


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
    Any number may run at once. Raises StorageError.
    """
    rows, bodies = Retention(database), _Bodies()
    # Whoever was frozen since it put a body may not write down any more that it did.
    await Queue(database).reap(lapsed_seconds=LAPSED_SECONDS)
    share = seconds / 4
    checks = await _until_over(lambda: rows.drop_checks(keep.checks), share)
    revisions = await _until_over(lambda: rows.drop_revisions(keep.revisions), share)
    snapshots = await _until_over(lambda: _drop_snapshots(rows, raw, keep, bodies), share)
    sweep = await _until_over(lambda: _sweep(rows, raw, bodies), share)
    workers = await rows.drop_workers()
    removed = Removed(
        checks=checks.removed,
        revisions=revisions.removed,
        snapshots=snapshots.removed,
        bodies=bodies.removed,
        workers=workers.removed,
        done=checks.over and revisions.over and snapshots.over and sweep.over,
    )
    log.info("outlived_removed", **{name: getattr(removed, name) for name in removed.__slots__})
    return removed


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
    bodies.removed += await asyncio.to_thread(_delete, raw, old.hashes)
    return Batch(removed=await rows.drop_snapshots(old), over=old.over)


async def _sweep(rows: Retention, raw: RawStore, bodies: _Bodies) -> Batch:
    """Delete bodies that were put but never written down: of unchanged pages, of lost leases.

    At the end of the store go the parts of bodies that killed processes left.
    """
    after = bytes.fromhex(await rows.position("bodies"))
    hashes = await asyncio.to_thread(_next_hashes, raw, after)
    alone = await rows.unreferenced(hashes)
    gone = await asyncio.to_thread(_delete, raw, alone)
    bodies.removed += gone
    over = len(hashes) < BATCH
    await rows.move("bodies", "" if over else hashes[-1].hex())
    if over and (parts := await asyncio.to_thread(raw.remove_parts)):
        log.info("parts_removed", parts=parts)
    return Batch(removed=gone, over=over)


def _next_hashes(raw: RawStore, after: bytes) -> list[bytes]:
    return list(itertools.islice(raw.hashes(after), BATCH))


def _delete(raw: RawStore, hashes: Sequence[bytes]) -> int:
    return sum(raw.delete(sha256) for sha256 in hashes)
