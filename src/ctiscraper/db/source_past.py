"""The past of a source: its checks, its edits, and what was asked for it, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import NotFoundError
from ctiscraper.source_views import ChangePage, CheckPage, HostStanding, RequestPage, RequestRow
from ctiscraper.types import FeedEntry, RobotsRecord
from ctiscraper.views import ChangeRow, CheckRow, FieldChange

# The lists are ordered by number alone; their cursors carry no time.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST = 2**63 - 1
# An entry may hold its whole article; a source seldom announces so much.
_entry = msgspec.json.Decoder(FeedEntry)

_CHECKS = """
SELECT id, checked_at, status, reason, detail, announced, discovered, changed, unchanged,
    requests, wire_bytes
FROM source_check WHERE source_id = %s AND id < %s ORDER BY id DESC LIMIT %s
"""
_CHANGES = """
SELECT id, changed_at, actor, action, reason, before, after
FROM source_change WHERE source_key = %s AND id < %s ORDER BY id DESC LIMIT %s
"""
_REQUESTS = """
SELECT j.id, j.url, j.host, j.state, j.reason, j.detail, j.attempts, j.host_tries,
    j.discovered_at, j.finished_at, p.status, p.bytes, p.fetched_at, j.article_id
FROM fetch_job j LEFT JOIN snapshot p ON p.id = j.snapshot_id
WHERE j.source_id = %s AND j.id < %s ORDER BY j.id DESC LIMIT %s
"""
_RECENT = """
SELECT j.id, j.url, j.state, j.reason, j.entry::text, p.sha256, p.url, p.content_type,
    p.fetched_at, j.article_id
FROM fetch_job j LEFT JOIN snapshot p ON p.id = j.snapshot_id
WHERE j.source_id = %s AND j.url <> '' AND j.state IN ('stored', 'filtered', 'failed')
ORDER BY j.id DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """Where the bytes of a page are kept, and what its host said of them."""

    sha256: bytes
    url: str
    content_type: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentItem:
    """An item as its source announced it, how it ended, and its page if that is kept."""

    id: int
    url: str
    state: str
    reason: str | None
    entry: FeedEntry
    page: KeptPage | None
    article_id: int | None


