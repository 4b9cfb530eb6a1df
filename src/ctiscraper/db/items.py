"""Items that ended without an article, as they are shown: dead, failed, filtered, duplicate."""

from datetime import UTC, datetime

from psycopg import sql

from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Database
from ctiscraper.views import QueueItem, QueuePage, ReasonCount, SourceRef

STATES = ("dead", "failed", "filtered", "duplicate")
REASONS_OVER = 10_000

# The list is ordered by number alone; its cursors carry no time.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_NARROW = {
    "source": sql.SQL("j.source_id = (SELECT id FROM source WHERE key = %(source)s)"),
    "reason": sql.SQL("j.reason = %(reason)s"),
    "before": sql.SQL("j.id < %(before)s"),
}


class Items:
    """The ended items of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        state: str,
        *,
        source: str | None = None,
        reason: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> QueuePage:
        """Return the items in a state, newest first. Raises CursorError."""
        values: dict[str, object] = {"state": state, "limit": limit + 1}
        values |= {"source": source} if source is not None else {}
        values |= {"reason": reason} if reason is not None else {}
        values |= {"before": from_cursor(cursor).id} if cursor is not None else {}
        narrow = [sql.SQL("j.state = %(state)s"), *(_NARROW[n] for n in _NARROW if n in values)]
        statement = sql.SQL(
            """
            SELECT j.id, j.state, j.url, left(coalesce(j.entry->>'title', ''), 500),
                left(coalesce(nullif(j.entry->>'summary', ''), j.entry->>'content', ''), 600),
                s.key, s.name, j.reason, j.detail, j.attempts, j.discovered_at, j.finished_at,
                j.snapshot_id IS NOT NULL
            FROM fetch_job j JOIN source s ON s.id = j.source_id
            WHERE {} ORDER BY j.id DESC LIMIT %(limit)s
            """
        ).format(sql.SQL(" AND ").join(narrow))
        async with self._database.connection() as conn:
            rows = await (await conn.execute(statement, values)).fetchall()
        items = tuple(
            QueueItem(
                id=row[0],
                state=row[1],
                url=row[2],
                title=row[3],
                sample=row[4],
                source=SourceRef(key=row[5], name=row[6]),
                reason=row[7],
                detail=row[8],
                attempts=row[9],
                discovered_at=row[10],
                finished_at=row[11],
                has_snapshot=row[12],
            )
            for row in rows[:limit]
        )
        more = len(rows) > limit
        return QueuePage(
            items=items, next=to_cursor(Position(_NO_TIME, items[-1].id)) if more else None
        )

    async def numbers(self, state: str, source: str | None, reason: str | None) -> list[int]:
        """Return the numbers of all items in a state, for something to be done with them."""
        values = {"state": state, "source": source, "reason": reason}
        given = [_NARROW[name] for name in ("source", "reason") if values[name] is not None]
        statement = sql.SQL("SELECT j.id FROM fetch_job j WHERE {} ORDER BY j.id").format(
            sql.SQL(" AND ").join([sql.SQL("j.state = %(state)s"), *given])
        )
        async with self._database.connection() as conn:
            return [row[0] for row in await (await conn.execute(statement, values)).fetchall()]

    async def counted(self, state: str, source: str | None, reason: str | None) -> int:
        """Return how many items are in a state, counted up to `REASONS_OVER`."""
        values: dict[str, object] = {"state": state, "most": REASONS_OVER}
        values |= {"source": source} if source is not None else {}
        values |= {"reason": reason} if reason is not None else {}
        given = [_NARROW[name] for name in ("source", "reason") if name in values]
        statement = sql.SQL(
            "SELECT count(*) FROM (SELECT 1 FROM fetch_job j WHERE {} LIMIT %(most)s) counted"
        ).format(sql.SQL(" AND ").join([sql.SQL("j.state = %(state)s"), *given]))
        async with self._database.connection() as conn:
            row = await (await conn.execute(statement, values)).fetchone()
        assert row is not None, "a count is one row"
        return int(row[0])

    async def reasons(self, state: str) -> tuple[ReasonCount, ...]:
        """Return the causes of the newest ended items in a state, the most frequent first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT reason, count(*) FROM (
                    SELECT reason FROM fetch_job WHERE state = %s ORDER BY id DESC LIMIT %s
                ) newest GROUP BY reason ORDER BY count(*) DESC, reason
                """,
                (state, REASONS_OVER),
            )
            return tuple(
                ReasonCount(reason=row[0], count=row[1]) for row in await cursor.fetchall()
            )
