"""What a check of a source found: items, validators and its record, in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import takewhile
from uuid import UUID

import msgspec
from psycopg import DataError
from psycopg.errors import ProgramLimitExceeded

from ctiscraper.db.hosts import HOST_IS_OURS, RANK, wake
from ctiscraper.db.queue import SUSPECT_AFTER
from ctiscraper.db.revisits import revisit_at
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sources import to_source
from ctiscraper.db.taking_over import MAY_TAKE_OVER, account_for, rules_key, take_over
from ctiscraper.errors import Reason
from ctiscraper.tracing import here
from ctiscraper.types import (
    MAX_ATTEMPTS,
    Announced,
    CheckSummary,
    FeedEntry,
    Health,
    Source,
    SourceStanding,
    Validators,
)

CHUNK = 500
# Why a check tells nothing of its source: no turn at its host, or no way out of here.
TELLS_NOTHING = (Reason.HOST_BUSY.value, Reason.OFFLINE.value)
# What is said of a source whose checks are begun again and again without an end.
_LOST = "format('the worker ended while it checked this source, %%s times in a row', tries)"
# What the next one waits if this is the fifth without an end, or a later one: each may cost a
# worker all it holds, and an innocent source has fewer where workers are killed otherwise.
_REST = f"""
    CASE WHEN due.tries + 1 >= {MAX_ATTEMPTS} THEN least(interval '1 day',
        (2 ^ least(due.tries + 1 - {MAX_ATTEMPTS}, 10)) * interval '5 minutes') END
"""
_REVISIT_AT = f"""
    CASE WHEN j.state = 'pending' THEN j.run_after ELSE {revisit_at("j.fruitless")} END
"""


@dataclass(frozen=True, slots=True)
class SourceLease:
    """A source whose check is this worker's to make."""

    source: Source
    owner: UUID


class Checks:
    """The checks of sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, host: str, *, seconds: float, suspects: bool = True, under: UUID | None = None
    ) -> SourceLease | None:
        """Return a due source of a host; it falls due again when the check is never finished.

        One that may take over what another gave up comes without validators, to be asked in full.
        Without `suspects` those whose checks may have ended workers before are left waiting. Of
        such a source that is told as its last check, and from the fifth on it falls due ever later.
        With the owner token of a lease of the host, only while that lease lasts.
        """
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                WITH due AS MATERIALIZED (
                    SELECT source_id, tries, tries >= {SUSPECT_AFTER} AS suspect, {_LOST} AS lost
                    FROM source_state
                    WHERE host = %(host)s AND enabled AND next_check_at <= now()
                        AND (%(suspects)s OR tries < {SUSPECT_AFTER}) AND {HOST_IS_OURS}
                    ORDER BY next_check_at LIMIT 1 FOR UPDATE SKIP LOCKED),
                told AS (
                    INSERT INTO source_check (source_id, reason, detail)
                    SELECT source_id, '{Reason.WORKER_LOST}', lost FROM due WHERE suspect)
                UPDATE source_state t SET lease_owner = gen_random_uuid(),
                    tries = least(due.tries + 1, 100),
                    next_check_at = now() + greatest(make_interval(secs => %(seconds)s), {_REST}),
                    health = CASE WHEN suspect THEN '{Health.FAILING}' ELSE t.health END,
                    reason = CASE WHEN suspect THEN '{Reason.WORKER_LOST}' ELSE t.reason END,
                    detail = CASE WHEN suspect THEN lost ELSE t.detail END,
                    failures = t.failures + suspect::int
                FROM due JOIN source s ON s.id = due.source_id
                WHERE t.source_id = due.source_id
                RETURNING s.id, s.settings::text, t.etag, t.last_modified, t.body_sha256, t.health,
                    t.reason, t.detail, t.failures, t.items_per_day, t.next_check_at,
                    t.last_checked_at, t.last_success_at, t.moved_to, t.moved_count, t.note,
                    t.lease_owner, {MAY_TAKE_OVER}
                """,  # noqa: S608 - constants
                {"seconds": seconds, "host": host, "under": under, "suspects": suspects},
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        source = to_source(row)
        return SourceLease(replace(source, validators=Validators()) if row[17] else source, row[16])

    async def give_back(self, lease: SourceLease, *, seconds: float) -> None:
        """Leave a check to be made again so much later: what cut it off was no fault of its own."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                WITH back AS (
                    UPDATE source_state SET lease_owner = NULL, tries = greatest(0, tries - 1),
                        next_check_at =
                            least(next_check_at, now() + make_interval(secs => %(seconds)s))
                    WHERE source_id = %(id)s AND lease_owner = %(owner)s
                    RETURNING host, next_check_at)
                UPDATE host h SET work_at = least(h.work_at, back.next_check_at)
                FROM back WHERE h.host = back.host
                """,
                {"id": lease.source.id, "owner": lease.owner, "seconds": seconds},
            )

    async def in_a_row(self, source_id: int, reason: str, *, most: int = 10) -> int:
        """Return how many of a source's last checks ended for this reason, one after the other.

        Those that tell nothing of it are passed over.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT reason FROM source_check
                WHERE source_id = %s AND (reason <> ALL(%s) OR reason IS NULL)
                ORDER BY id DESC LIMIT %s
                """,
                (source_id, list(TELLS_NOTHING), most),
            )
            reasons = [row[0] for row in await cursor.fetchall()]
        return len(list(takewhile(lambda one: one == reason, reasons)))

    async def record(
        self,
        lease: SourceLease,
        summary: CheckSummary,
        standing: SourceStanding,
        announced: Sequence[Announced] = (),
    ) -> CheckSummary | None:
        """Keep all that a check found, validators beside the items they brought.

        Returns the summary with its counts, None when the lease was lost meanwhile.
        """
        if not announced:
            async with self._database.connection() as conn:
                return summary if await _stand(conn, lease, standing, summary) else None
        async with self._database.transaction() as conn:
            if not await fenced(conn, lease):
                return None
            counts, announcer = _Counts(), _announcer(lease.source)
            for start in range(0, len(announced), CHUNK):
                chunk = announced[start : start + CHUNK]
                counts += await _announce(conn, announcer, chunk)
            summary = replace(summary, discovered=counts.new, changed=counts.changed)
            if counts.held:
                # The next look must see those items again, whatever the host calls unchanged.
                standing = replace(standing, validators=Validators())
            await _stand(conn, lease, standing, summary, counts.awaited)
        return summary


