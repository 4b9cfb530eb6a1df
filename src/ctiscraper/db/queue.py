"""The work queue: announced items as rows that workers claim, fence and finish."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from ctiscraper.db.hosts import HOST_IS_OURS, OF_SOURCE, hold, wake
from ctiscraper.db.operations import fold_counts
from ctiscraper.db.revisits import FRUITLESS
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.taking_over import rules_key
from ctiscraper.errors import Reason
from ctiscraper.types import MAX_ATTEMPTS, FeedEntry, FetchJob, Retry, SourceSettings

# After so many attempts an item is worked on by itself: whoever was leased beside an item that
# ends its worker pays an attempt with it, and must not be beside it again.
SUSPECT_AFTER = 2
# What an item is when its attempts are used up: a second look that fails leaves its article.
USED_UP = "CASE WHEN article_id IS NULL THEN 'dead' WHEN alias THEN 'duplicate' ELSE 'stored' END"

# An item that its worker had no use for goes back with its attempt.
_GIVE_BACK = """
    UPDATE fetch_job SET state = 'pending', attempts = greatest(0, attempts - 1),
        lease_owner = NULL, worker = NULL, lease_until = NULL
"""

_FINISH = f"""
    UPDATE fetch_job SET state = %s, reason = %s, detail = %s, finished_at = now(),
        fruitless = {FRUITLESS}, snapshot_id = coalesce(%s, snapshot_id), from_snapshot = false,
        lease_owner = NULL, worker = NULL, lease_until = NULL
    WHERE id = %s AND lease_owner = %s AND state = 'leased'
