"""The audit log: who did what to what, each entry bound to the one before it by its hash."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC
from hashlib import sha256
from typing import Any

import msgspec
from psycopg import sql

from ctiscraper.audit_views import Actor, AuditEntry, AuditPage, AuditQuery, ChainReport, Deed
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import CursorError
from ctiscraper.redaction import Plain, redact

LIMIT_MOST = 200
# The hash that the first entry follows.
START = bytes(32)
_TEXT_MOST = 300
_CHANGES_MOST = 4_000
_VALUE_MOST = 300
_BATCH = 1_000
# Numbers of so many fit the database's.
_DIGITS_MOST = len(str(2**63)) - 1
_STRANGE = "\N{REPLACEMENT CHARACTER}"


_COLUMNS = """
    id, at, actor_kind, actor_id, actor_token, actor_name, action, object_kind, object_id,
    coalesce(encode(before_hash, 'hex'), ''), coalesce(encode(after_hash, 'hex'), ''),
    changes::text, ip, request_id, encode(previous_hash, 'hex'), encode(hash, 'hex')
"""
# Whoever is called by another name since, or was, is found by his login all the same.
_BY_NAME = """
    (lower(actor_name) = lower(%(actor)s)
        OR actor_id = (SELECT id FROM app_user WHERE login = lower(%(actor)s)))