async def fenced(conn: Conn, lease: SourceLease) -> bool:
    """Return whether this check is still ours; the source's row stays locked if so."""
    cursor = await conn.execute(
        "SELECT 1 FROM source_state WHERE source_id = %s AND lease_owner = %s FOR UPDATE",
        (lease.source.id, lease.owner),
    )
    return await cursor.fetchone() is not None


async def _stand(
    conn: Conn,
    lease: SourceLease,
    standing: SourceStanding,
    summary: CheckSummary,
    awaited: Collection[int] = (),
) -> bool:
    """Write where the source stands and the record of its check, in one statement.

    A source waits for what it named when it was last read, and for nothing else: what it names no
    more it is not asked for again and again.
    """
    cursor = await conn.execute(
        """
        WITH stood AS (
            UPDATE source_state SET lease_owner = NULL, tries = 0,
                next_check_at = now() + make_interval(secs => %(next)s),
                health = %(health)s, reason = %(reason)s, detail = %(detail)s, note = %(note)s,
                failures = %(failures)s, etag = %(etag)s, last_modified = %(last_modified)s,
                body_sha256 = %(body)s,
                items_per_day = %(rhythm)s, moved_to = %(moved_to)s,
                moved_count = %(moved_count)s, last_checked_at = now(), enabled = %(enabled)s,
                last_success_at = CASE WHEN %(succeeded)s THEN now() ELSE last_success_at END,
                full_bytes = CASE WHEN %(full)s THEN %(wire_bytes)s ELSE full_bytes END
            WHERE source_id = %(id)s AND lease_owner = %(owner)s
            RETURNING source_id, full_bytes),
        forgotten AS (
            DELETE FROM awaited_item w USING stood
            WHERE %(read)s AND w.source_id = stood.source_id AND NOT EXISTS (
                SELECT FROM unnest(%(awaited)s::bigint[]) AS named (id) WHERE named.id = w.job_id))
        INSERT INTO source_check (source_id, status, reason, detail, announced, discovered,
            changed, unchanged, requests, wire_bytes, saved_bytes)
        SELECT source_id, %(status)s, %(why)s, %(told)s, %(announced)s, %(discovered)s,
            %(changed)s, %(unchanged)s, %(requests)s, %(wire_bytes)s,
            CASE WHEN %(saved)s THEN greatest(0, coalesce(full_bytes, 0) - %(wire_bytes)s)
                ELSE 0 END
        FROM stood
        """,
        {
            "awaited": list(awaited),
            "read": not summary.unchanged and summary.reason is None,
            "id": lease.source.id,
            "owner": lease.owner,
            "next": standing.next_check_seconds,
            "health": standing.health,
            "reason": standing.reason,
            "detail": standing.detail[:2000],
            "note": standing.note[:2000],
            "failures": standing.failures,
            "etag": standing.validators.etag,
            "last_modified": standing.validators.last_modified,
            "body": standing.validators.body_sha256,
            "rhythm": standing.items_per_day,
            "moved_to": standing.moved_to,
            "moved_count": standing.moved_count,
            "succeeded": standing.succeeded,
            "enabled": standing.enabled,
            "why": summary.reason,
            "told": (summary.detail if summary.reason else standing.detail)[:2000],
            "status": summary.status,
            "announced": summary.announced,
            "discovered": summary.discovered,
            "changed": summary.changed,
            "unchanged": summary.unchanged,
            "requests": summary.requests,
            "wire_bytes": summary.wire_bytes,
            "full": summary.status == HTTPStatus.OK,
            "saved": summary.status == HTTPStatus.NOT_MODIFIED,
        },
    )
    return cursor.rowcount == 1


