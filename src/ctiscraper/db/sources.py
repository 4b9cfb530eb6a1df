"""Sources: their settings, their changes, and where their checks stand."""

from dataclasses import dataclass

import msgspec

from ctiscraper.db.hosts import RANK, rank_again, wake
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, NotFoundError, StaleError
from ctiscraper.types import Health, Source, SourceSettings, Validators, host_of

_COLUMNS = """
    s.id, s.settings::text, t.etag, t.last_modified, t.body_sha256, t.health, t.reason, t.detail,
    t.failures, t.items_per_day, t.next_check_at, t.last_checked_at, t.last_success_at,
    t.moved_to, t.moved_count, t.note, t.lease_owner
"""
_settings = msgspec.json.Decoder(SourceSettings)


def checked_url(settings: SourceSettings) -> str:
    """Return the address that a check of a source asks."""
    return settings.feed_url or settings.url


class Sources:
    """The sources of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, settings: SourceSettings, *, actor: str, reason: str = "") -> Source:
        """Return a new source, due at once.

        Raises ConflictError when its key is taken; a removed source comes back with its past.
        """
        async with self._database.transaction() as conn:
            source_id = await _insert(conn, settings)
            if source_id is None:
                raise ConflictError(
                    f"a source with the key '{settings.key}' exists already; choose another key"
                )
            await _record(conn, settings.key, _Change(actor, "add", reason), None, settings)
        return await self.get(settings.key)

    async def seed(self, catalog: tuple[SourceSettings, ...]) -> int:
        """Add the catalogue's sources that were never here; return how many."""
        added = 0
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT key FROM source")
            known = {row[0] for row in await cursor.fetchall()}
            for settings in catalog:
                if settings.key not in known and await _insert(conn, settings) is not None:
                    await _record(
                        conn, settings.key, _Change("catalogue", "add", ""), None, settings
                    )
                    added += 1
        return added

    async def update(
        self,
        key: str,
        settings: SourceSettings,
        *,
        actor: str,
        reason: str = "",
        same_feed: bool = False,
        expected: int | SourceSettings | None = None,
    ) -> Source:
        """Return the source with new settings, due at once; what it collected stays.

        What it announces is read whole then, however little of it changed: by other settings it
        may say something else. With `same_feed` a new address is that of the feed just read: its
        validators and its next check stand. With `expected`, a version or what stood then,
        nothing is written over another's change. Raises NotFoundError, and StaleError when the
        source has another version by now.
        """
        async with self._database.transaction() as conn:
            before = await _held(conn, key, expected)
            moved = checked_url(before) != checked_url(settings) and not same_feed
            await conn.execute(
                "UPDATE source SET settings = %s WHERE key = %s AND removed_at IS NULL",
                (_document(settings), key),
            )
            await conn.execute(
                """
                UPDATE source_state t SET host = %(host)s, enabled = %(active)s,
                    health = CASE WHEN NOT %(active)s THEN 'paused'
                        WHEN health IN ('paused', 'gone') OR %(moved)s THEN 'new'
                        ELSE health END,
                    next_check_at = CASE WHEN %(same_feed)s THEN next_check_at ELSE now() END,
                    failures = 0, tries = 0, lease_owner = NULL,
                    etag = CASE WHEN %(same_feed)s THEN etag END,
                    last_modified = CASE WHEN %(same_feed)s THEN last_modified END,
                    body_sha256 = CASE WHEN %(same_feed)s THEN body_sha256 END,
                    moved_to = NULL, moved_count = 0
                FROM source s WHERE s.id = t.source_id AND s.key = %(key)s
                """,
                {
                    "key": key,
                    "host": host_of(checked_url(settings)),
                    "active": settings.active,
                    "moved": moved,
                    "same_feed": same_feed,
                },
            )
            if before.tier != settings.tier:
                await conn.execute(
                    """
                    UPDATE article SET tier = %s
                    WHERE source_id = (SELECT id FROM source WHERE key = %s)
                    """,
                    (settings.tier, key),
                )
                await rank_again(conn, key, settings.tier)
            await wake(conn, [host_of(checked_url(settings))], RANK[settings.tier])
            await _record(conn, key, _Change(actor, "update", reason), before, settings)
        return await self.get(key)

    async def undo(
        self, key: str, *, actor: str, reason: str = "", expected: int | None = None
    ) -> Source:
        """Return the source with the settings that it had before its last change.

        To undo that again brings the change back. Raises NotFoundError, ConflictError when its
        last change was no edit, and StaleError when the source has another version by now.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT id, action, before::text FROM source_change
                WHERE source_key = %s ORDER BY id DESC LIMIT 1
                """,
                (key,),
            )
            row = await cursor.fetchone()
        if row is None or row[1] != "update" or row[2] is None:
            await self.get(key)
            raise ConflictError(
                f"the last change of the source '{key}' was no edit, so there is nothing to undo"
            )
        last = int(row[0])
        if expected is not None and expected != last:
            raise _stale(key, expected)
        return await self.update(
            key,
            _settings.decode(row[2]),
            actor=actor,
            reason=reason or "undo of the change before",
            expected=last,
        )

    async def version(self, key: str) -> int:
        """Return the version of a source's settings: the number of their last change."""
        async with self._database.connection() as conn:
            return await _version(conn, key)

    async def remove(self, key: str, *, actor: str, reason: str = "") -> None:
        """Stop collecting a source and hide it; its articles stay. Raises NotFoundError."""
        source = await self.get(key)
        async with self._database.transaction() as conn:
            await conn.execute("UPDATE source SET removed_at = now() WHERE key = %s", (key,))
            await conn.execute(
                """
                UPDATE source_state SET enabled = false, health = 'paused', lease_owner = NULL
                WHERE source_id = %s
                """,
                (source.id,),
            )
            await conn.execute(
                """
                UPDATE fetch_job SET state = 'filtered', reason = 'source_removed',
                    finished_at = now()
                WHERE source_id = %s AND state = 'pending'
                """,
                (source.id,),
            )
            await _record(conn, key, _Change(actor, "remove", reason), source.settings, None)

    async def check_now(self, key: str) -> None:
        """Make a source due at once, whatever it waits for.

        Raises NotFoundError, and ConflictError for one that is paused.
        """
        source = await self.get(key)
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                "UPDATE source_state SET next_check_at = now() WHERE source_id = %s AND enabled",
                (source.id,),
            )
            if cursor.rowcount == 0:
                raise ConflictError(f"the source '{key}' is paused: resume it first")
            host = host_of(checked_url(source.settings))
            await conn.execute(
                "UPDATE host SET open_until = NULL, failures = 0 WHERE host = %s", (host,)
            )
            await wake(conn, [host], RANK[source.settings.tier])

    async def get(self, key: str) -> Source:
        """Return a source by its key. Raises NotFoundError."""
        found = await self._select("s.key = %s", (key,))
        if not found:
            raise NotFoundError(f"there is no source with the key '{key}'")
        return found[0]

    async def by_id(self, source_id: int) -> Source:
        """Return a source by its number, removed ones included. Raises NotFoundError."""
        found = await self._select("s.id = %s", (source_id,), removed=True)
        if not found:
            raise NotFoundError(f"there is no source number {source_id}")
        return found[0]

    async def all(self) -> list[Source]:
        """Return every source, premium first, then by name."""
        return await self._select(
            "true ORDER BY array_position('{premium,standard,basic}'::text[], s.tier), s.name", ()
        )

    async def _select(
        self, where: str, values: tuple[object, ...], *, removed: bool = False
    ) -> list[Source]:
        hidden = "" if removed else "s.removed_at IS NULL AND "
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                SELECT {_COLUMNS} FROM source s JOIN source_state t ON t.source_id = s.id
                WHERE {hidden}{where}
                """,  # noqa: S608 - callers pass constants
                values,
            )
            return [to_source(row) for row in await cursor.fetchall()]


def to_source(row: tuple[object, ...]) -> Source:
    """Return the source of a row of the columns named above."""
    return msgspec.convert(
        {
            "id": row[0],
            "settings": _settings.decode(str(row[1])),
            "validators": Validators(
                etag=_text(row[2]),
                last_modified=_text(row[3]),
                body_sha256=row[4] if isinstance(row[4], bytes) else None,
            ),
            "health": Health(str(row[5])),
            "reason": row[6],
            "detail": row[7],
            "failures": row[8],
            "items_per_day": row[9],
            "next_check_at": row[10],
            "last_checked_at": row[11],
            "last_success_at": row[12],
            "moved_to": row[13],
            "moved_count": row[14],
            "note": row[15],
        },
        Source,
    )


async def _held(conn: Conn, key: str, expected: int | SourceSettings | None) -> SourceSettings:
    """Return the present settings of a source, whose row stays locked.

    Raises NotFoundError, and StaleError when they are not those, or of the version, that were
    expected.
    """
    cursor = await conn.execute(
        "SELECT settings::text FROM source WHERE key = %s AND removed_at IS NULL FOR NO KEY UPDATE",
        (key,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no source with the key '{key}'")
    held = _settings.decode(row[0])
    version = await _version(conn, key)
    if expected is not None and expected not in (version, held):
        raise _stale(key, expected if isinstance(expected, int) else version)
    return held


async def _version(conn: Conn, key: str) -> int:
    cursor = await conn.execute(
        "SELECT coalesce(max(id), 0) FROM source_change WHERE source_key = %s", (key,)
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has one row"
    return int(row[0])


def _stale(key: str, seen: int) -> StaleError:
    return StaleError(
        f"somebody changed the source '{key}' meanwhile, so nothing was saved; "
        "look at what changed, then save again",
        seen=seen,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _document(settings: SourceSettings | None) -> str | None:
    return None if settings is None else msgspec.json.encode(settings).decode()


async def _insert(conn: Conn, settings: SourceSettings) -> int | None:
    cursor = await conn.execute(
        """
        INSERT INTO source (key, settings) VALUES (%s, %s)
        ON CONFLICT (key) DO UPDATE SET settings = excluded.settings, removed_at = NULL
            WHERE source.removed_at IS NOT NULL
        RETURNING id
        """,
        (settings.key, _document(settings)),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    host = host_of(checked_url(settings))
    await conn.execute(
        """
        INSERT INTO source_state (source_id, host, enabled, health) VALUES (%s, %s, %s, %s)
        ON CONFLICT (source_id) DO UPDATE SET host = excluded.host, enabled = excluded.enabled,
            health = excluded.health, next_check_at = now(), failures = 0, tries = 0,
            etag = NULL, last_modified = NULL, body_sha256 = NULL
        """,
        (row[0], host, settings.active, Health.NEW if settings.active else Health.PAUSED),
    )
    await wake(conn, [host], RANK[settings.tier])
    return int(row[0])


@dataclass(frozen=True, slots=True)
class _Change:
    """Who did what to a source, and why."""

    actor: str
    action: str
    reason: str = ""


async def _record(
    conn: Conn,
    key: str,
    change: _Change,
    before: SourceSettings | None,
    after: SourceSettings | None,
) -> None:
    await conn.execute(
        """
        INSERT INTO source_change (source_key, actor, action, reason, before, after)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (key, change.actor, change.action, change.reason, _document(before), _document(after)),
    )
