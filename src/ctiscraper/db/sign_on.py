"""What is kept of logins by a provider: which were finished, and forms that wait for one."""

from hashlib import sha256
from typing import ClassVar, Generic, TypeVar

from ctiscraper.db.session import Database

Owner = TypeVar("Owner", bytes, int)

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


class _Forms(Generic[Owner]):
    """Forms that wait for a login by a provider: one for each owner, and sealed."""

    _KEEP: ClassVar[str]
    _DROP: ClassVar[str]

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, owner: Owner, typed: str) -> None:
        """Keep a form in place of the one before; empty is none, and nobody is no owner."""
        async with self._database.transaction() as conn:
            await conn.execute(self._DROP, (owner,))
            if typed:
                await conn.execute(self._KEEP, (typed, owner))

    async def take(self, owner: Owner) -> str:
        """Return the form that is kept, once; empty where there is none, or too old a one."""
        fresh = " RETURNING typed, kept_at > now() - make_interval(secs => %s)"
        async with self._database.connection() as conn:
            cursor = await conn.execute(self._DROP + fresh, (owner, 2 * ON_THE_WAY_SECONDS))
            row = await cursor.fetchone()
        return str(row[0]) if row is not None and row[1] else ""


class SessionForms(_Forms[bytes]):
    """What was sent by a session that has to show first who it is."""

    _DROP = "DELETE FROM session_form WHERE session_id = %s"
    _KEEP = """
        INSERT INTO session_form (session_id, typed)
        SELECT id, %s FROM user_session WHERE id = %s
        ON CONFLICT (session_id) DO UPDATE SET typed = excluded.typed, kept_at = now()
    """


class LostForms(_Forms[int]):
    """What people sent whose session had ended, until they are back."""

    _DROP = "DELETE FROM lost_form WHERE user_id = %s"
    _KEEP = """
        INSERT INTO lost_form (user_id, typed)
        SELECT id, %s FROM app_user WHERE id = %s
        ON CONFLICT (user_id) DO UPDATE SET typed = excluded.typed, kept_at = now()
    """