class SourcePast:
    """The past of the sources of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def checks(self, key: str, *, cursor: str | None = None, limit: int = 50) -> CheckPage:
        """Return the checks of a source. Raises NotFoundError and CursorError."""
        async with self._database.connection() as conn:
            source_id = await _source_id(conn, key)
            rows = await _rows(conn, _CHECKS, (source_id, _before(cursor), limit + 1))
        checks = tuple(_check(row) for row in rows[:limit])
        return CheckPage(checks=checks, next=_next(rows, limit))

    async def changes(self, key: str, *, cursor: str | None = None, limit: int = 50) -> ChangePage:
        """Return the edits of a source. Raises NotFoundError and CursorError."""
        async with self._database.connection() as conn:
            await _source_id(conn, key)
            rows = await _rows(conn, _CHANGES, (key, _before(cursor), limit + 1))
        changes = tuple(_change(row) for row in rows[:limit])
        return ChangePage(changes=changes, next=_next(rows, limit))

    async def changes_since(self, key: str, version: int) -> tuple[ChangeRow, ...]:
        """Return what was changed after a version, the newest first, at most 50 edits."""
        async with self._database.connection() as conn:
            rows = await _rows(conn, _CHANGES, (key, _NEWEST, 50))
        return tuple(_change(row) for row in rows if row[0] > version)

    async def requests(
        self, key: str, *, cursor: str | None = None, limit: int = 50
    ) -> RequestPage:
        """Return what a source announced and what asking brought.

        Raises NotFoundError and CursorError.
        """
        async with self._database.connection() as conn:
            source_id = await _source_id(conn, key)
            rows = await _rows(conn, _REQUESTS, (source_id, _before(cursor), limit + 1))
        found = tuple(RequestRow(**dict(zip(_REQUEST, row, strict=True))) for row in rows[:limit])
        return RequestPage(requests=found, next=_next(rows, limit))

    async def recent(self, key: str, limit: int) -> tuple[RecentItem, ...]:
        """Return the newest items of a source that have ended. Raises NotFoundError."""
        async with self._database.connection() as conn:
            rows = await _rows(conn, _RECENT, (await _source_id(conn, key), limit))
        return tuple(_recent(row) for row in rows)

    async def host(self, host: str) -> HostStanding:
        """Return how a host is treated now."""
        async with self._database.connection() as conn:
            rows = await _rows(
                conn,
                """
                SELECT requests, nullif(next_allowed_at, '-infinity'),
                    CASE WHEN open_until > now() THEN open_until END, failures, reason, detail
                FROM host WHERE host = %s
                """,
                (host,),
            )
        row = rows[0] if rows else (0, None, None, 0, None, "")
        return HostStanding(
            host=host,
            requests=row[0],
            next_allowed_at=row[1],
            open_until=row[2],
            failures=row[3],
            reason=row[4],
            detail=row[5],
        )

    async def robots(self, origin: str) -> RobotsRecord | None:
        """Return the robots.txt of an origin as it was last read, None when it never was."""
        async with self._database.connection() as conn:
            rows = await _rows(
                conn,
                """
                SELECT origin, status, body, fetched_at, good_body, good_at
                FROM robots WHERE origin = %s
                """,
                (origin,),
            )
        if not rows:
            return None
        names = ("origin", "status", "body", "fetched_at", "good_body", "good_at")
        return RobotsRecord(**dict(zip(names, rows[0], strict=True)))

    async def collected(self, url_hashes: Sequence[bytes]) -> dict[str, int]:
        """Return how many of these addresses each source announced already, by its key."""
        async with self._database.connection() as conn:
            rows = await _rows(
                conn,
                """
                SELECT s.key, count(DISTINCT j.id)
                FROM fetch_job j JOIN sighting g ON g.job_id = j.id
                JOIN source s ON s.id = g.source_id
                WHERE j.url_hash = ANY(%s) AND s.removed_at IS NULL
                GROUP BY s.key ORDER BY count(DISTINCT j.id) DESC, s.key
                """,
                (list(url_hashes),),
            )
        return {str(row[0]): int(row[1]) for row in rows}


async def latest_checks(conn: Conn, source_id: int, limit: int) -> tuple[CheckRow, ...]:
    """Return the last checks of a source."""
    return tuple(_check(row) for row in await _rows(conn, _CHECKS, (source_id, _NEWEST, limit)))


async def latest_changes(conn: Conn, key: str, limit: int) -> tuple[ChangeRow, ...]:
    """Return the last edits of a source."""
    return tuple(_change(row) for row in await _rows(conn, _CHANGES, (key, _NEWEST, limit)))


async def _rows(conn: Conn, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    return await (await conn.execute(statement, values)).fetchall()


async def _source_id(conn: Conn, key: str) -> int:
    rows = await _rows(conn, "SELECT id FROM source WHERE key = %s", (key,))
    if not rows:
        raise NotFoundError(f"there is no source with the key '{key}'")
    return int(rows[0][0])


def _before(cursor: str | None) -> int:
    return _NEWEST if cursor is None else from_cursor(cursor).id


def _next(rows: Sequence[tuple[Any, ...]], limit: int) -> str | None:
    """Return the cursor of the page that follows; the first column is the number."""
    return to_cursor(Position(_NO_TIME, rows[limit - 1][0])) if len(rows) > limit else None


_CHECK = (
    "id", "checked_at", "status", "reason", "detail", "announced", "discovered", "changed",
    "unchanged", "requests", "wire_bytes",
)  # fmt: skip
_REQUEST = (
    "id", "url", "host", "state", "reason", "detail", "attempts", "host_tries", "announced_at",
    "ended_at", "status", "bytes", "fetched_at", "article_id",
)  # fmt: skip


def _check(row: tuple[Any, ...]) -> CheckRow:
    return CheckRow(**dict(zip(_CHECK, row, strict=True)))


def _change(row: tuple[Any, ...]) -> ChangeRow:
    return ChangeRow(
        id=row[0],
        changed_at=row[1],
        actor=row[2],
        action=row[3],
        reason=row[4],
        fields=_fields(row[5], row[6]),
    )


def _recent(row: tuple[Any, ...]) -> RecentItem:
    page = None
    if row[5] is not None:
        page = KeptPage(sha256=bytes(row[5]), url=row[6], content_type=row[7], fetched_at=row[8])
    return RecentItem(
        id=row[0],
        url=row[1],
        state=row[2],
        reason=row[3],
        entry=_entry.decode(row[4]),
        page=page,
        article_id=row[9],
    )


def _fields(
    before: dict[str, object] | None, after: dict[str, object] | None
) -> tuple[FieldChange, ...]:
    """Return the settings that an edit changed; none when the source came or went."""
    if before is None or after is None:
        return ()
    return tuple(
        FieldChange(field=name, before=_plain(before.get(name)), after=_plain(after.get(name)))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
