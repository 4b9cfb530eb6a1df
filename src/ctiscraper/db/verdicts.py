"""What the team decided of values and domains: made, undone, and told to all that it covers."""

from dataclasses import dataclass
from enum import StrEnum

from psycopg import sql

from ctiscraper.db.entities import verdicts_of
from ctiscraper.db.entity_rows import VERDICT, to_verdict
from ctiscraper.db.mentions import apply_verdicts, await_writers, backwards, key_of
from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.rescoring import touch_namers
from ctiscraper.db.session import Conn, Database
from ctiscraper.entity_views import TeamVerdict, VerdictPage
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Verdict

LIMIT_MOST = 500
# So many things are told of a decision in one statement: a domain may have any number below it.
_BATCH = 5_000


class Scope(StrEnum):
    """How far a decision reaches."""

    VALUE = "value"
    DOMAIN = "domain"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict to be made.

    For the scope `domain` the value is a host name: it covers this and all below it. For
    `source` it covers the value where that source names it.
    """

    scope: Scope
    kind: str
    value: str
    verdict: Verdict
    reason: str = ""
    source_key: str | None = None


class Verdicts:
    """The team's decisions, which hold for all articles, past and future."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, decision: Decision, *, actor: str) -> TeamVerdict:
        """Return a decision as kept; one of the same scope and value before it is undone by it.

        Raises NotFoundError for an unknown source.
        """
        domain = decision.scope is Scope.DOMAIN
        value = backwards(decision.value.lower().strip(".")) if domain else decision.value
        kind = "domain" if domain else decision.kind
        async with self._database.transaction() as conn:
            await await_writers(conn)
            source_id = await _source_id(conn, decision)
            values = {
                "scope": decision.scope.value,
                "kind": kind,
                "value": value,
                "key": key_of("", value) if domain else key_of(kind, value),
                "source": source_id,
                "verdict": decision.verdict.value,
                "reason": decision.reason,
                "actor": actor,
            }
            await conn.execute(
                """
                UPDATE verdict SET undone_at = now(), undone_by = %(actor)s
                WHERE key = %(key)s AND scope = %(scope)s AND undone_at IS NULL
                    AND source_id IS NOT DISTINCT FROM %(source)s
                """,
                values,
            )
            cursor = await conn.execute(
                """
                INSERT INTO verdict (scope, kind, value, key, source_id, verdict, reason, actor)
                VALUES (%(scope)s, %(kind)s, %(value)s, %(key)s, %(source)s, %(verdict)s,
                    %(reason)s, %(actor)s) RETURNING id
                """,
                values,
            )
            row = await cursor.fetchone()
            assert row is not None, "an insert of one row returns one"
            made = await _one(conn, row[0])
            await _tell(conn, made)
            return made

    async def undo(self, verdict_id: int, *, actor: str) -> tuple[TeamVerdict, bool]:
        """Return a decision that holds no more, and whether it held until now.

        Undoing it twice changes nothing. Raises NotFoundError.
        """
        async with self._database.transaction() as conn:
            await await_writers(conn)
            cursor = await conn.execute(
                """
                UPDATE verdict SET undone_at = now(), undone_by = %s
                WHERE id = %s AND undone_at IS NULL
                """,
                (actor, verdict_id),
            )
            undone, held = await _one(conn, verdict_id), cursor.rowcount == 1
            if held:
                await _tell(conn, undone)
            return undone, held

    async def newest(self, *, limit: int = 100) -> tuple[TeamVerdict, ...]:
        """Return the latest decisions, undone ones too."""
        statement = VERDICT + sql.SQL("ORDER BY v.id DESC LIMIT %s")
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, (max(1, min(limit, LIMIT_MOST)),))
            return tuple(to_verdict(row) for row in await cursor.fetchall())

    async def page(
        self, *, cursor: str | None = None, limit: int = 50, standing: bool = False
    ) -> VerdictPage:
        """Return decisions, the latest first, or only those that hold. Raises CursorError."""
        limit = max(1, min(limit, LIMIT_MOST))
        after = None if cursor is None else from_cursor(cursor).id
        only = "AND v.undone_at IS NULL " if standing else ""
        statement = VERDICT + sql.SQL(
            f"WHERE (%(after)s::bigint IS NULL OR v.id < %(after)s) {only}"
            "ORDER BY v.id DESC LIMIT %(limit)s"
        )
        async with self._database.connection() as conn:
            found = await conn.execute(statement, {"after": after, "limit": limit + 1})
            verdicts = [to_verdict(row) for row in await found.fetchall()]
        more = len(verdicts) > limit
        last = verdicts[limit - 1] if more else None
        return VerdictPage(
            verdicts=tuple(verdicts[:limit]),
            next=to_cursor(Position(last.made_at, last.id)) if last else None,
        )

    async def of_entity(self, entity_id: int) -> tuple[TeamVerdict, ...]:
        """Return what was decided of a thing, or of a domain above it."""
        async with self._database.connection() as conn:
            return await verdicts_of(conn, entity_id)


async def _source_id(conn: Conn, decision: Decision) -> int | None:
    if decision.scope is not Scope.SOURCE:
        return None
    cursor = await conn.execute("SELECT id FROM source WHERE key = %s", (decision.source_key,))
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no source {decision.source_key!r}: name the source's key")
    return int(row[0])


async def _one(conn: Conn, verdict_id: int) -> TeamVerdict:
    cursor = await conn.execute(VERDICT + sql.SQL("WHERE v.id = %s"), (verdict_id,))
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no verdict number {verdict_id}")
    return to_verdict(row)


# Each along an index of its own; the labels of a host end before what follows a dot.
_COVERED = {
    Scope.VALUE: """
        SELECT e.id FROM verdict v JOIN entity e ON e.key = v.key
        WHERE v.id = %(verdict)s AND e.id > %(after)s ORDER BY e.id LIMIT %(limit)s
    """,
    Scope.DOMAIN: """
        SELECT e.id FROM entity e WHERE (e.host = %(host)s
            OR e.host >= %(host)s || '.' AND e.host < %(host)s || '/')
            AND e.id > %(after)s ORDER BY e.id LIMIT %(limit)s
    """,
}


async def _tell(conn: Conn, told: TeamVerdict) -> None:
    """Let all things that a decision covers have what holds of them now."""
    statement = _COVERED.get(Scope(told.scope))
    after = 0
    while statement is not None:
        host = backwards(told.value)
        values = {"verdict": told.id, "host": host, "after": after, "limit": _BATCH}
        # Planned for this host each time: a plan for any would walk all that there is.
        cursor = await conn.execute(statement, values, prepare=False)
        covered = [row[0] for row in await cursor.fetchall()]
        if covered:
            await touch_namers(conn, await apply_verdicts(conn, covered))
        if len(covered) < _BATCH:
            return
        after = covered[-1]
