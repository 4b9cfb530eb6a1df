"""Items that come with their text, from another program: accounted for like any other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import msgspec

from ctiscraper.db.hosts import RANK
from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError
from ctiscraper.types import Announced, FetchJob, Source

# "impo"; of a session, so that an import that was killed keeps nobody out.
LOCK_KEY = 0x696D706F
LEASE_SECONDS = 600
# What an import takes is held in this name; nobody else uses it.
WORKER = UUID("5a1f0c1e-0000-4000-8000-696d706f7274")

_TAKE = """
WITH item AS (
    SELECT * FROM unnest(%(url_hashes)s::bytea[], %(guid_hashes)s::bytea[],
        %(entry_hashes)s::bytea[], %(urls)s::text[], %(hosts)s::text[], %(states)s::text[],
        %(reasons)s::text[], %(details)s::text[], %(entries)s::text[])
        AS item (url_hash, guid_hash, entry_hash, url, host, state, reason, detail, entry)),
made AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, rank, state, reason, detail, entry,
        finished_at, attempts, lease_owner, worker, lease_until)
    SELECT url_hash, url, host, %(source)s, %(rank)s,
        CASE state WHEN 'pending' THEN 'leased' ELSE state END, reason, detail, entry::jsonb,
        CASE WHEN state <> 'pending' THEN now() END,
        CASE state WHEN 'pending' THEN 1 ELSE 0 END,
        CASE state WHEN 'pending' THEN gen_random_uuid() END,
        CASE state WHEN 'pending' THEN %(worker)s::uuid END,
        CASE state WHEN 'pending' THEN now() + make_interval(secs => %(seconds)s) END
    FROM item
    ON CONFLICT (url_hash) DO NOTHING
    RETURNING id, url_hash, lease_owner, state),
seen AS (
    INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
    SELECT %(source)s, item.guid_hash, made.id, item.entry_hash, true
    FROM made JOIN item USING (url_hash))
SELECT id, url_hash, lease_owner::text, state FROM made
"""
# What was begun and not ended, and what the site did not give: the text is here.
_TAKE_AGAIN = """
UPDATE fetch_job SET state = 'leased', lease_owner = gen_random_uuid(), worker = %(worker)s,
    lease_until = now() + make_interval(secs => %(seconds)s), finished_at = NULL
WHERE source_id = %(source)s AND url_hash = ANY(%(url_hashes)s) AND article_id IS NULL
    AND (state IN ('failed', 'dead')
        OR (state IN ('pending', 'leased') AND entry->>'guid' = ANY(%(guids)s)))
RETURNING id, url_hash, lease_owner::text, state
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Items that are to be stored, by their places; and those that ended with their reason."""

    jobs: dict[int, FetchJob]
    refused: frozenset[int]


class Imports:
    """Where items with their texts come in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Let one import at a time go on. Raises ConflictError."""
        async with self._database.apart() as conn:
            # An import may take longer than a connection is usually left idle.
            cursor = await conn.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
            if await cursor.fetchone() != (True,):
                raise ConflictError("an import is under way already: wait until it has ended")
            yield

    async def take(self, source: Source, items: Sequence[Announced]) -> Taken:
        """Return the items that are new here, held for this import; no two have one address."""
        # The text itself stands in the article.
        stored = [replace(item.entry, content="") for item in items]
        values = {
            "source": source.id,
            "rank": RANK[source.settings.tier],
            "worker": WORKER,
            "seconds": LEASE_SECONDS,
            "url_hashes": [item.url_hash for item in items],
            "guid_hashes": [item.guid_hash for item in items],
            "entry_hashes": [item.entry_hash for item in items],
            "urls": [item.url for item in items],
            "hosts": [item.host for item in items],
            "states": [item.state for item in items],
            "reasons": [item.reason for item in items],
            "details": [item.detail for item in items],
            "entries": [msgspec.json.encode(entry).decode() for entry in stored],
            "guids": [item.entry.guid for item in items],
        }
        places = {item.url_hash: at for at, item in enumerate(items)}
        async with self._database.transaction() as conn:
            again = await (await conn.execute(_TAKE_AGAIN, values)).fetchall()
            made = await (await conn.execute(_TAKE, values)).fetchall()
        jobs, refused = {}, set()
        for number, url_hash, owner, state in (*again, *made):
            at = places[bytes(url_hash)]
            if state != "leased":
                refused.add(at)
                continue
            jobs[at] = FetchJob(
                id=number,
                source_id=source.id,
                url=items[at].url,
                entry=items[at].entry,
                attempts=1,
                lease_owner=owner,
            )
        return Taken(jobs, frozenset(refused))
