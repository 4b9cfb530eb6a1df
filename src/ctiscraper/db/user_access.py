"""What lets a user in, taken from him: all of it, or what is named."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType

from ctiscraper.db.session import Conn, Database
from ctiscraper.db.tokens import revoke_tokens
from ctiscraper.errors import NotFoundError
from ctiscraper.identity import Access

Ended = dict[Access, int]


class UserAccess:
    """Everything by which somebody, or whoever has got hold of it, comes in as this user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self, user_id: int, parts: Collection[Access] = tuple(Access)) -> Ended:
        """Return how many of each there were that are of no use any more.

        Raises NotFoundError.
        """
        async with self._database.transaction() as conn:
            # What is being made for him is waited for, and not missed.
            cursor = await conn.execute("SELECT FROM app_user WHERE id = %s FOR UPDATE", (user_id,))
            if await cursor.fetchone() is None:
                raise NotFoundError("there is no such user")
            # A login that is half done, or a link that somebody else has read, is one way more.
            await conn.execute("DELETE FROM one_time_secret WHERE user_id = %s", (user_id,))
            return await end_parts(conn, user_id, parts)


def ended_words(ended: Ended) -> list[str]:
    """Return what has ended, for the audit log: no name of a field there may be a secret's."""
    return [f"{count} {part}" for part, count in ended.items()]


async def end_parts(conn: Conn, user_id: int, parts: Collection[Access]) -> Ended:
    """Return how many of each there were that are of no use any more."""
    return {part: await _ENDING[part](conn, user_id) for part in Access if part in parts}


async def _end_sessions(conn: Conn, user_id: int) -> int:
    return await _removed(conn, "DELETE FROM user_session WHERE user_id = %s", user_id)


async def _end_tokens(conn: Conn, user_id: int) -> int:
    cursor = await conn.execute(
        """
        SELECT id FROM api_token WHERE user_id = %s AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > now())
        """,
        (user_id,),
    )
    living = [row[0] for row in await cursor.fetchall()]
    await revoke_tokens(conn, living)
    return len(living)


async def _end_feeds(conn: Conn, user_id: int) -> int:
    return await _removed(conn, "DELETE FROM saved_search_feed WHERE user_id = %s", user_id)


async def _end_passkeys(conn: Conn, user_id: int) -> int:
    return await _removed(conn, "DELETE FROM passkey WHERE user_id = %s", user_id)


async def _end_app(conn: Conn, user_id: int) -> int:
    await _removed(conn, "DELETE FROM recovery_code WHERE user_id = %s", user_id)
    return await _removed(conn, "DELETE FROM user_totp WHERE user_id = %s", user_id)


async def _end_password(conn: Conn, user_id: int) -> int:
    return await _removed(
        conn,
        "UPDATE app_user SET password_hash = NULL WHERE id = %s AND password_hash IS NOT NULL",
        user_id,
    )


async def _removed(conn: Conn, statement: str, user_id: int) -> int:
    cursor = await conn.execute(statement.encode(), (user_id,))
    return cursor.rowcount


_ENDING: Mapping[Access, Callable[[Conn, int], Awaitable[int]]] = MappingProxyType(
    {
        Access.SESSIONS: _end_sessions,
        Access.TOKENS: _end_tokens,
        Access.FEEDS: _end_feeds,
        Access.PASSKEYS: _end_passkeys,
        Access.APP: _end_app,
        Access.PASSWORD: _end_password,
    }
)
