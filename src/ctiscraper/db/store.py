"""Keeping articles: each exactly once, every text it ever had, and what follows from it."""

from dataclasses import dataclass

from ctiscraper.db.queue import fenced
from ctiscraper.db.revisits import FRUITLESS
from ctiscraper.db.search import CONFIG, search_document
from ctiscraper.db.session import Conn, Database
from ctiscraper.tracing import traced
from ctiscraper.types import ArticleContent, FetchJob, Fingerprint, SourceSettings

TOPIC = "article"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """A page as it was answered; its bytes are in the raw store under `sha256`."""

    sha256: bytes
    url: str
    status: int
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing did: a new article, a revision, or nothing new."""

    article_id: int
    revision: int
    created: bool
    changed: bool


_INSERT = f"""
WITH held AS (
    SELECT id FROM fetch_job
    WHERE id = %(job)s AND lease_owner = %(owner)s AND state = 'leased' FOR UPDATE),
snap AS (
    INSERT INTO snapshot (job_id, sha256, url, status, content_type, bytes, fetched_at)
    SELECT id, %(snap_sha)s, %(snap_url)s, %(snap_status)s, %(snap_type)s, %(snap_bytes)s, now()
    FROM held WHERE %(snap_sha)s::bytea IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM article WHERE url_hash = %(url_hash)s)
    RETURNING id),
art AS (
    INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, authors,
        tags,
        language, summary, text, html, published_at, published_raw, published_from, modified_at,
        sort_at, word_count, reading_minutes, method, notes, text_sha256, snapshot_id, search)
    SELECT id, %(url_hash)s, %(source_id)s, %(tier)s, %(url)s, %(canonical_url)s, %(title)s,
        %(authors)s, %(tags)s, %(language)s, %(summary)s, %(text)s, %(html)s, %(published)s,
        %(published_raw)s, %(published_from)s, %(modified)s,
        least(coalesce(%(published)s::timestamptz, now()), now()), %(words)s, %(minutes)s,
        %(method)s, %(notes)s, %(text_sha256)s,
        coalesce((SELECT id FROM snap), %(snapshot_id)s),
        setweight(to_tsvector('{CONFIG}', %(search_title)s), 'A') ||
            to_tsvector('{CONFIG}', %(search_text)s)
    FROM held
    ON CONFLICT (url_hash) DO NOTHING
    RETURNING id, snapshot_id),
print AS (
    INSERT INTO article_fingerprint (article_id, version, shingles, signature, bands)
    SELECT id, %(fp_version)s, %(fp_shingles)s, %(fp_signature)s, %(fp_bands)s FROM art),
news AS (
    INSERT INTO outbox (topic, article_id, revision) SELECT '{TOPIC}', id, 1 FROM art)
UPDATE fetch_job j SET state = 'stored', reason = NULL, detail = '', finished_at = now(),
    fruitless = 0, article_id = art.id, snapshot_id = art.snapshot_id, from_snapshot = false,
    lease_owner = NULL, worker = NULL, lease_until = NULL
