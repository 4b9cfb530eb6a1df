"""The texts whose claims are to be found: which are next, and what was found in them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec
import structlog
from psycopg import DataError
from psycopg.errors import ProgramLimitExceeded

from ctiscraper.db.arrays import array
from ctiscraper.db.mentions import Claims, Delta, write_mentions
from ctiscraper.db.one_by_one import one_by_one
from ctiscraper.db.session import Conn, Database, was_cut_off
from ctiscraper.errors import StorageError
from ctiscraper.intelligence import Enrichment, Extractor

STAGE = "enrichment"
STORY_TOPIC = "story"
MOST_ATTEMPTS = 5
# The form of what is recorded in `analysis`.
_VERSION = 1
# After so many claims without an end a text is looked through by itself: whoever was claimed beside
# one that ends its worker pays with it, and must not be beside it again.
_SUSPECT_AFTER = 2
# A batch may take longer, and renews its claim: one whose worker was killed is free so soon.
_CLAIM_SECONDS = 60
_RENEW_SECONDS = 15
# How long a text waits that could not be looked through or kept this time, and after an outage.
_LATER_SECONDS = 300.0
_SOON_SECONDS = 10.0
_MOST_LISTED = 1000
# Among so many of the newest articles those are looked for that were missed.
_RECENT = 100_000
_QUEUED_AT_ONCE = 20_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredText:
    """An article to be looked through, as it stands; no `extractors` are all of them."""

    claim: UUID
    article_id: int
    revision: int
    extractors: tuple[Extractor, ...]
    attempts: int
    source_id: int
    source_url: str
    url: str
    title: str
    text: str
    html: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found in a text, or why nothing could be."""

    text: StoredText
    enrichment: Enrichment | None = None
    failure: str = ""


Join = Callable[[Conn, Sequence[Finding]], Awaitable[None]]


class Enrichments:
    """The stage that finds what articles name, fed by what was stored and by reprocessing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # What could not be given back, as the database was away.
        self._owed: list[StoredText] = []

    async def claim(self, owner: UUID, *, limit: int) -> list[StoredText]:
        """Return up to `limit` texts for this owner alone, new ones first, for a minute.

        One that may have ended its workers comes by itself; those that ask for an extractor of a
        newer program are left to that.
        """
        await self._repay()
        async with self._database.connection() as conn:
            values = {
                "owner": owner,
                "beside": limit - 1,
                "known": [one.value for one in Extractor],
                "seconds": _CLAIM_SECONDS,
            }
            cursor = await conn.execute(_CLAIM, values)
            texts = [
                StoredText(
                    claim=owner,
                    article_id=row[0],
                    revision=row[1],
                    extractors=tuple(Extractor(name) for name in row[2] or ()),
                    attempts=row[3],
                    source_id=row[4],
                    source_url=row[5],
                    url=row[6],
                    title=row[7],
                    text=row[8],
                    html=row[9],
                    seen_at=row[10],
                )
                for row in await cursor.fetchall()
            ]
            conn.carried(max((len(text.text) + len(text.html) for text in texts), default=0))
        return texts

    async def renew(self, texts: Sequence[StoredText]) -> None:
        """Keep texts claimed until cancelled, while they are looked through."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                await self.hold(texts, seconds=_CLAIM_SECONDS)
            except StorageError as error:
                log.warning("claim_not_renewed", detail=error.detail)

    async def hold(self, texts: Sequence[StoredText], *, seconds: float = _LATER_SECONDS) -> None:
        """Keep claimed texts from everybody for so long, or longer where they were already.

        Those claimed by another stay theirs, and what is being written is not waited for.
        """
        if not texts:
            return
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE enrichment_job SET claimed_until =
                    greatest(claimed_until, now() + make_interval(secs => %s))
                WHERE article_id IN (SELECT article_id FROM enrichment_job
                    WHERE article_id = ANY(%s) AND claim = ANY(%s) FOR UPDATE SKIP LOCKED)
                """,
                (seconds, [text.article_id for text in texts], [text.claim for text in texts]),
            )

    async def give_back(self, texts: Sequence[StoredText], *, seconds: float = 0.0) -> None:
        """Leave claimed texts for their next turn, not counted as one more, in so many seconds.

        What the database does not take is owed, and given back before the next claim.
        """
        try:
            await self._give_back(texts, seconds)
        except StorageError:
            self._owed.extend(texts)
            raise

    async def _repay(self) -> None:
        owed, self._owed = self._owed, []
        await self.give_back(owed)

    async def _give_back(self, texts: Sequence[StoredText], seconds: float) -> None:
        if not texts:
            return
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE enrichment_job SET claim = NULL, attempts = greatest(0, attempts - 1),
                    claimed_until = CASE WHEN %(seconds)s > 0
                        THEN now() + make_interval(secs => %(seconds)s) END
                WHERE article_id = ANY(%(ids)s) AND claim = ANY(%(claims)s)
                """,
                {
                    "seconds": seconds,
                    "ids": [text.article_id for text in texts],
                    "claims": [text.claim for text in texts],
                },
            )

    async def keep(self, found: Sequence[Finding], join: Join | None = None) -> int:
        """Write what was found and end its texts, in one transaction; return how many.

        A text that changed or was claimed by another meanwhile is left for its next turn. One
        that the database refuses costs the others nothing, and ends with its reason; one that it
        fails at while it keeps others is left for five minutes. `join` writes what follows
        from the mentions, in the same transaction. Raises StorageError where nothing can be kept.
        """
        try:
            return await self._keep(found, join)
        except StorageError:
            if len(found) > 1:
                return await self._keep_each(found, join)
            raise
        except (DataError, ProgramLimitExceeded) as error:
            if len(found) > 1:
                return sum([await self.keep([one], join) for one in found])
            refused = replace(found[0], enrichment=None, failure=f"refused by PostgreSQL: {error}")
            return await self._keep([refused], None)

    async def _keep_each(self, found: Sequence[Finding], join: Join | None) -> int:
        """Keep texts one by one, so that one that the database fails at holds up no other."""
        # Each may take as long as a statement may, and one that fails is left until then.
        await self.hold([one.text for one in found])
        return await one_by_one(found, lambda one: self.keep([one], join), _leave)

    async def _keep(self, found: Sequence[Finding], join: Join | None) -> int:
        async with self._database.transaction() as conn:
            held = await _end(conn, [one.text for one in found])
            kept = [one for one in found if one.text.article_id in held]
            if kept:
                await _keep(conn, kept, held, join)
        return len(kept)

    async def queue(
        self,
        extractors: Sequence[Extractor] = (),
        *,
        since: datetime | None = None,
        source_key: str | None = None,
        article_ids: Sequence[int] | None = None,
    ) -> int:
        """Have stored articles looked through again, after what is new; return how many.

        Without `extractors` by all of them. `since` is the time an article is listed under. Many
        are queued in parts: what ends it midway leaves the rest to be asked for again.
        """
        values: dict[str, object] = {
            "extractors": [one.value for one in extractors] or None,
            "since": since,
            "source": source_key,
            "ids": None if article_ids is None else list(article_ids),
            "batch": _QUEUED_AT_ONCE,
        }
        queued = after = 0
        while True:
            async with self._database.connection() as conn:
                cursor = await conn.execute(_QUEUE, {**values, "after": after})
                row = await cursor.fetchone()
            assert row is not None, "a count is one row"
            batch, after = int(row[0]), int(row[1] or 0)
            queued += batch
            if batch < _QUEUED_AT_ONCE:
                return queued

    async def queue_missed(self) -> int:
        """Have recent articles looked through that were neither queued nor done; return how many.

        There are such where an older program compared texts beside this one.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(_QUEUE_MISSED, {"stage": STAGE, "recent": _RECENT})
        return cursor.rowcount

    async def waiting(self, *, new: bool = False) -> int:
        """Return how many texts are still to be looked through, or of `new` ones alone."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) FROM enrichment_job WHERE rank = 0 OR NOT %s", (new,)
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0


