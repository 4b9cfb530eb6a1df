"""Sessions of people who logged in."""

from ctiscraper.db.principals import ABSOLUTE, IDLE
from ctiscraper.db.session import Database
from ctiscraper.identity import Session, signature

_GOES_ON = f"seen_at > now() - interval '{IDLE}' AND created_at > now() - interval '{ABSOLUTE}'"


class Sessions:
    """What keeps people logged in; `key` is the hash of what their cookie holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        key: bytes,
        user_id: int,
        *,
        ip: str | None = None,
        agent: str = "",
        sudo_minutes: int = 0,
    ) -> None:
        """Begin a session; for so many minutes its password counts as just given."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                INSERT INTO user_session (id, user_id, ip, agent, sudo_until)
                VALUES (%s, %s, %s, %s, now() + make_interval(mins => %s))
                """,
                # Now is not yet past by the clocks of others.
                (key, user_id, ip, agent[:400], sudo_minutes or None),
            )

    async def begin(
        self,
        key: bytes,
        user_id: int,
        *,
        ip: str | None,
        agent: str,
        sudo_minutes: int,
        instead_of: bytes | None = None,
    ) -> str:
        """Return how whoever has just logged in is named on record.

        The session is in place of an earlier one.
        """
        await self.add(key, user_id, ip=ip, agent=agent, sudo_minutes=sudo_minutes)
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                "UPDATE app_user SET last_login_at = now() WHERE id = %s RETURNING login, name",
                (user_id,),
            )
            row = await cursor.fetchone()
            await conn.execute(
                f"DELETE FROM user_session WHERE id = %s OR NOT ({_GOES_ON})".encode(),  # noqa: S608
                (instead_of,),
            )
        assert row is not None, "the session refers to him"
        return signature(str(row[0]), str(row[1]))

    async def of_user(self, user_id: int) -> tuple[Session, ...]:
        """Return the sessions of a user that go on, the one seen last first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                SELECT id, created_at, seen_at, host(ip), agent FROM user_session
                WHERE user_id = %s AND {_GOES_ON} ORDER BY seen_at DESC, id
                """.encode(),  # noqa: S608
                (user_id,),
            )
            rows = await cursor.fetchall()
        return tuple(
            Session(key=bytes(key), created_at=made, seen_at=seen, ip=ip, agent=agent)
            for key, made, seen, ip, agent in rows
        )

    async def renew(self, key: bytes, new: bytes, *, sudo_minutes: int) -> None:
        """Let a session go on under another key alone; for so long who it is counts as just shown.

        It ends when it would have. What was typed in it waits for it.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                """
                INSERT INTO user_session (id, user_id, created_at, ip, agent, sudo_until)
                SELECT %s, user_id, created_at, ip, agent, now() + make_interval(mins => %s)
                FROM user_session WHERE id = %s
                """,
                (new, sudo_minutes, key),
            )
            await conn.execute(
                "UPDATE session_form SET session_id = %s WHERE session_id = %s", (new, key)
            )
            await conn.execute("DELETE FROM user_session WHERE id = %s", (key,))

    async def end(self, key: bytes) -> None:
        """End one session."""
        async with self._database.connection() as conn:
            await conn.execute("DELETE FROM user_session WHERE id = %s", (key,))

    async def end_of(self, user_id: int, key: bytes) -> None:
        """End a session, if it is this user's."""
        async with self._database.connection() as conn:
            await conn.execute(
                "DELETE FROM user_session WHERE id = %s AND user_id = %s", (key, user_id)
            )

    async def end_all(self, user_id: int, *, keep: bytes | None = None) -> int:
        """Return how many sessions of a user were ended: all, but the one to keep."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM user_session WHERE user_id = %s AND id IS DISTINCT FROM %s",
                (user_id, keep),
            )
            return cursor.rowcount
