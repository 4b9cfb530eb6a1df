"""Who a session or a token belongs to, looked up anew with every request."""

from contextlib import suppress
from datetime import datetime

from psycopg.errors import ReadOnlySqlTransaction

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Permission, Principal, Role

IDLE = "8 hours"
ABSOLUTE = "12 hours"
# How exactly it is known when a session or a token was last used.
SEEN = "1 minute"

SESSION_HOLDS = f"""
    u.disabled_at IS NULL AND s.seen_at > now() - interval '{IDLE}'
        AND s.created_at > now() - interval '{ABSOLUTE}'
"""
"""What a session `s` of a user `u` must be to let him in."""

TOKEN_HOLDS = """
    t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
        AND u.disabled_at IS NULL
"""  # noqa: S105 - a condition
"""What a token `t`, of a user `u` where it has one, must be to let anybody in."""

_SESSION = f"""
    SELECT u.id, u.login, u.name, u.role, s.sudo_until,
        u.password_hash IS NOT NULL AND NOT EXISTS (
            SELECT FROM user_totp f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL
        ),
        s.seen_at < now() - interval '{SEEN}'
    FROM user_session s JOIN app_user u ON u.id = s.user_id
    WHERE s.id = %(id)s AND {SESSION_HOLDS}
"""  # noqa: S608 - constants
_TOKEN = f"""
    SELECT u.id, u.login, t.name, u.role, t.scopes,
        t.last_used_at IS NULL OR t.last_used_at < now() - interval '{SEEN}'
    FROM api_token t LEFT JOIN app_user u ON u.id = t.user_id
    WHERE t.id = %(id)s AND t.secret = %(secret)s AND {TOKEN_HOLDS}
"""  # noqa: S608 - constants
_SESSION_SEEN = "UPDATE user_session SET seen_at = now() WHERE id = %(id)s"
_TOKEN_SEEN = "UPDATE api_token SET last_used_at = now() WHERE id = %(id)s"  # noqa: S105 - a statement


class Principals:
    """Those who may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_session(self, key: bytes) -> Principal | None:
        """Return whose session this is, None when it ended or its user was disabled."""
        row = await self._row(_SESSION, _SESSION_SEEN, {"id": key})
        if row is None:
            return None
        user_id, login, name, role_name, sudo_until, owes_factor, _ = row
        assert isinstance(user_id, int)
        assert sudo_until is None or isinstance(sudo_until, datetime)
        role = Role(str(role_name))
        return Principal(
            name=str(name),
            permissions=GRANTS[role],
            login=str(login),
            user_id=user_id,
            role=role,
            session=key,
            sudo_until=sudo_until,
            owes_factor=bool(owes_factor),
        )

    async def of_token(self, key: TokenKey) -> Principal | None:
        """Return whose token this is; it may do no more than both its scopes and its user may."""
        row = await self._row(_TOKEN, _TOKEN_SEEN, {"id": key.id, "secret": key.secret})
        if row is None:
            return None
        user_id, login, name, role_name, scopes, _ = row
        assert user_id is None or isinstance(user_id, int)
        assert isinstance(scopes, list)
        role = None if role_name is None else Role(str(role_name))
        # A scope of a later program is none here.
        allowed = frozenset(scope for scope in Permission if scope in scopes)
        return Principal(
            name=str(name),
            permissions=allowed if role is None else allowed & GRANTS[role],
            login="" if login is None else str(login),
            user_id=user_id,
            role=role,
            token_id=key.id,
        )

    async def is_set_up(self) -> bool:
        """Return whether there is anybody who may log in."""
        async with self._database.connection() as conn:
            cursor = await conn.execute("SELECT EXISTS (SELECT FROM app_user)")
            row = await cursor.fetchone()
        assert row is not None
        return bool(row[0])

    async def _row(
        self, statement: str, seen: str, values: dict[str, object]
    ) -> tuple[object, ...] | None:
        """Return the row of `statement`, whose last column says whether to note that it was seen.

        A database that only reads, as a standby does, notes nothing.
        """
        async with self._database.connection() as conn:
            row = await (await conn.execute(statement, values)).fetchone()
            if row is not None and row[-1]:
                with suppress(ReadOnlySqlTransaction):
                    await conn.execute(seen, values)
        return row