FROM art WHERE j.id = %(job)s
RETURNING art.id
"""  # noqa: S608 - constants of this module


class Store:
    """Where articles are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @traced("store")
    async def keep(
        self,
        job: FetchJob,
        settings: SourceSettings,
        content: ArticleContent,
        url_hash: bytes,
        snapshot: SnapshotRecord | None,
    ) -> Stored | None:
        """Store what an item became and end the item, in one transaction.

        Returns None when the lease was lost meanwhile: then nothing is written. A known
        address with another text gets a revision, with the same text nothing.
        """
        values = _values(job, settings, content, url_hash, snapshot)
        if job.article_id is None:
            async with self._database.connection() as conn:
                cursor = await conn.execute(_INSERT, values)
                row = await cursor.fetchone()
            if row is not None:
                return Stored(int(row[0]), 1, created=True, changed=True)
        async with self._database.transaction() as conn:
            if not await fenced(conn, job):
                return None
            return await _keep_again(conn, job, content, values)

    async def keep_as_it_is(self, job: FetchJob) -> bool:
        """End a second look that brought nothing: its article stays; False: lease lost."""
        assert job.article_id is not None, "a second look has an article"
        async with self._database.transaction() as conn:
            if not await fenced(conn, job):
                return False
            await _end(conn, job, job.article_id, changed=False)
        return True

    async def keep_snapshot(self, job: FetchJob, snapshot: SnapshotRecord) -> int | None:
        """Return the number of a snapshot kept for an item that became no article.

        None when the lease was lost meanwhile: then nothing is written.
        """
        async with self._database.connection() as conn:
            return await _insert_snapshot(conn, job, snapshot)

    async def snapshot(self, snapshot_id: int) -> SnapshotRecord | None:
        """Return a page as it was answered, None when it was thrown away."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT sha256, url, status, content_type, bytes FROM snapshot WHERE id = %s",
                (snapshot_id,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return SnapshotRecord(
            sha256=bytes(row[0]), url=row[1], status=row[2], content_type=row[3], size=row[4]
        )


def _values(
    job: FetchJob,
    settings: SourceSettings,
    content: ArticleContent,
    url_hash: bytes,
    snapshot: SnapshotRecord | None,
) -> dict[str, object]:
    mark = content.fingerprint
    assert mark is not None, "extraction always leaves a fingerprint"
    return {
        "job": job.id,
        "owner": job.lease_owner,
        "source_id": job.source_id,
        "snapshot_id": job.snapshot_id,
        "tier": settings.tier,
        "url_hash": url_hash,
        "url": content.url,
        "canonical_url": content.canonical_url,
        "title": content.title,
        "authors": list(content.authors),
        "tags": list(content.tags),
        "language": content.language,
        "summary": content.summary,
        "text": content.text,
        "html": content.html,
        "published": content.published,
        "published_raw": content.published_raw,
        "published_from": content.published_from,
        "modified": content.modified,
        "words": content.word_count,
        "minutes": content.reading_minutes,
        "method": content.method,
        "notes": list(content.notes),
        "text_sha256": mark.text_sha256,
        "search_title": search_document(content.title),
        "search_text": search_document(content.text),
        **_print_values(mark),
        "snap_sha": snapshot.sha256 if snapshot else None,
        "snap_url": snapshot.url if snapshot else None,
        "snap_status": snapshot.status if snapshot else None,
        "snap_type": snapshot.content_type if snapshot else None,
        "snap_bytes": snapshot.size if snapshot else None,
    }


def _print_values(mark: Fingerprint) -> dict[str, object]:
    return {
        "fp_version": mark.version,
        "fp_shingles": mark.shingles,
        "fp_signature": mark.signature,
        "fp_bands": list(mark.bands),
    }


async def _insert_snapshot(conn: Conn, job: FetchJob, snapshot: SnapshotRecord) -> int | None:
    cursor = await conn.execute(
        """
        INSERT INTO snapshot (job_id, sha256, url, status, content_type, bytes, fetched_at)
        SELECT id, %s, %s, %s, %s, %s, now() FROM fetch_job
        WHERE id = %s AND lease_owner = %s AND state = 'leased' RETURNING id
        """,
        (
            snapshot.sha256,
            snapshot.url,
            snapshot.status,
            snapshot.content_type,
            snapshot.size,
            job.id,
            job.lease_owner,
        ),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def _keep_again(
    conn: Conn, job: FetchJob, content: ArticleContent, values: dict[str, object]
) -> Stored | None:
    """Store under an address that is known: the item's own article, or one another item made."""
    cursor = await conn.execute(
        """
        SELECT id, revision, text_sha256, title, html FROM article
        WHERE id = %s OR url_hash = %s ORDER BY (id = %s) DESC NULLS LAST LIMIT 1 FOR UPDATE
        """,
        (job.article_id, values["url_hash"], job.article_id),
    )
    row = await cursor.fetchone()
    if row is None:
        # The article was removed between two looks: the item starts over as a new one.
        await conn.execute("UPDATE fetch_job SET article_id = NULL WHERE id = %s", (job.id,))
        cursor = await conn.execute(_INSERT, values)
        made = await cursor.fetchone()
        return Stored(int(made[0]), 1, created=True, changed=True) if made else None
    article_id, revision = int(row[0]), int(row[1])
    same = (bytes(row[2]), row[3], row[4]) == (
        values["text_sha256"],
        content.title,
        content.html,
    )
    if not same:
        revision += 1
        await _revise(conn, article_id, job, values)
    await _end(conn, job, article_id, changed=not same)
    return Stored(article_id, revision, created=False, changed=not same)