"""  # noqa: S608 - a constant

_entry = msgspec.json.Decoder(FeedEntry)


@dataclass(slots=True)
class Held:
    """The leases that a worker knows it holds, by their owner tokens."""

    jobs: set[str] = field(default_factory=set)
    hosts: set[UUID] = field(default_factory=set)


class Queue:
    """The items announced by sources, each in exactly one state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self,
        host: str,
        worker: UUID,
        *,
        seconds: float,
        suspects: bool = True,
        under: UUID | None = None,
    ) -> FetchJob | None:
        """Return the host's next item, leased; its attempt counts from now on.

        What was looked at before comes last: there may always be more of it than the host bears.
        Without `suspects` items that may have ended workers before are left waiting. With the
        owner token of a lease of the host there is one only `under` that lease, while it lasts.
        """
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                UPDATE fetch_job j SET state = 'leased', attempts = j.attempts + 1,
                    lease_owner = gen_random_uuid(), worker = %(worker)s,
                    lease_until = now() + make_interval(secs => %(seconds)s)
                FROM (SELECT id FROM fetch_job
                    WHERE host = %(host)s AND state = 'pending' AND run_after <= now()
                        AND (%(suspects)s OR attempts < %(suspect_after)s) AND {HOST_IS_OURS}
                    ORDER BY rank, finished_at IS NOT NULL, id LIMIT 1
                    FOR UPDATE SKIP LOCKED) next
                WHERE j.id = next.id
                RETURNING j.id, j.source_id, j.url, j.entry::text, j.attempts, j.host_tries,
                    j.lease_owner, j.article_id, j.released,
                    CASE WHEN j.from_snapshot THEN j.snapshot_id END, j.trace,
                    CASE WHEN j.reason = %(busy)s THEN j.busy_turns ELSE 0 END
                """,  # noqa: S608 - a constant
                {
                    "worker": worker,
                    "seconds": seconds,
                    "host": host,
                    "suspects": suspects,
                    "suspect_after": SUSPECT_AFTER,
                    "under": under,
                    "busy": Reason.HOST_BUSY.value,
                },
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return FetchJob(
            id=row[0],
            source_id=row[1],
            url=row[2],
            entry=_entry.decode(row[3]),
            attempts=row[4],
            host_tries=row[5],
            lease_owner=str(row[6]),
            article_id=row[7],
            released=row[8],
            snapshot_id=row[9],
            trace=row[10],
            busy_turns=row[11],
        )

    async def has_suspects(self, host: str) -> bool:
        """Return whether an item of a host waits that may have ended workers before."""
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                """
                SELECT EXISTS (SELECT FROM fetch_job WHERE host = %s AND state = 'pending'
                    AND run_after <= now() AND attempts >= %s)
                """,
                (host, SUSPECT_AFTER),
            )
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def give_back(self, job: FetchJob, retry: Retry) -> bool:
        """Return an item to the queue, or to the dead letters when its attempts are used up.

        False when the lease was lost meanwhile: then nothing is written.
        """
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                WITH back AS (
                    UPDATE fetch_job SET
                        state = CASE WHEN %(refund)s OR attempts < %(most)s THEN 'pending'
                            ELSE {USED_UP} END,
                        finished_at = CASE WHEN %(refund)s OR attempts < %(most)s
                            THEN finished_at ELSE now() END,
                        fruitless = CASE WHEN %(refund)s OR attempts < %(most)s
                            THEN fruitless ELSE {FRUITLESS} END,
                        attempts = greatest(0, attempts - %(refund)s::int),
                        host_tries = host_tries + %(host_try)s::int,
                        busy_turns = %(busy_turns)s,
                        reason = %(reason)s, detail = %(detail)s,
                        run_after = now() + make_interval(secs => %(delay)s),
                        lease_owner = NULL, worker = NULL, lease_until = NULL
                    WHERE id = %(id)s AND lease_owner = %(owner)s AND state = 'leased'
                    RETURNING host, state, run_after),
                woken AS (
                    UPDATE host h SET work_at = least(h.work_at, back.run_after)
                    FROM back WHERE h.host = back.host AND back.state = 'pending')
                SELECT count(*) FROM back
                """,  # noqa: S608 - a constant of this module
                {
                    "id": job.id,
                    "owner": job.lease_owner,
                    "most": MAX_ATTEMPTS,
                    "refund": retry.refund,
                    "host_try": retry.host_try,
                    "busy_turns": retry.busy_turns,
                    "reason": retry.reason,
                    "detail": retry.detail[:2000],
                    "delay": retry.delay,
                },
            )
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def reap(self, *, lapsed_seconds: float = 0.0) -> int:
        """Take back items whose worker is gone; return how many.

        An item that used up its attempts this way is dead: it ends whoever touches it. Only to be
        asked by who knows that the database was there all the while, or with a time since the end
        of the lease that is longer than any outage: else workers that live pay for the outage.
        """
        async with self._database.transaction() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                UPDATE fetch_job SET
                    state = CASE WHEN attempts < %(most)s THEN 'pending' ELSE {USED_UP} END,
                    finished_at = CASE WHEN attempts < %(most)s THEN finished_at ELSE now() END,
                    fruitless = CASE WHEN attempts < %(most)s THEN fruitless ELSE {FRUITLESS} END,
                    reason = %(lost)s, detail = 'the worker ended while it held this item',
                    run_after = now(), lease_owner = NULL, worker = NULL, lease_until = NULL
                WHERE id IN (SELECT id FROM fetch_job
                    WHERE state = 'leased'
                        AND lease_until < now() - make_interval(secs => %(lapsed)s)
                    FOR UPDATE SKIP LOCKED)
                RETURNING host, rank
                """,  # noqa: S608 - constants of this module
                {"most": MAX_ATTEMPTS, "lost": Reason.WORKER_LOST, "lapsed": lapsed_seconds},
            )
            rows = await cursor.fetchall()
            await _wake(conn, rows)
        return len(rows)

    async def idle(self, source_id: int | None = None) -> bool:
        """Return whether nothing is due and nobody holds anything; with a source, of its hosts.

        A host that is let be for a moment still has its work due.
        """
        only = OF_SOURCE if source_id is not None else ""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT NOT EXISTS (SELECT 1 FROM fetch_job WHERE state = 'leased'
                        AND (%(source)s::bigint IS NULL OR source_id = %(source)s))
                    AND NOT EXISTS (SELECT 1 FROM host WHERE lease_until > now(){only})
                    AND NOT EXISTS (SELECT 1 FROM host WHERE work_at <= now()
                        AND (open_until IS NULL
                            OR open_until <= now() + interval '10 seconds'){only})
                """,  # noqa: S608 - a constant
                {"source": source_id},
            )
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def renew(self, worker: UUID, held: Held, *, pid: int, seconds: float, done: int) -> None:
        """Extend what a living worker holds, and say that it lives.

        A lease that is over but that nobody took goes on: its owner token is still the only one.
        An item that the worker does not know of, the answer to its claim lost on the way, goes
        back with its attempt once half its lease is over: nobody began to work on it.
        """
        async with self._database.transaction() as conn, conn.cursor() as cursor:
            await _hold_items(conn, worker)
            await conn.execute(
                """
                UPDATE fetch_job SET lease_until = now() + make_interval(secs => %s)
                WHERE state = 'leased' AND worker = %s AND lease_owner = ANY(%s::uuid[])
                """,
                (seconds, worker, list(held.jobs)),
            )
            await cursor.execute(
                f"""
                {_GIVE_BACK} WHERE state = 'leased' AND worker = %s
                    AND lease_until < now() + make_interval(secs => %s)
                    AND lease_owner <> ALL(%s::uuid[])
                RETURNING host, rank
                """,
                (worker, seconds / 2, list(held.jobs)),
            )
            rows = await cursor.fetchall()
            await hold(conn, worker, [row[0] for row in rows])
            await _wake(conn, rows)
            await conn.execute(
                """
                UPDATE host SET lease_until = now() + make_interval(secs => %s)
                WHERE worker = %s AND lease_owner = ANY(%s)
                """,
                (seconds, worker, list(held.hosts)),
            )
            await conn.execute(
                """
                INSERT INTO worker_heartbeat AS w (worker, pid, done) VALUES (%s, %s, %s)
                ON CONFLICT (worker) DO UPDATE SET seen_at = now(), done = excluded.done,
                    progressed_at = CASE WHEN excluded.done > w.done
                        THEN now() ELSE w.progressed_at END
                """,
                (worker, pid, done),
            )
        await fold_counts(self._database)

    async def retire(self, worker: UUID) -> None:
        """Give back all that a stopping worker still holds, its attempts refunded."""
        async with self._database.transaction() as conn, conn.cursor() as cursor:
            await _hold_items(conn, worker)
            await cursor.execute(
                f"{_GIVE_BACK} WHERE state = 'leased' AND worker = %s RETURNING host, rank",
                (worker,),
            )
            rows = await cursor.fetchall()
            await hold(conn, worker, [row[0] for row in rows])
            await _wake(conn, rows)
            await conn.execute(
                """
                UPDATE host SET lease_owner = NULL, worker = NULL, lease_until = NULL,
                    work_at = now() WHERE worker = %s
                """,
                (worker,),
            )
            await conn.execute("DELETE FROM worker_heartbeat WHERE worker = %s", (worker,))

    async def finish(
        self, job: FetchJob, state: str, reason: str, detail: str, snapshot_id: int | None
    ) -> bool:
        """End an item without an article (filtered or failed); False when the lease was lost."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                _FINISH,
                (state, reason, detail[:2000], snapshot_id, job.id, job.lease_owner),
            )
        return cursor.rowcount == 1

    async def refuse(
        self,
        job: FetchJob,
        settings: SourceSettings,
        reason: str,
        detail: str,
        snapshot_id: int | None,
    ) -> bool:
        """End an item that the rules of its source hold back; False when the lease was lost.

        By which rules is kept, so that another source may have it, and this one by others.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                WITH ended AS ({_FINISH} RETURNING id, source_id),
                refused AS (
                    UPDATE sighting g SET refused_by = %s FROM ended
                    WHERE g.job_id = ended.id AND g.source_id = ended.source_id)
                SELECT FROM ended
                """,  # noqa: S608 - a constant of this module
                (
                    "filtered",
                    reason,
                    detail[:2000],
                    snapshot_id,
                    job.id,
                    job.lease_owner,
                    rules_key(settings),
                ),
            )
        return cursor.rowcount == 1

    async def retry(self, ids: Sequence[int]) -> int:
        """Put failed and dead items back in the queue; return how many."""
        return await self._again(ids, ("failed", "dead"), "from_snapshot = false")

    async def release(self, ids: Sequence[int]) -> int:
        """Let filtered items through their gates; return how many go back to the queue."""
        return await self._again(
            ids, ("filtered",), "released = true, from_snapshot = snapshot_id IS NOT NULL"
        )

    async def _again(self, ids: Sequence[int], states: tuple[str, ...], also: str) -> int:
        async with self._database.transaction() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                UPDATE fetch_job SET state = 'pending', attempts = 0, host_tries = 0,
                    run_after = now(), finished_at = NULL, {also}
                WHERE id = ANY(%s) AND state = ANY(%s) AND NOT (entry->>'url' = '')
                RETURNING host, rank
                """,  # noqa: S608 - both callers pass constants
                (list(ids), list(states)),
            )
            rows = await cursor.fetchall()
            await _wake(conn, rows)
        return len(rows)

    async def discard(self, ids: Sequence[int]) -> int:
        """Set dead or failed items aside for good, still counted; return how many."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                UPDATE fetch_job SET state = 'filtered', reason = %s,
                    detail = 'was ' || state || ': ' || coalesce(reason, '')
                WHERE id = ANY(%s) AND state IN ('dead', 'failed')
                """,
                (Reason.DISCARDED, list(ids)),
            )
        return cursor.rowcount

    async def reprocess(self, *, source_key: str | None, article_ids: Sequence[int] | None) -> int:
        """Queue stored items to be read again from their snapshots; return how many.

        They cost their hosts nothing, and have their turn like what is new.
        """
        async with self._database.transaction() as conn, conn.cursor() as cursor:
            await cursor.execute(
                """
                UPDATE fetch_job j SET state = 'pending', attempts = 0, host_tries = 0,
                    run_after = now(), finished_at = NULL, from_snapshot = true
                WHERE j.state IN ('stored', 'duplicate')
                    AND EXISTS (SELECT 1 FROM snapshot p WHERE p.id = j.snapshot_id)
                    AND (%(key)s::text IS NULL OR j.source_id =
                        (SELECT id FROM source WHERE key = %(key)s))
                    AND (%(ids)s::bigint[] IS NULL OR j.article_id = ANY(%(ids)s))
                RETURNING j.host, j.rank
                """,
                {"key": source_key, "ids": list(article_ids) if article_ids is not None else None},
            )
            rows = await cursor.fetchall()
            await _wake(conn, rows)
        return len(rows)

    async def without_page(
        self, *, source_key: str | None, article_ids: Sequence[int] | None
    ) -> int:
        """Return how many of these articles cannot be read again: no page of theirs is kept."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT count(*) FROM article a LEFT JOIN fetch_job j ON j.id = a.job_id
                WHERE NOT EXISTS (SELECT 1 FROM snapshot p WHERE p.id = j.snapshot_id)
                    AND (%(key)s::text IS NULL OR a.source_id =
                        (SELECT id FROM source WHERE key = %(key)s))
                    AND (%(ids)s::bigint[] IS NULL OR a.id = ANY(%(ids)s))
                """,
                {"key": source_key, "ids": list(article_ids) if article_ids is not None else None},
            )
            row = await cursor.fetchone()
        assert row is not None, "a count is one row"
        return int(row[0])


async def _hold_items(conn: Conn, worker: UUID) -> None:
    """Lock the items of a worker, in the one order in which several are locked."""
    await conn.execute(
        """
        SELECT FROM fetch_job WHERE state = 'leased' AND worker = %s ORDER BY id FOR UPDATE
        """,
        (worker,),
    )


async def _wake(conn: Conn, rows: Sequence[Sequence[Any]]) -> None:
    """Say that the hosts of items that came back, each with its rank, have work now."""
    if rows:
        await wake(conn, (row[0] for row in rows), min(row[1] for row in rows))


async def fenced(conn: Conn, job: FetchJob) -> bool:
    """Return whether this worker still holds the item; its row stays locked if so."""
    cursor = await conn.execute(
        """
        SELECT 1 FROM fetch_job
        WHERE id = %s AND lease_owner = %s AND state = 'leased' FOR UPDATE
        """,
        (job.id, job.lease_owner),
    )
    return await cursor.fetchone() is not None
