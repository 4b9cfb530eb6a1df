"""What came of looking through articles: by what, what it changed, and what failed."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from ctiscraper.db.enrichments import STAGE
from ctiscraper.db.entity_rows import COLUMNS, to_entity
from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Database
from ctiscraper.entity_views import (
    EnrichmentRecord,
    EntitySummary,
    FailedEnrichment,
    FailedPage,
)
from ctiscraper.views import SourceRef

LIMIT_MOST = 200


class EnrichmentRecords:
    """The records of a stage that has done its work, or could not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_article(
        self, article_id: int, *, most_named: int | None = None
    ) -> EnrichmentRecord | None:
        """Return what came of the last look at an article, None before there was one.

        Of what it changed the first `most_named` are told, all of them without it.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT revision, made_at, result FROM analysis
                WHERE article_id = %s AND stage = %s ORDER BY revision DESC, version DESC LIMIT 1
                """,
                (article_id, STAGE),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            result: dict[str, Any] = row[2]
            added, removed = result.get("added", []), result.get("removed", [])
            told = [*added[:most_named], *removed[:most_named]]
            statement = sql.SQL("SELECT {} FROM entity e WHERE e.id = ANY(%s)").format(COLUMNS)
            cursor = await conn.execute(statement, (told,))
            things = {one[0]: to_entity(one) for one in await cursor.fetchall()}
        return EnrichmentRecord(
            revision=row[0],
            made_at=row[1],
            versions=result.get("versions", {}),
            notes=tuple(result.get("notes", ())),
            failure=result.get("failure", ""),
            added=_of(added[:most_named], things),
            added_count=len(added),
            removed=_of(removed[:most_named], things),
            removed_count=len(removed),
        )

    async def failures(self, *, cursor: str | None = None, limit: int = 50) -> FailedPage:
        """Return the articles that could not be looked through, the latest first.

        Raises CursorError.
        """
        limit = max(1, min(limit, LIMIT_MOST))
        after = None if cursor is None else from_cursor(cursor)
        async with self._database.connection() as conn:
            found = await conn.execute(
                """
                SELECT f.article_id, a.title, s.key, s.name, f.revision, f.failure, f.failed_at
                FROM enrichment_failure f JOIN article a ON a.id = f.article_id
                JOIN source s ON s.id = a.source_id
                WHERE %(id)s::bigint IS NULL OR (f.failed_at, f.article_id) < (%(at)s, %(id)s)
                ORDER BY f.failed_at DESC, f.article_id DESC LIMIT %(limit)s
                """,
                {
                    "id": after.id if after else None,
                    "at": after.at if after else None,
                    "limit": limit + 1,
                },
            )
            failures = [
                FailedEnrichment(
                    article=row[0],
                    title=row[1],
                    source=SourceRef(key=row[2], name=row[3]),
                    revision=row[4],
                    failure=row[5],
                    failed_at=row[6],
                )
                for row in await found.fetchall()
            ]
        more = len(failures) > limit
        last = failures[limit - 1] if more else None
        return FailedPage(
            failures=tuple(failures[:limit]),
            next=to_cursor(Position(last.failed_at, last.article)) if last else None,
        )

    async def retry(self, article_ids: Sequence[int] | None = None) -> int:
        """Have articles looked through again that could not be; return how many.

        Without numbers all of them.
        """
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                """
                WITH again AS (
                    DELETE FROM enrichment_failure
                    WHERE %(ids)s::bigint[] IS NULL OR article_id = ANY(%(ids)s)
                    RETURNING article_id
                )
                INSERT INTO enrichment_job AS j (article_id, revision)
                SELECT a.id, a.revision FROM again JOIN article a ON a.id = again.article_id
                ON CONFLICT (article_id) DO UPDATE SET extractors = NULL, claim = NULL,
                    claimed_until = NULL, attempts = 0
                """,
                {"ids": None if article_ids is None else list(article_ids)},
            )
        return cursor.rowcount


def _of(ids: Sequence[int], things: dict[int, EntitySummary]) -> tuple[EntitySummary, ...]:
    return tuple(things[one] for one in ids if one in things)
