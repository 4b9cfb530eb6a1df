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
                WITH jobs AS (SELECT state, count(*) AS n FROM fetch_job GROUP BY state),
                    folded AS (SELECT count(*) AS n FROM article a JOIN fetch_job j
                        ON j.id = a.job_id
                        WHERE a.duplicate_of IS NOT NULL AND j.state = 'stored')
                SELECT now(), count(*), count(*) FILTER (WHERE t.last_checked_at >= %s),
                    count(*) FILTER (WHERE t.health = 'ok'),
                    count(*) FILTER (WHERE t.health IN ('failing', 'blocked', 'gone')),
                    count(*) FILTER (WHERE t.health = 'offline'),
                    coalesce((SELECT n FROM jobs WHERE state = 'stored'), 0)
                        - (SELECT n FROM folded),
                    coalesce((SELECT n FROM jobs WHERE state = 'duplicate'), 0)
                        + (SELECT n FROM folded),
                    coalesce((SELECT n FROM jobs WHERE state = 'filtered'), 0),
                    coalesce((SELECT n FROM jobs WHERE state = 'failed'), 0),
                    coalesce((SELECT n FROM jobs WHERE state = 'dead'), 0),
                    coalesce((SELECT sum(n) FROM jobs
                        WHERE state IN ('pending', 'leased')), 0)::bigint,
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
