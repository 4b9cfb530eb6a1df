"""Items that one source refused or left, and that another which announces them wants."""

import hashlib
from collections.abc import Sequence

import msgspec

from ctiscraper.db.session import Conn
from ctiscraper.errors import Reason
from ctiscraper.tracing import here
from ctiscraper.types import Announced, FetchJob, SourceSettings

# What one source refuses by its own rules another may want.
RULES_OF_A_SOURCE = (
    Reason.URL_NOT_ALLOWED,
    Reason.WORD_EXCLUDED,
    Reason.WORD_NOT_INCLUDED,
    Reason.TOO_SHORT,
)
_KEY_BYTES = 8
# What a source refuses by the address alone it refuses by no rule that has a key.
BY_ADDRESS = b""


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
) -> dict[bytes, int]:
    """Make a source's own what the rules of another refused, or ended with it; return the jobs.

    Not what it refused itself by the rules that it has: sources that all refuse an item ask for it
    once each, and not in turn.
    """
    wanted = [item for item in jobs if item.state == "pending"]
    if not wanted:
        return {}
    cursor = await conn.execute(
        """
        UPDATE fetch_job j SET source_id = %(source)s, rank = %(rank)s, trace = %(trace)s,
            state = 'pending', reason = NULL, detail = '', finished_at = NULL, run_after = now(),
            attempts = 0, host_tries = 0, from_snapshot = false, released = false,
            entry = item.entry::jsonb
        FROM unnest(%(hashes)s::bytea[], %(entries)s::text[]) AS item (url_hash, entry)
        WHERE j.url_hash = item.url_hash AND j.source_id <> %(source)s AND j.article_id IS NULL
            AND j.url <> '' AND j.state = 'filtered' AND (j.reason = %(removed)s
                OR j.reason = ANY(%(refusals)s) AND NOT EXISTS (SELECT FROM sighting g
                    WHERE g.job_id = j.id AND g.source_id = %(source)s
                        AND g.refused_by = %(rules)s))
        RETURNING j.url_hash, j.id
        """,
        {
            "source": source_id,
            "rank": rank,
            "trace": here(),
            "hashes": [item.url_hash for item in wanted],
            "entries": [msgspec.json.encode(item.entry).decode() for item in wanted],
            "removed": Reason.SOURCE_REMOVED.value,
            "refusals": [reason.value for reason in RULES_OF_A_SOURCE],
            "rules": rules,
        },
    )
    return {bytes(row[0]): int(row[1]) for row in await cursor.fetchall()}


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


async def ask_anew(conn: Conn, job: FetchJob) -> None:
    """Have the sources that want what another refused asked in full at their next look.

    They take it over when they announce it, which an answer that nothing changed does not.
    """
    await conn.execute(
        """
        UPDATE source_state SET etag = NULL, last_modified = NULL, body_sha256 = NULL
        WHERE source_id IN (SELECT t.source_id FROM source_state t
            WHERE t.source_id <> %(source)s AND t.enabled
                AND num_nonnulls(t.etag, t.last_modified, t.body_sha256) > 0
                AND t.source_id IN (SELECT source_id FROM sighting
                    WHERE job_id = %(job)s AND refused_by IS NULL)
            ORDER BY t.source_id FOR UPDATE)
        """,
        {"job": job.id, "source": job.source_id},
    )
