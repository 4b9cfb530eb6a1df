"""How far a collection is: counts for a display that is read every other second."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.db.session import Database
from ctiscraper.types import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of things; `checked` and `troubled` count sources since the display began."""

    at: datetime
    sources: int
    checked: int
    ok: int
    failing: int
    offline: int
    stored: int
    duplicate: int
    filtered: int
    failed: int
    dead: int
    pending: int
    workers: int

    @property
    def ended(self) -> int:
        """Items that need no more work."""
        return self.stored + self.duplicate + self.filtered + self.failed + self.dead


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSource:
    """How the last check of a source went."""

    key: str
    name: str
    health: Health
    reason: str | None
    detail: str


class ProgressBoard:
    """Counts over the whole installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """Return the database's clock."""
        async with self._database.connection() as conn:
            row = await (await conn.execute("SELECT now()")).fetchone()
        assert row is not None, "a query without FROM has one row"
        moment: datetime = row[0]
        return moment

    async def read(self, since: datetime) -> Progress:
        """Return the counts; checks count from `since` on."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                WITH jobs AS (SELECT state, alias, article_id IS NULL AS open, count(*) AS n
                        FROM fetch_job GROUP BY 1, 2, 3),
                    folded AS (SELECT count(*) AS n FROM article WHERE duplicate_of IS NOT NULL),
                    sums AS (SELECT
                        coalesce(sum(n) FILTER (WHERE NOT open AND NOT alias), 0) AS made,
                        coalesce(sum(n) FILTER (WHERE alias), 0) AS aliases,
                        coalesce(sum(n) FILTER (WHERE open AND state = 'filtered'), 0) AS filtered,
                        coalesce(sum(n) FILTER (WHERE open AND state = 'failed'), 0) AS failed,
                        coalesce(sum(n) FILTER (WHERE open AND state = 'dead'), 0) AS dead,
                        coalesce(sum(n) FILTER (WHERE open AND state IN ('pending', 'leased')), 0)
                            AS pending
                        FROM jobs)
                SELECT now(), count(*), count(*) FILTER (WHERE t.last_checked_at >= %s),
                    count(*) FILTER (WHERE t.health = 'ok'),
                    count(*) FILTER (WHERE t.health IN ('failing', 'blocked', 'gone')),
                    count(*) FILTER (WHERE t.health = 'offline'),
                    (SELECT made - folded.n FROM sums, folded)::bigint,
                    (SELECT aliases + folded.n FROM sums, folded)::bigint,
                    (SELECT filtered FROM sums)::bigint,
                    (SELECT failed FROM sums)::bigint,
                    (SELECT dead FROM sums)::bigint,
                    (SELECT pending FROM sums)::bigint,
                    (SELECT count(*) FROM worker_heartbeat
                        WHERE seen_at > now() - interval '5 minutes')
                FROM source s JOIN source_state t ON t.source_id = s.id
                WHERE s.removed_at IS NULL AND t.enabled
                """,
                (since,),
            )
            row = await cursor.fetchone()
        assert row is not None, "an aggregate has one row"
        return Progress(
            at=row[0],
            sources=row[1],
            checked=row[2],
            ok=row[3],
            failing=row[4],
            offline=row[5],
            stored=row[6],
            duplicate=row[7],
            filtered=row[8],
            failed=row[9],
            dead=row[10],
            pending=row[11],
            workers=row[12],
        )

    async def failed_since(
        self, since: datetime, *, key: str | None = None
    ) -> tuple[CheckedSource, ...]:
        """Return the sources whose last check, made after `since`, did not go well."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT s.key, s.name, t.health, t.reason, t.detail
                FROM source s JOIN source_state t ON t.source_id = s.id
                WHERE s.removed_at IS NULL AND t.last_checked_at >= %(since)s
                    AND t.health <> 'ok' AND (%(key)s::text IS NULL OR s.key = %(key)s)
                ORDER BY s.key
                """,
                {"since": since, "key": key},
            )
            return tuple(
                CheckedSource(
                    key=row[0], name=row[1], health=Health(row[2]), reason=row[3], detail=row[4]
                )
                for row in await cursor.fetchall()
            )
