"""What is no longer kept: old rows, found and deleted in small batches of their own."""
# ruff: noqa: S608 - every statement is put together from constants of this module

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ctiscraper.db.session import Conn, Database
from ctiscraper.types import Days, Keep

BATCH = 500
# Whatever their age: the last texts before the present one, and the last checks of a source.
NEWEST_REVISIONS = 5
NEWEST_CHECKS = 20
# A worker that said nothing for so long is dead; the list of workers forgets it.
DEAD_AFTER = "1 day"

_KEPT = "unnest(%(tiers)s::text[], %(days)s::int[]) AS kept (tier, days)"
_PAST = "now() - make_interval(days => kept.days)"
# Nobody is at work on the item, and nobody asked for its page to be read again.
_FREE = "j.state <> 'leased' AND NOT (j.from_snapshot AND j.state = 'pending')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one batch removed; `over` says that there is no more to look at."""

    removed: int
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSnapshots:
    """Snapshots past their time among those up to `last`, and the hashes only they refer to.

    Each of `pages` is a snapshot with its hash; all are in the order of the snapshots.
    """

    pages: Sequence[tuple[int, bytes]]
    hashes: Sequence[bytes]
    last: int
    over: bool

    @property
    def ids(self) -> list[int]:
        """The snapshots without their hashes."""
        return [number for number, _ in self.pages]

    def without(self, kept: Collection[bytes], *, until: bytes | None = None) -> Self:
        """Return what is left without the snapshots of these hashes.

        The next batch begins behind the first snapshot of the hash `until`.
        """
        pages = [page for page in self.pages if page[1] not in kept]
        if until is None:
            return replace(self, pages=pages)
        last = next(number for number, sha256 in self.pages if sha256 == until)
        return replace(self, pages=pages, last=last, over=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlived:
    """How much there is that is past its time."""

    checks: int
    revisions: int
    snapshots: int
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAmount:
    """About how much there is, as the server's statistics have it; bytes with their indexes."""

    checks: int
    checks_bytes: int
    revisions: int
    revisions_bytes: int
    snapshots: int
    snapshots_bytes: int


class Retention:
    """Deletes rows past their time; articles, items and what accounts for them never are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def drop_checks(self, days: Days) -> Batch:
        """Delete a batch of old checks, but never the last ones of a source."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(_DROP_CHECKS, {**_values(days), "batch": BATCH})
        return Batch(removed=cursor.rowcount, over=cursor.rowcount == 0)

    async def drop_workers(self) -> Batch:
        """Delete the heartbeats of workers that are long dead."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(_DROP_WORKERS)
        return Batch(removed=cursor.rowcount, over=True)

    async def drop_revisions(self, days: Days) -> Batch:
        """Delete a batch of old texts of articles, but never the last ones of an article."""
        async with self._database.transaction() as conn:
            article, _, number = (await _position(conn, "revisions") or "0:0").partition(":")
            values = {"article": int(article), "number": int(number), "batch": BATCH}
            cursor = await conn.execute(_DROP_REVISIONS, {**_values(days), **values})
            row = await cursor.fetchone()
            assert row is not None, "a row without FROM"
            removed, seen, last = row
            over = seen < BATCH
            await _move(conn, "revisions", "" if over else last)
        return Batch(removed=removed, over=over)

    async def old_snapshots(self, days: Days) -> OldSnapshots:
        """Return the next batch of pages past their time; nothing is deleted yet."""
        async with self._database.transaction() as conn:
            after = int(await _position(conn, "snapshots") or 0)
            cursor = await conn.execute(
                _OLD_SNAPSHOTS, {**_values(days), "after": after, "batch": BATCH}
            )
            rows = await cursor.fetchall()
            pages = [(int(row[0]), bytes(row[1])) for row in rows if row[2]]
            hashes = dict.fromkeys(sha256 for _, sha256 in pages)
            alone = set(await _without_row(conn, list(hashes), but=[page[0] for page in pages]))
        return OldSnapshots(
            pages=pages,
            hashes=[sha256 for sha256 in hashes if sha256 in alone],
            last=int(rows[-1][0]) if rows else after,
            over=len(rows) < BATCH,
        )

    async def drop_snapshots(self, old: OldSnapshots) -> int:
        """Delete these snapshots, whose bytes are gone; their items forget them."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(_DROP_SNAPSHOTS, {"ids": list(old.ids)})
            row = await cursor.fetchone()
            await _move(conn, "snapshots", "" if old.over else str(old.last))
        assert row is not None, "a count is one row"
        return int(row[0])

    async def unreferenced(self, hashes: Sequence[bytes]) -> list[bytes]:
        """Return those of these hashes that no snapshot refers to."""
        async with self._database.connection() as conn:
            return await _without_row(conn, hashes)

    async def position(self, part: str) -> str:
        """Return where a part of the work goes on, empty for its beginning."""
        async with self._database.connection() as conn:
            return await _position(conn, part)

    async def move(self, part: str, after: str) -> None:
        """Say where a part of the work goes on."""
        async with self._database.connection() as conn:
            await _move(conn, part, after)

    async def kept(self) -> KeptAmount:
        """Return about how much there is; nothing is counted row by row."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_KEPT_AMOUNT)
            rows = {row[0]: (int(row[1]), int(row[2])) for row in await cursor.fetchall()}
        checks, revisions = rows["source_check"], rows["article_revision"]
        snapshots = rows["snapshot"]
        return KeptAmount(
            checks=checks[0],
            checks_bytes=checks[1],
            revisions=revisions[0],
            revisions_bytes=revisions[1],
            snapshots=snapshots[0],
            snapshots_bytes=snapshots[1],
        )

    async def outlived(self, keep: Keep) -> Outlived:
        """Return how much is past its time; nothing is deleted."""
        async with self._database.connection() as conn:
            return Outlived(
                checks=await _count(conn, _COUNT_CHECKS, _values(keep.checks)),
                revisions=await _count(conn, _COUNT_REVISIONS, _values(keep.revisions)),
                snapshots=await _count(conn, _COUNT_SNAPSHOTS, _values(keep.raw)),
                workers=await _count(conn, _COUNT_WORKERS, {}),
            )


_KEPT_AMOUNT = """
SELECT c.relname, greatest(coalesce(t.n_live_tup, 0), c.reltuples::bigint, 0),
    pg_total_relation_size(c.oid)
FROM pg_class c LEFT JOIN pg_stat_user_tables t ON t.relid = c.oid
WHERE c.oid = ANY(ARRAY['source_check', 'article_revision', 'snapshot']::regclass[])
"""
_IS_DEAD = f"seen_at < now() - interval '{DEAD_AFTER}'"
_COUNT_WORKERS = f"SELECT count(*) FROM worker_heartbeat WHERE {_IS_DEAD}"
_DROP_WORKERS = f"""
DELETE FROM worker_heartbeat WHERE worker IN
    (SELECT worker FROM worker_heartbeat WHERE {_IS_DEAD} FOR UPDATE SKIP LOCKED)
"""

# A source's checks are numbered in their order, so its oldest one tells whether there is anything.
_DUE_SOURCES = f"""
SELECT s.id, kept.days, (SELECT id FROM source_check c WHERE c.source_id = s.id
        ORDER BY id DESC OFFSET {NEWEST_CHECKS - 1} LIMIT 1) AS least
FROM source s JOIN {_KEPT} ON kept.tier = s.tier AND kept.days > 0
WHERE (SELECT checked_at FROM source_check c WHERE c.source_id = s.id ORDER BY id LIMIT 1) < {_PAST}
"""
_OLD_CHECKS = """
c.source_id = due.id AND c.id < due.least
    AND c.checked_at < now() - make_interval(days => due.days)
"""
_COUNT_CHECKS = f"""
SELECT count(*) FROM ({_DUE_SOURCES}) due JOIN source_check c ON {_OLD_CHECKS}
"""
_DROP_CHECKS = f"""
DELETE FROM source_check WHERE id IN (
    SELECT old.id FROM ({_DUE_SOURCES}) due CROSS JOIN LATERAL
        (SELECT c.id FROM source_check c WHERE {_OLD_CHECKS}
        ORDER BY c.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED) old
    LIMIT %(batch)s)
"""

_OLD_REVISION = f"r.number < a.revision - {NEWEST_REVISIONS} AND r.replaced_at < {_PAST}"
_OF_ARTICLES = f"""
JOIN article a ON a.id = r.article_id
JOIN source s ON s.id = a.source_id
JOIN {_KEPT} ON kept.tier = s.tier AND kept.days > 0
"""
_COUNT_REVISIONS = f"""
SELECT count(*) FROM article_revision r {_OF_ARTICLES} WHERE {_OLD_REVISION}
"""
_DROP_REVISIONS = f"""
WITH seen AS MATERIALIZED (
    SELECT article_id, number FROM article_revision
    WHERE (article_id, number) > (%(article)s, %(number)s)
    ORDER BY article_id, number LIMIT %(batch)s),
old AS (
    SELECT r.article_id, r.number
    FROM seen JOIN article_revision r USING (article_id, number) {_OF_ARTICLES}
    WHERE {_OLD_REVISION} FOR UPDATE OF r SKIP LOCKED),
gone AS (
    DELETE FROM article_revision r USING old
    WHERE r.article_id = old.article_id AND r.number = old.number RETURNING 1)
SELECT (SELECT count(*)::int FROM gone), (SELECT count(*)::int FROM seen),
    (SELECT article_id || ':' || number FROM seen ORDER BY article_id DESC, number DESC LIMIT 1)
"""

_OLD_SNAPSHOT = f"""
{_FREE} AND EXISTS (SELECT 1 FROM source s JOIN {_KEPT} ON kept.tier = s.tier AND kept.days > 0
    WHERE s.id = j.source_id AND p.fetched_at < {_PAST})
"""
_COUNT_SNAPSHOTS = f"""
SELECT count(*) FROM snapshot p JOIN fetch_job j ON j.id = p.job_id WHERE {_OLD_SNAPSHOT}
"""
_OLD_SNAPSHOTS = f"""
SELECT p.id, p.sha256, {_OLD_SNAPSHOT} FROM snapshot p JOIN fetch_job j ON j.id = p.job_id
WHERE p.id > %(after)s ORDER BY p.id LIMIT %(batch)s
"""
# Item and snapshot are locked together, and skipped together, so that two runs cannot wait
# for each other.
_DROP_SNAPSHOTS = f"""
WITH old AS (
    SELECT p.id, p.job_id FROM snapshot p JOIN fetch_job j ON j.id = p.job_id
    WHERE p.id = ANY(%(ids)s) AND {_FREE} FOR UPDATE SKIP LOCKED),
forgot AS (
    UPDATE fetch_job j SET snapshot_id = NULL, from_snapshot = false
    FROM old WHERE j.id = old.job_id AND j.snapshot_id = old.id),
gone AS (DELETE FROM snapshot p USING old WHERE p.id = old.id RETURNING 1)
SELECT count(*) FROM gone
"""


def _values(days: Days) -> dict[str, object]:
    return {"tiers": list(days), "days": list(days.values())}


async def _count(conn: Conn, query: str, values: Mapping[str, object]) -> int:
    row = await (await conn.execute(query, values)).fetchone()
    assert row is not None, "a count is one row"
    return int(row[0])


async def _without_row(
    conn: Conn, hashes: Sequence[bytes], *, but: Iterable[int] = ()
) -> list[bytes]:
    """Return the hashes that no snapshot refers to, those of `but` not counted."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT h.sha256 FROM unnest(%s::bytea[]) AS h (sha256)
        WHERE NOT EXISTS (SELECT 1 FROM snapshot p
            WHERE p.sha256 = h.sha256 AND p.id <> ALL(%s::bigint[]))
        """,
        (list(hashes), list(but)),
    )
    return [bytes(row[0]) for row in await cursor.fetchall()]


async def _position(conn: Conn, part: str) -> str:
    cursor = await conn.execute("SELECT after FROM retention_position WHERE part = %s", (part,))
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


async def _move(conn: Conn, part: str, after: str) -> None:
    await conn.execute(
        """
        INSERT INTO retention_position (part, after) VALUES (%s, %s)
        ON CONFLICT (part) DO UPDATE SET after = excluded.after, moved_at = now()
        """,
        (part, after),
    )
