"""Sources, their past and the accounts, as they are shown."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from psycopg import sql

from ctiscraper.db.fence import words_of_move
from ctiscraper.db.server import schema_wanted
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.source_past import latest_changes, latest_checks
from ctiscraper.errors import NotFoundError
from ctiscraper.operations import Obstacle
from ctiscraper.types import Accounting, Health, SourceSettings
from ctiscraper.views import (
    AccountingReport,
    Pulse,
    RobotsDecision,
    SourceAccounting,
    SourceDetail,
    SourceOverview,
    SourceRef,
    StorageTrouble,
)

CHECKS_SHOWN = 50
CHANGES_SHOWN = 20

_settings = msgspec.json.Decoder(SourceSettings)

_OVERVIEW = sql.SQL(
    """
    SELECT s.key, s.name, s.settings->>'url', s.settings->>'feed_url', s.tier, s.active,
        t.health, t.reason, t.detail, t.failures, t.items_per_day, t.next_check_at,
        t.last_checked_at, t.last_success_at,
        CASE WHEN h.open_until > now() THEN h.open_until END,
        s.id, s.settings::text, t.moved_to, t.moved_count, s.removed_at
    FROM source s
    JOIN source_state t ON t.source_id = s.id
    LEFT JOIN host h ON h.host = t.host
    WHERE {}
    """
)
_SHOWN = sql.SQL(
    "s.removed_at IS NULL ORDER BY array_position('{{premium,standard,basic}}'::text[], s.tier), "
    "lower(s.name), s.key"
).format()
_ONE = sql.SQL("s.key = %(key)s")
_ACCOUNTS = "discovered, stored, duplicate, filtered, failed, dead, pending"


class Overview:
    """What is known of the sources and of the whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sources(self) -> tuple[SourceOverview, ...]:
        """Return every source in use, premium first, then by name."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_OVERVIEW.format(_SHOWN))
            return tuple(_overview(row) for row in await cursor.fetchall())

    async def source(self, key: str) -> SourceDetail:
        """Return one source with its past, a removed one too. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(_OVERVIEW.format(_ONE), {"key": key})
            row = await cursor.fetchone()
            if row is None:
                raise NotFoundError(f"there is no source with the key '{key}'")
            settings = _settings.decode(row[16])
            changes = await latest_changes(conn, key, CHANGES_SHOWN)
            return SourceDetail(
                overview=_overview(row),
                settings=settings,
                moved_to=row[17],
                moved_count=row[18],
                removed_at=row[19],
                checks=await latest_checks(conn, row[15], CHECKS_SHOWN),
                changes=changes,
                version=changes[0].id if changes else 0,
                robots=await _robots(conn, settings.feed_url or settings.url),
                accounting=await _account(conn, row[15]),
            )

    async def accounting(self) -> AccountingReport:
        """Return the invariant for every source, removed ones included, and in all."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT s.key, s.name, s.removed_at IS NOT NULL, a.discovered, a.stored,
                    a.duplicate, a.filtered, a.failed, a.dead, a.pending
                FROM accounting a JOIN source s ON s.id = a.source_id
                ORDER BY lower(s.name), s.key
                """
            )
            rows = await cursor.fetchall()
        sources = tuple(
            SourceAccounting(
                source=SourceRef(key=row[0], name=row[1]),
                removed=row[2],
                accounting=_accounting(row[3:]),
            )
            for row in rows
        )
        total = _accounting(tuple(sum(row[i] for row in rows) for i in range(3, 10)))
        return AccountingReport(total=total, sources=sources)

    async def pulse(self) -> Pulse:
        """Return what every page says of the whole."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT count(*),
                    count(*) FILTER (WHERE t.health IN ('failing', 'blocked', 'gone')),
                    count(*) FILTER (WHERE t.health = 'offline'),
                    (SELECT count(*) FROM
                        (SELECT 1 FROM fetch_job WHERE state = 'dead' LIMIT 1000) d),
                    EXISTS (SELECT 1 FROM fetch_job WHERE state = 'pending')
                        OR EXISTS (SELECT 1 FROM fetch_job WHERE state = 'leased'),
                    EXISTS (SELECT 1 FROM article)
                FROM source s JOIN source_state t ON t.source_id = s.id
                WHERE s.removed_at IS NULL
                """
            )
            row = await cursor.fetchone()
        assert row is not None
        return Pulse(
            sources=row[0],
            troubled=row[1],
            offline=row[2],
            dead=row[3],
            pending=row[4],
            articles=row[5],
        )

    async def obstacle(self) -> Obstacle | None:
        """Return what keeps an answering database from being worked with, None when nothing."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT current_setting('transaction_read_only') = 'on',
                    to_regclass('alembic_version') IS NOT NULL
                """
            )
            row = await cursor.fetchone()
            assert row is not None
            if row[0]:
                return Obstacle(part="database", cause="the database is read-only")
            if (moved := await words_of_move(conn)) is not None:
                return Obstacle(part="database", cause=moved)
            revision = None
            if row[1]:
                cursor = await conn.execute("SELECT version_num FROM alembic_version")
                found = await cursor.fetchone()
                revision = found[0] if found else None
        if revision is None or revision < schema_wanted():
            cause = f"the schema is {revision or 'empty'}, {schema_wanted()} is needed"
            return Obstacle(part="migrations", cause=cause)
        return None

    async def storage_trouble(self) -> StorageTrouble | None:
        """Return what waits since our own database or disk failed, None when nothing does."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT count(*), (array_agg(detail ORDER BY run_after DESC))[1] FROM fetch_job
                WHERE state = 'pending' AND reason IN ('database', 'storage')
                """
            )
            row = await cursor.fetchone()
        assert row is not None, "an aggregate has one row"
        return StorageTrouble(items=row[0], detail=row[1]) if row[0] else None


def _overview(row: tuple[Any, ...]) -> SourceOverview:
    return SourceOverview(
        key=row[0],
        name=row[1],
        url=row[2],
        feed_url=row[3],
        tier=row[4],
        active=row[5],
        health=Health(row[6]),
        reason=row[7],
        detail=row[8],
        failures=row[9],
        items_per_day=row[10],
        next_check_at=row[11],
        last_checked_at=row[12],
        last_success_at=row[13],
        paused_until=row[14],
    )


def _accounting(row: tuple[Any, ...]) -> Accounting:
    return Accounting(
        discovered=row[0],
        stored=row[1],
        duplicate=row[2],
        filtered=row[3],
        failed=row[4],
        dead=row[5],
        pending=row[6],
    )


async def _account(conn: Conn, source_id: int) -> Accounting:
    cursor = await conn.execute(
        f"SELECT {_ACCOUNTS} FROM accounting WHERE source_id = %s",  # noqa: S608 - a constant
        (source_id,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return _accounting(row)


async def _robots(conn: Conn, url: str) -> RobotsDecision | None:
    parts = urlsplit(url)
    cursor = await conn.execute(
        """
        SELECT origin, status, fetched_at, coalesce(body, '') <> '', good_at
        FROM robots WHERE origin = %s
        """,
        (f"{parts.scheme}://{parts.netloc}".lower(),),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return RobotsDecision(
        origin=row[0], status=row[1], fetched_at=row[2], has_rules=row[3], good_at=row[4]
    )
