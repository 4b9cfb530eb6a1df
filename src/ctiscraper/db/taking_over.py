"""Items that one source refused or left, and that another which announces them wants."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ctiscraper.db.revisits import revisit_at
from ctiscraper.db.session import Conn
from ctiscraper.errors import Reason
from ctiscraper.tracing import here
from ctiscraper.types import Announced, SourceSettings

# What one source refuses by its own rules another may want, and what it left when it was removed.
_GIVEN_UP = (
    Reason.URL_NOT_ALLOWED,
    Reason.WORD_EXCLUDED,
    Reason.WORD_NOT_INCLUDED,
    Reason.TOO_SHORT,
    Reason.SOURCE_REMOVED,
)
_FREE = f"""
    j.article_id IS NULL AND j.state = 'filtered'
    AND j.reason IN ({", ".join(f"'{reason}'" for reason in _GIVEN_UP)})
"""
# Asked with each check of a source `t`: what it waits for is free, whatever freed it and whoever
# was cut off then. An answer that nothing changed would announce that no more.
MAY_TAKE_OVER = f"""
    EXISTS (SELECT FROM awaited_item w JOIN fetch_job j ON j.id = w.job_id
        WHERE w.source_id = t.source_id AND j.source_id <> t.source_id AND {_FREE})
"""
_KEY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Others:
    """Items that others had: those taken over, by their hashes, and those still waited for."""

    taken: dict[bytes, int]
    awaited: frozenset[int]


def rules_key(settings: SourceSettings) -> bytes:
    """Return a key that is another when a source may judge the text of an item otherwise.

    Which addresses it allows is no part: that is judged anew with each announcement.
    """
    judged_by = (
        settings.min_length,
        sorted(settings.include_words),
        sorted(settings.exclude_words),
        settings.selectors,
        settings.fetch_pages,
    )
    return hashlib.sha256(msgspec.json.encode(judged_by)).digest()[:_KEY_BYTES]


async def take_over(
    conn: Conn, source_id: int, rules: bytes, rank: int, jobs: Sequence[Announced]
) -> Others:
    """Make a source's own what others gave up, and note which items of others it waits for.

    Not what it refused itself by the rules that it has: sources that all refuse an item ask for it
    once each, and not in turn. Where its entries change at each look, each source has one look, and
    all that follow wait as those of a single source do.
    """
    wanted = [item for item in jobs if item.state == "pending"]
    if not wanted:
        return Others({}, frozenset())
    cursor = await conn.execute(
        f"""
        WITH theirs AS MATERIALIZED (
            SELECT j.id, j.url_hash, item.entry, greatest(0, j.fruitless -
                (SELECT count(DISTINCT source_id) FROM sighting g WHERE g.job_id = j.id)) AS again
            FROM unnest(%(hashes)s::bytea[], %(entries)s::text[]) AS item (url_hash, entry)
            JOIN fetch_job j ON j.url_hash = item.url_hash
            WHERE j.source_id <> %(source)s AND j.article_id IS NULL AND j.url <> ''
                AND NOT EXISTS (SELECT FROM sighting g WHERE g.job_id = j.id
                    AND g.source_id = %(source)s AND g.refused_by = %(rules)s)),
        taken AS (
            UPDATE fetch_job j SET source_id = %(source)s, rank = %(rank)s, trace = %(trace)s,
                state = 'pending', reason = NULL, detail = '',
                finished_at = CASE WHEN theirs.again > 0 THEN j.finished_at END,
                run_after = {revisit_at("theirs.again")}, attempts = 0, host_tries = 0,
                from_snapshot = false, released = false, entry = theirs.entry::jsonb
            FROM theirs WHERE j.id = theirs.id AND j.source_id <> %(source)s AND {_FREE}
            RETURNING j.id),
        noted AS (
            INSERT INTO awaited_item (source_id, job_id)
            SELECT %(source)s, id FROM theirs WHERE id NOT IN (SELECT id FROM taken)
            ON CONFLICT DO NOTHING)
        SELECT theirs.url_hash, theirs.id, taken.id IS NOT NULL
        FROM theirs LEFT JOIN taken ON taken.id = theirs.id
        """,  # noqa: S608 - constants
        {
            "source": source_id,
            "rank": rank,
            "trace": here(),
            "hashes": [item.url_hash for item in wanted],
            "entries": [msgspec.json.encode(item.entry).decode() for item in wanted],
            "rules": rules,
        },
    )
    rows = await cursor.fetchall()
    return Others(
        {bytes(row[0]): int(row[1]) for row in rows if row[2]},
        frozenset(int(row[1]) for row in rows if not row[2]),
    )


async def account_for(conn: Conn, source_id: int, jobs: Sequence[int]) -> None:
    """Count jobs as discovered by the source that took them over, and by no other."""
    values = {"source": source_id, "jobs": list(jobs)}
    await conn.execute(
        "UPDATE sighting SET first = false WHERE job_id = ANY(%(jobs)s) AND first", values
    )
    await conn.execute(
        """
        UPDATE sighting g SET first = true
        FROM (SELECT DISTINCT ON (job_id) job_id, guid_hash FROM sighting
            WHERE source_id = %(source)s AND job_id = ANY(%(jobs)s)
            ORDER BY job_id, guid_hash) one
        WHERE g.source_id = %(source)s AND g.job_id = one.job_id AND g.guid_hash = one.guid_hash
        """,
        values,
    )
