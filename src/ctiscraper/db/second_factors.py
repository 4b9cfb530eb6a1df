"""The second factors of people: apps that make codes, and codes for the day such a one is lost."""

from collections.abc import Iterable
from dataclasses import dataclass

from ctiscraper.db.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Totp:
    """The app of a user: its secret as it was sealed, and whether it has proved that it works."""

    secret: bytes
    confirmed: bool


class SecondFactors:
    """What is asked for after the password."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totp(self, user_id: int) -> Totp | None:
        """Return the app of a user, None when he has none."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT secret, confirmed_at IS NOT NULL FROM user_totp WHERE user_id = %s",
                (user_id,),
            )
            row = await cursor.fetchone()
        return None if row is None else Totp(secret=bytes(row[0]), confirmed=bool(row[1]))

    async def begin_totp(self, user_id: int, secret: bytes) -> bool:
        """Keep a secret that has yet to prove itself; False where one has already."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                INSERT INTO user_totp (user_id, secret) VALUES (%s, %s)
                ON CONFLICT (user_id) DO UPDATE
                SET secret = excluded.secret, last_step = 0, created_at = now()
                WHERE user_totp.confirmed_at IS NULL
                RETURNING true
                """,
                (user_id, secret),
            )
            return await cursor.fetchone() is not None

    async def sealed(self) -> tuple[tuple[int, bytes], ...]:
        """Return every app's secret as it was sealed, with whose it is."""
        async with self._database.connection() as conn:
            cursor = await conn.execute("SELECT user_id, secret FROM user_totp ORDER BY user_id")
            return tuple((int(row[0]), bytes(row[1])) for row in await cursor.fetchall())

    async def seal_anew(self, user_id: int, sealed: bytes, anew: bytes) -> None:
        """Keep a secret under another seal, unless its owner has another app by now."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE user_totp SET secret = %s WHERE user_id = %s AND secret = %s",
                (anew, user_id, sealed),
            )

    async def use_step(self, user_id: int, step: int) -> bool:
        """Return whether this step of time is newer than any whose code was used: once it is."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                UPDATE user_totp SET last_step = %(step)s
                WHERE user_id = %(user)s AND last_step < %(step)s
                RETURNING true
                """,
                {"user": user_id, "step": step},
            )
            return await cursor.fetchone() is not None

    async def confirm_totp(self, user_id: int, recovery: Iterable[bytes]) -> None:
        """Ask for this app's codes from now on, or for one of these."""
        async with self._database.transaction() as conn:
            await conn.execute(
                "UPDATE user_totp SET confirmed_at = now() WHERE user_id = %s", (user_id,)
            )
            await conn.execute("DELETE FROM recovery_code WHERE user_id = %s", (user_id,))
            async with conn.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO recovery_code (user_id, id) VALUES (%s, %s)",
                    [(user_id, key) for key in recovery],
                )

    async def remove_totp(self, user_id: int) -> None:
        """Ask for no code any more."""
        async with self._database.transaction() as conn:
            await conn.execute("DELETE FROM recovery_code WHERE user_id = %s", (user_id,))
            await conn.execute("DELETE FROM user_totp WHERE user_id = %s", (user_id,))

    async def use_recovery(self, user_id: int, key: bytes) -> bool:
        """Return whether this was a recovery code of the user; from now on it is none."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM recovery_code WHERE user_id = %s AND id = %s RETURNING true",
                (user_id, key),
            )
            return await cursor.fetchone() is not None

    async def recovery_left(self, user_id: int) -> int:
        """Return how many recovery codes a user has not used."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) FROM recovery_code WHERE user_id = %s", (user_id,)
            )
            row = await cursor.fetchone()
        assert row is not None, "a count has one row"
        return int(row[0])
