"""The passkeys of people."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation

from ctiscraper.access.passkeys import Passkey
from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPasskey:
    """A passkey as its owner sees it."""

    id: bytes
    name: str
    created_at: datetime
    last_used_at: datetime | None


class Passkeys:
    """What people log in with instead of a password."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: int) -> tuple[NamedPasskey, ...]:
        """Return the passkeys of a user, the oldest first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT id, name, created_at, last_used_at FROM passkey
                WHERE user_id = %s ORDER BY created_at, id
                """,
                (user_id,),
            )
            rows = await cursor.fetchall()
        return tuple(
            NamedPasskey(id=bytes(key), name=name, created_at=made, last_used_at=used)
            for key, name, made, used in rows
        )

    async def add(self, user_id: int, passkey: Passkey, *, name: str) -> None:
        """Let a passkey in. Raises ConflictError when it is somebody's already."""
        try:
            async with self._database.connection() as conn:
                await conn.execute(
                    """
                    INSERT INTO passkey (id, user_id, name, public_key, sign_count)
                    VALUES (%s, %s, %s, %s, %s)
                    """,
                    (passkey.id, user_id, name, passkey.public_key, passkey.sign_count),
                )
        except UniqueViolation as error:
            raise ConflictError("this passkey is known already") from error

    async def find(self, key: bytes) -> tuple[int, Passkey] | None:
        """Return whose passkey this is, and what is kept of it; None for one that lets nobody in.

        Its owner may log in.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT p.user_id, p.public_key, p.sign_count
                FROM passkey p JOIN app_user u ON u.id = p.user_id
                WHERE p.id = %s AND u.disabled_at IS NULL
                """,
                (key,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        user_id, public_key, sign_count = row
        return int(user_id), Passkey(
            id=key, public_key=bytes(public_key), sign_count=int(sign_count)
        )

    async def note_use(self, key: bytes, sign_count: int) -> None:
        """Keep how often a passkey was used."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE passkey SET sign_count = %s, last_used_at = now() WHERE id = %s",
                (sign_count, key),
            )

    async def remove(self, user_id: int, key: bytes) -> None:
        """Let a passkey of this user in no more. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM passkey WHERE user_id = %s AND id = %s RETURNING true", (user_id, key)
            )
            if await cursor.fetchone() is None:
                raise NotFoundError("there is no such passkey")