_FREE = """
    (claimed_until IS NULL OR claimed_until < now())
    AND (extractors IS NULL OR extractors <@ %(known)s::text[])
"""
_CLAIM = f"""
WITH first AS MATERIALIZED (
    SELECT article_id, attempts >= {_SUSPECT_AFTER} AS suspect FROM enrichment_job
    WHERE {_FREE} ORDER BY rank, article_id DESC LIMIT 1 FOR UPDATE SKIP LOCKED
),
beside AS MATERIALIZED (
    SELECT j.article_id FROM enrichment_job j
    WHERE {_FREE} AND attempts < {_SUSPECT_AFTER} AND NOT (SELECT suspect FROM first)
        AND j.article_id <> (SELECT article_id FROM first)
    ORDER BY rank, article_id DESC LIMIT %(beside)s FOR UPDATE SKIP LOCKED
),
next AS (SELECT article_id FROM first UNION ALL SELECT article_id FROM beside),
mine AS (
    UPDATE enrichment_job j SET claim = %(owner)s, attempts = least(j.attempts + 1, 100),
        claimed_until = now() + make_interval(secs => %(seconds)s)
    FROM next WHERE j.article_id = next.article_id
    RETURNING j.article_id, j.revision, j.extractors, j.attempts
)
SELECT a.id, m.revision, m.extractors, m.attempts, a.source_id, s.settings->>'url', a.url,
    a.title, a.text, a.html, a.sort_at
FROM mine m JOIN article a ON a.id = m.article_id JOIN source s ON s.id = a.source_id
"""  # noqa: S608 - a constant of this module
_QUEUE = """
WITH chosen AS (
    SELECT a.id, a.revision FROM article a
    WHERE a.id > %(after)s AND (%(since)s::timestamptz IS NULL OR a.sort_at >= %(since)s)
        AND (%(source)s::text IS NULL
            OR a.source_id = (SELECT id FROM source WHERE key = %(source)s))
        AND (%(ids)s::bigint[] IS NULL OR a.id = ANY(%(ids)s))
    ORDER BY a.id LIMIT %(batch)s
),
queued AS (
    INSERT INTO enrichment_job AS j (article_id, revision, extractors, rank)
    SELECT id, revision, %(extractors)s::text[], 1 FROM chosen
    ON CONFLICT (article_id) DO UPDATE SET
        extractors = CASE WHEN j.extractors IS NULL OR excluded.extractors IS NULL THEN NULL
            ELSE ARRAY(SELECT DISTINCT unnest(j.extractors || excluded.extractors)) END,
        claim = NULL, claimed_until = NULL, attempts = 0
)
SELECT count(*), max(id) FROM chosen
"""