@dataclass(frozen=True, slots=True)
class _Announcer:
    """Who announces: its number, its rank and the key of its rules."""

    id: int
    rank: int
    rules: bytes


def _announcer(source: Source) -> _Announcer:
    return _Announcer(source.id, RANK[source.settings.tier], rules_key(source.settings))


async def _announce(conn: Conn, by: _Announcer, items: Sequence[Announced]) -> "_Counts":
    """Queue what is new and what changed; one item the database refuses costs only itself."""
    try:
        async with conn.transaction():
            return await _announce_all(conn, by, items)
    except (DataError, ProgramLimitExceeded) as error:
        if len(items) == 1:
            return await _announce_all(conn, by, [_refused(items[0], error)])
    counts = _Counts()
    for item in items:
        counts += await _announce(conn, by, [item])
    return counts


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many items were new, changed, and changed while a worker held them; which are awaited."""

    new: int = 0
    changed: int = 0
    held: int = 0
    awaited: frozenset[int] = frozenset()

    def __add__(self, other: "_Counts") -> "_Counts":
        return _Counts(
            self.new + other.new,
            self.changed + other.changed,
            self.held + other.held,
            self.awaited | other.awaited,
        )


def _refused(item: Announced, error: DataError | ProgramLimitExceeded) -> Announced:
    """Return the item as a failed row of which nothing but hashes and the cause is kept."""
    return Announced(
        url_hash=item.url_hash,
        guid_hash=item.guid_hash,
        entry_hash=item.entry_hash,
        url="",
        host="",
        entry=FeedEntry(guid=item.guid_hash.hex(), url=""),
        state="failed",
        reason=Reason.PARSER_ERROR,
        detail=f"the database refused this item: {type(error).__name__}",
    )


async def _announce_all(conn: Conn, by: _Announcer, items: Sequence[Announced]) -> _Counts:
    jobs = {item.url_hash: item for item in items}
    new = await _insert_jobs(conn, by.id, by.rank, list(jobs.values()))
    once = list({(item.url_hash, item.guid_hash): item for item in items}.values())
    changed, held = await _changed(conn, by.id, once)
    await _note_edits(conn, by.id, changed)
    known = [item for key, item in jobs.items() if key not in new]
    others = await take_over(conn, by.id, by.rules, by.rank, known)
    taken = others.taken
    await _sight(conn, by.id, once, new)
    if taken:
        await account_for(conn, by.id, list(taken.values()))
    edited = {job: item for job, item in changed.items() if item.url_hash not in taken}
    again = await _revisit(conn, edited)
    pending = (key for key in (*new, *taken) if jobs[key].state == "pending")
    hosts = {jobs[key].host for key in pending} | again
    if hosts:
        await wake(conn, hosts, by.rank)
    return _Counts(len(new) + len(taken), len(edited), held, others.awaited)


async def _insert_jobs(
    conn: Conn, source_id: int, rank: int, jobs: Sequence[Announced]
) -> dict[bytes, int]:
    cursor = await conn.execute(
        """
        INSERT INTO fetch_job (url_hash, url, host, source_id, rank, trace, state, reason, detail,
            entry, finished_at)
        SELECT url_hash, url, host, %s, %s, %s, state, reason, detail, entry::jsonb,
            CASE WHEN state <> 'pending' THEN now() END
        FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[]) AS item (url_hash, url, host, state, reason, detail, entry)
        ON CONFLICT (url_hash) DO NOTHING
        RETURNING url_hash, id
        """,
        (
            source_id,
            rank,
            here(),
            [item.url_hash for item in jobs],
            [item.url for item in jobs],
            [item.host for item in jobs],
            [item.state for item in jobs],
            [item.reason for item in jobs],
            [item.detail for item in jobs],
            [msgspec.json.encode(item.entry).decode() for item in jobs],
        ),
    )
    return {bytes(row[0]): int(row[1]) for row in await cursor.fetchall()}


async def _changed(
    conn: Conn, source_id: int, items: Sequence[Announced]
) -> tuple[dict[int, Announced], int]:
    """Return the changed items by their jobs, now locked, and how many a worker holds.

    What a worker holds is left as it was, to be found changed at the next look.
    """
    cursor = await conn.execute(
        """
        SELECT j.id, j.state, item.place FROM fetch_job j
        JOIN unnest(%s::bytea[], %s::bytea[], %s::bytea[]) WITH ORDINALITY
            AS item (url_hash, guid_hash, entry_hash, place) ON j.url_hash = item.url_hash
        JOIN sighting g ON g.source_id = %s AND g.guid_hash = item.guid_hash AND g.job_id = j.id
        WHERE g.entry_hash <> item.entry_hash ORDER BY j.id FOR NO KEY UPDATE OF j
        """,
        (
            [item.url_hash for item in items],
            [item.guid_hash for item in items],
            [item.entry_hash for item in items],
            source_id,
        ),
    )
    rows = await cursor.fetchall()
    free = {int(row[0]): items[row[2] - 1] for row in rows if row[1] != "leased"}
    return free, sum(1 for row in rows if row[1] == "leased")


async def _sight(
    conn: Conn, source_id: int, items: Sequence[Announced], new: dict[bytes, int]
) -> None:
    """Note who announced what; the first sighting of a job is the one that made it."""
    firsts: set[bytes] = set()
    flags = []
    for item in items:
        flags.append(item.url_hash in new and item.url_hash not in firsts)
        firsts.add(item.url_hash)
    await conn.execute(
        """
        INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
        SELECT %s, item.guid_hash, j.id, item.entry_hash, item.first
        FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::boolean[])
            AS item (url_hash, guid_hash, entry_hash, first)
        JOIN fetch_job j ON j.url_hash = item.url_hash
        ON CONFLICT (source_id, guid_hash, job_id) DO NOTHING
        """,
        (
            source_id,
            [item.url_hash for item in items],
            [item.guid_hash for item in items],
            [item.entry_hash for item in items],
            flags,
        ),
    )


async def _note_edits(conn: Conn, source_id: int, changed: dict[int, Announced]) -> None:
    """Note what entries say now; of a text that changed the source has refused nothing yet."""
    if not changed:
        return
    await conn.execute(
        """
        UPDATE sighting g SET refused_by = NULL, entry_hash =
            CASE WHEN g.guid_hash = item.guid_hash THEN item.entry_hash ELSE g.entry_hash END
        FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS item (id, guid_hash, entry_hash)
        WHERE g.source_id = %s AND g.job_id = item.id
            AND (g.guid_hash = item.guid_hash OR g.refused_by IS NOT NULL)
        """,
        (
            list(changed),
            [item.guid_hash for item in changed.values()],
            [item.entry_hash for item in changed.values()],
            source_id,
        ),
    )


async def _revisit(conn: Conn, edited: dict[int, Announced]) -> set[str]:
    """Queue the jobs whose entries changed; return the hosts that have work again.

    The first edit of an article is followed at once. An entry that changes while its page does
    not, or has none, costs ever fewer requests: each fruitless look doubles the wait for the next.
    What waits already goes on to wait, and what was used up stays so until an article came of it.
    """
    if not edited:
        return set()
    cursor = await conn.execute(
        f"""
        UPDATE fetch_job j SET state = 'pending',
            attempts = CASE WHEN j.state = 'pending' OR j.attempts >= %(most)s
                AND j.reason IS NOT NULL THEN j.attempts ELSE 0 END,
            host_tries = CASE WHEN j.state IN ('pending', 'failed', 'dead')
                THEN j.host_tries ELSE 0 END,
            run_after = {_REVISIT_AT},
            from_snapshot = false, entry = item.entry::jsonb, trace = %(trace)s
        FROM unnest(%(ids)s::bigint[], %(entries)s::text[], %(wanted)s::boolean[])
            AS item (id, entry, wanted)
        WHERE j.id = item.id AND item.wanted AND j.url <> ''
            AND NOT (j.state = 'filtered' AND j.reason = 'discarded')
        RETURNING j.host
        """,  # noqa: S608 - a constant
        {
            "most": MAX_ATTEMPTS,
            "trace": here(),
            "ids": list(edited),
            "entries": [msgspec.json.encode(item.entry).decode() for item in edited.values()],
            "wanted": [item.state == "pending" for item in edited.values()],
        },
    )
    return {str(row[0]) for row in await cursor.fetchall()}