"""
_BY_USER = "actor_id = %(actor)s"
_BY_TOKEN = "actor_token = %(actor)s AND actor_token <> ''"  # noqa: S105 - a condition
_CONDITIONS = {
    "action": "(action = %(action)s OR starts_with(action, %(action)s || '.'))",
    "object_kind": "object_kind = %(object_kind)s",
    "object_id": "object_id = %(object_id)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
}


class Audit:
    """The log; entries are added and read, never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, actor: Actor, deed: Deed, *, conn: Conn | None = None) -> int:
        """Return the number of the new entry, in the transaction of `conn` or by itself.

        As the last thing of a transaction: until it ends no other can add an entry.
        """
        async with self._in(conn) as inside:
            cursor = await inside.execute(
                """
                INSERT INTO audit_entry (actor_kind, actor_id, actor_token, actor_name, action,
                    object_kind, object_id, before_hash, after_hash, changes, ip, request_id)
                VALUES (%(kind)s, %(user)s, %(token)s, %(name)s, %(action)s, %(object_kind)s,
                    %(object_id)s, %(before)s, %(after)s, %(changes)s::json, %(ip)s, %(request)s)
                RETURNING id
                """,
                {
                    "kind": actor.kind.value,
                    "user": actor.user_id,
                    "token": clean(actor.token_id),
                    "name": clean(actor.name),
                    "action": clean(deed.action),
                    "object_kind": clean(deed.object_kind),
                    "object_id": clean(deed.object_id),
                    "before": _hash_of(deed.before),
                    "after": _hash_of(deed.after),
                    "changes": changes_of(deed),
                    "ip": clean(actor.ip),
                    "request": clean(actor.request_id),
                },
            )
            row = await cursor.fetchone()
        assert row is not None, "an insert of one row returns one"
        return int(row[0])

    async def page(
        self, query: AuditQuery, *, cursor: str | None = None, limit: int = 50
    ) -> AuditPage:
        """Return entries, the latest first. Raises CursorError."""
        limit = max(1, min(limit, LIMIT_MOST))
        values = {
            name: getattr(query, name) for name in _CONDITIONS if getattr(query, name) is not None
        }
        conditions = [_CONDITIONS[name] for name in values]
        if query.actor is not None:
            condition, values["actor"] = _by(query.actor)
            conditions.append(condition)
        if cursor is not None:
            values["below"] = _number(cursor)
            conditions.append("id < %(below)s")
        statement = sql.SQL(
            f"SELECT {_COLUMNS} FROM audit_entry WHERE {' AND '.join(conditions) or 'true'} "  # noqa: S608 - constants
            "ORDER BY id DESC LIMIT %(limit)s"
        )
        async with self._database.connection() as conn:
            found = await conn.execute(statement, {**values, "limit": limit + 1})
            entries = [_entry(row) for row in await found.fetchall()]
        more = len(entries) > limit
        return AuditPage(
            entries=tuple(entries[:limit]), next=str(entries[limit - 1].id) if more else None
        )

    async def actions(self) -> tuple[str, ...]:
        """Return every action there is an entry of."""
        # One step of the index for each, however many entries there are.
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                WITH RECURSIVE known (action) AS (
                    (SELECT action FROM audit_entry ORDER BY action LIMIT 1)
                    UNION ALL
                    SELECT (SELECT e.action FROM audit_entry e WHERE e.action > k.action
                        ORDER BY e.action LIMIT 1) FROM known k WHERE k.action IS NOT NULL
                )
                SELECT action FROM known WHERE action IS NOT NULL
                """
            )
            return tuple(str(row[0]) for row in await cursor.fetchall())

    async def verify(self, *, known: Mapping[int, str] | None = None) -> ChainReport:
        """Return whether every entry is as it was written, and follows the one before it.

        `known` has the hashes that entries had when somebody looked before: only he can tell
        that the chain was made anew, or that its end was cut off.
        """
        last, last_hash = 0, START.hex()
        awaited = dict(known or {})
        async for entry in self._all():
            fault = _fault(entry, last, last_hash, awaited.pop(entry.id, None))
            if fault:
                return _report(last, last_hash, broken=entry.id, fault=fault)
            last, last_hash = entry.id, entry.hash
        if awaited:
            missing = min(awaited)
            return _report(last, last_hash, broken=missing, fault="the entry is not there any more")
        return _report(last, last_hash)

    async def _all(self) -> AsyncIterator[AuditEntry]:
        """Yield every entry, the oldest first."""
        statement = sql.SQL(
            f"SELECT {_COLUMNS} FROM audit_entry WHERE id > %s ORDER BY id LIMIT %s"  # noqa: S608 - constants
        )
        last = -1
        while True:
            async with self._database.connection() as conn:
                found = await (await conn.execute(statement, (last, _BATCH))).fetchall()
            for row in found:
                yield _entry(row)
            if len(found) < _BATCH:
                return
            last = found[-1][0]

    @asynccontextmanager
    async def _in(self, conn: Conn | None) -> AsyncIterator[Conn]:
        if conn is not None:
            yield conn
            return
        async with self._database.transaction() as own:
            yield own


def clean(text: str) -> str:
    """Return a text on one line that moves no cursor, short enough to be kept."""
    return "".join(c if c.isprintable() else _STRANGE for c in text[:_TEXT_MOST])


def hash_of_entry(entry: AuditEntry) -> str:
    """Return what the hash of an entry has to be: of its fields, a line each."""
    fields = (
        entry.previous_hash,
        str(entry.id),
        entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        entry.actor_kind,
        "" if entry.actor_id is None else str(entry.actor_id),
        *(entry.actor_token, entry.actor_name, entry.action, entry.object_kind, entry.object_id),
        *(entry.before_hash, entry.after_hash, entry.changes, entry.ip, entry.request_id),
    )
    return sha256("\n".join(fields).encode()).hexdigest()


def changes_of(deed: Deed) -> str:
    """Return what changed as JSON: [before, after] by name, then the detail; without secrets."""
    before, after = deed.before or {}, deed.after or {}
    changed: dict[str, object] = {
        name: [_short(name, before.get(name)), _short(name, after.get(name))]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }
    changed |= {name: _short(name, value) for name, value in deed.detail.items()}
    return _within(changed)


def _within(changed: dict[str, object]) -> str:
    """Return JSON that is short enough: what does not fit any more is counted."""
    left_out = 0
    while True:
        told = {**changed, **({"left_out": left_out} if left_out else {})}
        # Ascii, so that nothing in it can be mistaken for the end of a line.
        document = _ascii(msgspec.json.encode(told).decode())
        if len(document) <= _CHANGES_MOST or not changed:
            return document
        changed.popitem()
        left_out += 1


def _ascii(document: str) -> str:
    """Return JSON with every character beyond printable ASCII escaped."""
    if document.isascii() and document.isprintable():
        return document
    return "".join(
        c
        if c.isascii() and c.isprintable()
        else "".join(
            f"\\u{int.from_bytes(pair, 'big'):04x}"
            for pair in _pairs(c.encode("utf-16-be", "surrogatepass"))
        )
        for c in document
    )


def _pairs(data: bytes) -> list[bytes]:
    return [data[at : at + 2] for at in range(0, len(data), 2)]


def _short(name: str, value: object) -> Plain:
    """Return a value without secrets, cut where it is long."""
    plain = msgspec.to_builtins(value)
    shown = redact({name: plain})
    assert isinstance(shown, dict), "made of a mapping"
    found = next(iter(shown.values()))
    return found[:_VALUE_MOST] if isinstance(found, str) else found


def _hash_of(state: Mapping[str, object] | None) -> bytes | None:
    if state is None:
        return None
    return sha256(msgspec.json.encode(state, order="deterministic")).digest()


def _by(actor: str) -> tuple[str, int | str]:
    """Return the condition that an actor gives, and what it asks for."""
    kind, _, number = actor.partition(":")
    if kind == "user" and number.isdecimal() and number.isascii() and len(number) <= _DIGITS_MOST:
        return _BY_USER, int(number)
    return (_BY_TOKEN, number) if kind == "token" and number else (_BY_NAME, actor)


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    return AuditEntry(**dict(zip(AuditEntry.__dataclass_fields__, row, strict=True)))


def _number(cursor: str) -> int:
    if not cursor.isdecimal() or not cursor.isascii() or len(cursor) > _DIGITS_MOST:
        raise CursorError("the cursor is not one that this list gave; start at the top")
    return int(cursor)


def _fault(entry: AuditEntry, last: int, last_hash: str, known: str | None) -> str:
    """Return why an entry does not fit behind the one before it, nothing when it does."""
    if entry.id != last + 1:
        return f"the entry before it is missing: {last} comes first"
    if entry.previous_hash != last_hash:
        return "it was not written behind the entry before it"
    if entry.hash != hash_of_entry(entry):
        return "it is not as it was written"
    if known is not None and known.lower() != entry.hash:
        return "it is not the entry that was here before: the chain was made anew"
    return ""


def _report(
    last: int, last_hash: str, *, broken: int | None = None, fault: str = ""
) -> ChainReport:
    return ChainReport(entries=last, last_id=last, last_hash=last_hash, broken=broken, fault=fault)