_QUEUE_MISSED = """
INSERT INTO enrichment_job (article_id, revision, rank)
SELECT a.id, a.revision, 1 FROM article a
WHERE a.id > (SELECT coalesce(max(id), 0) FROM article) - %(recent)s
    AND NOT EXISTS (SELECT 1 FROM analysis n WHERE n.article_id = a.id
        AND n.revision = a.revision AND n.stage = %(stage)s)
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.topic = 'article' AND o.article_id = a.id)
ON CONFLICT (article_id) DO NOTHING
"""


async def _leave(one: Finding, error: Exception) -> None:
    log.warning("enrichment_unkept", article=one.text.article_id, detail=str(error))


def pause_after(error: StorageError) -> float:
    """Return how many seconds texts wait that could not be kept by this.

    After an outage but a moment; what the database fails at would come before all others again.
    """
    return _SOON_SECONDS if was_cut_off(error) else _LATER_SECONDS


async def _end(conn: Conn, texts: Sequence[StoredText]) -> dict[int, bool]:
    """Take texts out of the queue; return those that this owner still held as they were.

    With each whether it names anything yet: nobody else writes that while its job is held.
    """
    cursor = await conn.execute(
        """
        DELETE FROM enrichment_job j
        USING unnest(%s::bigint[], %s::integer[], %s::uuid[]) AS t (id, revision, claim)
        WHERE j.article_id = t.id AND j.revision = t.revision AND j.claim = t.claim
        RETURNING j.article_id,
            EXISTS (SELECT 1 FROM mention m WHERE m.article_id = j.article_id)
        """,
        (
            array([text.article_id for text in texts]),
            array([text.revision for text in texts]),
            array([str(text.claim) for text in texts]),
        ),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def _keep(
    conn: Conn, found: Sequence[Finding], named: Mapping[int, bool], join: Join | None
) -> None:
    claims = [
        Claims(
            article_id=one.text.article_id,
            source_id=one.text.source_id,
            seen_at=one.text.seen_at,
            mentions=[
                mention
                for mention in one.enrichment.mentions
                if mention.extractor in one.enrichment.versions
            ],
            versions=one.enrichment.versions,
            delta=_is_again(one.text),
            named=named[one.text.article_id],
        )
        for one in found
        if one.enrichment is not None
    ]
    deltas = await write_mentions(conn, claims)
    if join is not None:
        await join(conn, [one for one in found if one.enrichment is not None])
    await conn.execute(
        """
        WITH news AS (
            INSERT INTO outbox (topic, article_id, revision)
            SELECT %(topic)s, id, revision
            FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[]) AS v (id, revision)
            ON CONFLICT (topic, article_id, revision) DO NOTHING
        ),
        over AS (DELETE FROM enrichment_failure WHERE article_id = ANY(%(ids)s::bigint[]))
        INSERT INTO analysis AS a (article_id, revision, stage, version, result)
        SELECT id, revision, %(stage)s, %(version)s, result::jsonb
        FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[], %(results)s::text[])
            AS v (id, revision, result)
        ON CONFLICT (article_id, revision, stage, version)
            DO UPDATE SET result = a.result || excluded.result, made_at = now()
        """,
        {
            "topic": STORY_TOPIC,
            "stage": STAGE,
            "version": _VERSION,
            "ids": array([one.text.article_id for one in found]),
            "revisions": array([one.text.revision for one in found]),
            "results": array(
                [_result(one, deltas.get(one.text.article_id, Delta())) for one in found]
            ),
        },
    )
    if failed := [one for one in found if one.enrichment is None]:
        await _keep_failures(conn, failed)


async def _keep_failures(conn: Conn, failed: Sequence[Finding]) -> None:
    """Put these on the list of failures, which has none of them."""
    await conn.execute(
        """
        INSERT INTO enrichment_failure (article_id, revision, failure)
        SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::text[])
        """,
        (
            [one.text.article_id for one in failed],
            [one.text.revision for one in failed],
            [one.failure[:2000] for one in failed],
        ),
    )


def _is_again(text: StoredText) -> bool:
    return text.revision > 1 or bool(text.extractors)


def _result(one: Finding, delta: Delta) -> str:
    """Return what is recorded of a text: who looked, what a second look changed, what failed."""
    if one.enrichment is None:
        return msgspec.json.encode({"failure": one.failure}).decode()
    result: dict[str, object] = {
        "failure": "",
        "versions": one.enrichment.versions,
        "notes": one.enrichment.notes,
    }
    if _is_again(one.text):
        result["added"] = delta.added[:_MOST_LISTED]
        result["removed"] = delta.removed[:_MOST_LISTED]
    return msgspec.json.encode(result).decode()
