"""What is kept of logins by a provider: which were finished, and forms that wait for one."""

from hashlib import sha256

from ctiscraper.db.session import Database

# How long somebody may take to log in at the provider.
ON_THE_WAY_SECONDS = 600


class UsedStates:
    """The ways to a provider that somebody came back from: each is good for one time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, state: str) -> bool:
        """Return whether nobody has come back with this state before."""
        async with self._database.connection() as conn:
            # A way takes no longer, so a state that is forgotten is none any more.
            await conn.execute(
                "DELETE FROM sign_on_used WHERE used_at < now() - make_interval(secs => %s)",
                (2 * ON_THE_WAY_SECONDS,),
            )
            cursor = await conn.execute(
                "INSERT INTO sign_on_used (state) VALUES (%s) ON CONFLICT DO NOTHING",
                (sha256(state.encode()).digest(),),
            )
            return cursor.rowcount == 1


class SessionForms:
    """What was sent by a session that has to show first who it is: one form each, and sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, session: bytes, typed: str) -> None:
        """Keep a form in place of the one before; empty is none."""
        async with self._database.transaction() as conn:
            await conn.execute("DELETE FROM session_form WHERE session_id = %s", (session,))
            if typed:
                await conn.execute(
                    """
                    INSERT INTO session_form (session_id, typed)
                    SELECT id, %s FROM user_session WHERE id = %s
                    ON CONFLICT (session_id)
                        DO UPDATE SET typed = excluded.typed, kept_at = now()
                    """,
                    (typed, session),
                )

    async def take(self, session: bytes) -> str:
        """Return the form that is kept, once; empty where there is none, or too old a one."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                DELETE FROM session_form WHERE session_id = %s
                RETURNING typed, kept_at > now() - make_interval(secs => %s)
                """,
                (session, 2 * ON_THE_WAY_SECONDS),
            )
            row = await cursor.fetchone()
        return str(row[0]) if row is not None and row[1] else ""


class LostForms:
    """What people sent whose session had ended, until they are back: one form each, and sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, user_id: int, typed: str) -> None:
        """Keep a form in place of the one before; nothing for a user who is gone."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                INSERT INTO lost_form (user_id, typed)
                SELECT id, %s FROM app_user WHERE id = %s
                ON CONFLICT (user_id) DO UPDATE SET typed = excluded.typed, kept_at = now()
                """,
                (typed, user_id),
            )

    async def take(self, user_id: int) -> str:
        """Return the form that is kept, once; empty where there is none, or too old a one."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                DELETE FROM lost_form WHERE user_id = %s
                RETURNING typed, kept_at > now() - make_interval(secs => %s)
                """,
                (user_id, 2 * ON_THE_WAY_SECONDS),
            )
            row = await cursor.fetchone()
        return str(row[0]) if row is not None and row[1] else ""