async def _revise(conn: Conn, article_id: int, job: FetchJob, values: dict[str, object]) -> None:
    """Put the old text among the revisions and the new one in its place."""
    snapshot_id = job.snapshot_id
    if values["snap_sha"] is not None:
        cursor = await conn.execute(
            """
            INSERT INTO snapshot (job_id, sha256, url, status, content_type, bytes, fetched_at)
            VALUES (%(job)s, %(snap_sha)s, %(snap_url)s, %(snap_status)s, %(snap_type)s,
                %(snap_bytes)s, now()) RETURNING id
            """,
            values,
        )
        row = await cursor.fetchone()
        snapshot_id = int(row[0]) if row else None
    await conn.execute(
        """
        INSERT INTO article_revision (article_id, number, title, text, html, text_sha256,
            snapshot_id, stored_at, cause)
        SELECT id, revision, title, text, html, text_sha256, snapshot_id,
            coalesce(updated_at, collected_at), %s
        FROM article WHERE id = %s
        """,
        ("edited" if job.snapshot_id is None else "reprocessed", article_id),
    )
    await conn.execute(
        f"""
        UPDATE article SET title = %(title)s, text = %(text)s, html = %(html)s,
            summary = %(summary)s, authors = %(authors)s, tags = %(tags)s,
            language = %(language)s, canonical_url = %(canonical_url)s,
            published_at = coalesce(%(published)s, published_at),
            published_raw = coalesce(nullif(%(published_raw)s, ''), published_raw),
            published_from = coalesce(%(published_from)s, published_from),
            modified_at = %(modified)s, word_count = %(words)s, reading_minutes = %(minutes)s,
            method = %(method)s, notes = %(notes)s, text_sha256 = %(text_sha256)s,
            snapshot_id = coalesce(%(new_snapshot)s, snapshot_id), revision = revision + 1,
            updated_at = now(),
            search = setweight(to_tsvector('{CONFIG}', %(search_title)s), 'A') ||
                to_tsvector('{CONFIG}', %(search_text)s)
        WHERE id = %(article)s
        """,  # noqa: S608 - a constant of this module
        {**values, "article": article_id, "new_snapshot": snapshot_id},
    )
    await conn.execute(
        """
        INSERT INTO article_fingerprint (article_id, version, shingles, signature, bands)
        VALUES (%(article)s, %(fp_version)s, %(fp_shingles)s, %(fp_signature)s, %(fp_bands)s)
        ON CONFLICT (article_id) DO UPDATE SET version = excluded.version,
            shingles = excluded.shingles, signature = excluded.signature, bands = excluded.bands
        """,
        {**values, "article": article_id},
    )
    await conn.execute(
        """
        INSERT INTO outbox (topic, article_id, revision)
        SELECT %s, id, revision FROM article WHERE id = %s
        """,
        (TOPIC, article_id),
    )


async def _end(conn: Conn, job: FetchJob, article_id: int, *, changed: bool) -> None:
    """End an item whose article stands: stored when it made it, else a duplicate of it."""
    await conn.execute(
        f"""
        UPDATE fetch_job j SET
            state = CASE WHEN a.job_id = j.id THEN 'stored' ELSE 'duplicate' END,
            alias = a.job_id <> j.id,
            fruitless = CASE WHEN %s THEN 0 ELSE {FRUITLESS} END,
            article_id = a.id, reason = NULL, detail = '', finished_at = now(),
            from_snapshot = false, lease_owner = NULL, worker = NULL, lease_until = NULL
        FROM article a WHERE a.id = %s AND j.id = %s
        """,  # noqa: S608 - a constant
        (changed, article_id, job.id),
    )
