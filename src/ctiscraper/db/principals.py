"""Who a session or a token belongs to, looked up anew with every request."""

from datetime import datetime

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Permission, Principal, Role

IDLE = "8 hours"
ABSOLUTE = "12 hours"
# How exactly it is known when a session or a token was last used.
SEEN = "1 minute"

_SESSION = f"""
    WITH found AS (
        SELECT s.id, s.seen_at, s.sudo_until, u.id AS user_id, u.name, u.role
        FROM user_session s JOIN app_user u ON u.id = s.user_id
        WHERE s.id = %(id)s AND u.disabled_at IS NULL
            AND s.seen_at > now() - interval '{IDLE}'
            AND s.created_at > now() - interval '{ABSOLUTE}'
    ), touched AS (
        UPDATE user_session s SET seen_at = now() FROM found
        WHERE s.id = found.id AND found.seen_at < now() - interval '{SEEN}'
    )
    SELECT user_id, name, role, sudo_until FROM found
"""  # noqa: S608 - constants
_TOKEN = f"""
    WITH found AS (
        SELECT t.id, t.name, t.scopes, t.last_used_at, u.id AS user_id, u.role
        FROM api_token t LEFT JOIN app_user u ON u.id = t.user_id
        WHERE t.id = %(id)s AND t.secret = %(secret)s AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > now())
            AND u.disabled_at IS NULL
    ), touched AS (
        UPDATE api_token t SET last_used_at = now() FROM found
        WHERE t.id = found.id
            AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '{SEEN}')
    )
    SELECT user_id, name, role, scopes FROM found
"""  # noqa: S608 - constants


class Principals:
    """Those who may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_session(self, key: bytes) -> Principal | None:
        """Return whose session this is, None when it ended or its user was disabled."""
        row = await self._row(_SESSION, {"id": key})
        if row is None:
            return None
        user_id, name, role_name, sudo_until = row
        assert isinstance(user_id, int)
        assert sudo_until is None or isinstance(sudo_until, datetime)
        role = Role(str(role_name))
        return Principal(
            name=str(name),
            permissions=GRANTS[role],
            user_id=user_id,
            role=role,
            session=key,
            sudo_until=sudo_until,
        )

    async def of_token(self, key: TokenKey) -> Principal | None:
        """Return whose token this is; it may do no more than both its scopes and its user may."""
        row = await self._row(_TOKEN, {"id": key.id, "secret": key.secret})
        if row is None:
            return None
        user_id, name, role_name, scopes = row
        assert user_id is None or isinstance(user_id, int)
        assert isinstance(scopes, list)
        role = None if role_name is None else Role(str(role_name))
        # A scope of a later program is none here.
        allowed = frozenset(scope for scope in Permission if scope in scopes)
        return Principal(
            name=str(name),
            permissions=allowed if role is None else allowed & GRANTS[role],
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

    async def _row(self, statement: str, values: dict[str, object]) -> tuple[object, ...] | None:
        async with self._database.connection() as conn:
            return await (await conn.execute(statement, values)).fetchone()
