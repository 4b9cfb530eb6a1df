"""Secrets that are good once: links, challenges and logins that are half done."""

from hmac import compare_digest

from ctiscraper.access.one_time import Purpose
from ctiscraper.db.session import Conn, Database

_VALID = """
    SELECT user_id FROM one_time_secret
    WHERE id = %(id)s AND purpose = %(purpose)s AND expires_at > now()
"""
_TAKE = """
    DELETE FROM one_time_secret
    WHERE id = %(id)s AND purpose = %(purpose)s AND expires_at > now()
    RETURNING user_id
"""


class OneTimeSecrets:
    """What was given out and not used yet; of a secret only its hash is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, key: bytes, purpose: Purpose, *, minutes: int, user_id: int | None = None
    ) -> None:
        """Keep what is good for so many minutes, and forget what is good no more."""
        async with self._database.connection() as conn:
            await conn.execute("DELETE FROM one_time_secret WHERE expires_at < now()")
            await _add(conn, key, purpose, minutes=minutes, user_id=user_id)

    async def replace(
        self, key: bytes, purpose: Purpose, *, minutes: int, user_id: int | None = None
    ) -> None:
        """Keep the only one of its purpose that this user, or nobody, has."""
        async with self._database.transaction() as conn:
            await conn.execute(
                "DELETE FROM one_time_secret"
                " WHERE purpose = %s AND user_id IS NOT DISTINCT FROM %s",
                (purpose, user_id),
            )
            await _add(conn, key, purpose, minutes=minutes, user_id=user_id)

    async def owner(self, key: bytes, purpose: Purpose) -> int | None:
        """Return whose secret this is, None when it is good no more; it stays good."""
        return await self._first(_VALID, key, purpose)

    async def take(self, key: bytes, purpose: Purpose) -> int | None:
        """Return whose secret this was: nobody else is told again."""
        return await self._first(_TAKE, key, purpose)

    async def take_any(self, key: bytes, purpose: Purpose) -> bool:
        """Return whether there was such a secret, of whomever: from now on there is none."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_TAKE, {"id": key, "purpose": purpose})
            return await cursor.fetchone() is not None

    async def _first(self, statement: str, key: bytes, purpose: Purpose) -> int | None:
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, {"id": key, "purpose": purpose})
            row = await cursor.fetchone()
        return None if row is None or row[0] is None else int(row[0])


async def _add(
    conn: Conn, key: bytes, purpose: Purpose, *, minutes: int, user_id: int | None
) -> None:
    await conn.execute(
        """
        INSERT INTO one_time_secret (id, purpose, user_id, expires_at)
        VALUES (%s, %s, %s, now() + make_interval(mins => %s))
        """,
        (key, purpose, user_id, minutes),
    )


async def is_setup_key(conn: Conn, key: bytes) -> bool:
    """Return whether this opens the set-up; whoever asks next waits for this transaction."""
    cursor = await conn.execute(
        "SELECT id FROM one_time_secret WHERE purpose = %s AND expires_at > now() FOR UPDATE",
        (Purpose.SETUP,),
    )
    kept = [bytes(row[0]) for row in await cursor.fetchall()]
    # Each is compared, in a time that tells nothing of how much of it was right.
    return sum(compare_digest(one, key) for one in kept) > 0
