"""The tokens of programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Permission, Role

LISTED_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is known of a token; its secret is not.

    `owner` is None for a token of nobody. It is `live` while it lets in whoever shows it.
    `made_by` is the token by which it was made, and with which it ends.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    owner_id: int | None
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    live: bool
    made_by: str | None = None


_SELECT = """
    SELECT t.id, t.name, t.scopes, t.user_id, u.login, t.created_at, t.expires_at,
        t.last_used_at, t.revoked_at,
        t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
            AND u.disabled_at IS NULL AS live, t.made_by
    FROM api_token t LEFT JOIN app_user u ON u.id = t.user_id
"""


class Tokens:
    """What programs show to be let in; of their secrets only hashes are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        key: TokenKey,
        *,
        name: str,
        scopes: Iterable[Permission],
        user_id: int | None = None,
        days: int | None = 90,
        maker: str | None = None,
    ) -> None:
        """Let whoever shows this token in for so many days; None is for ever.

        One that another token makes, `maker`, does not outlive it, and is revoked with it.
        Raises ConflictError when that one was revoked meanwhile.
        """
        async with self._database.transaction() as conn:
            if maker is not None:
                await _hold(conn, maker)
            await conn.execute(
                """
                INSERT INTO api_token (id, secret, name, scopes, user_id, made_by, expires_at)
                VALUES (%(id)s, %(secret)s, %(name)s, %(scopes)s, %(user)s, %(maker)s,
                    least(now() + make_interval(days => %(days)s),
                        (SELECT expires_at FROM api_token WHERE id = %(maker)s)))
                """,
                {
                    "id": key.id,
                    "secret": key.secret,
                    "name": name,
                    "scopes": sorted(scopes),
                    "user": user_id,
                    "days": days,
                    "maker": maker,
                },
            )

    async def all(self) -> tuple[ApiToken, ...]:
        """Return everybody's tokens, those that live first, then the newest."""
        return await self._select("true", {})

    async def of(self, user_id: int | None) -> tuple[ApiToken, ...]:
        """Return the tokens of a user, or those of nobody."""
        return await self._select("t.user_id IS NOT DISTINCT FROM %(user)s", {"user": user_id})

    async def get(self, token_id: str) -> ApiToken:
        """Return a token by its id. Raises NotFoundError."""
        found = await self._select("t.id = %(id)s", {"id": token_id})
        if not found:
            raise NotFoundError(f"there is no token '{token_id}'")
        return found[0]

    async def revoke(self, token_id: str) -> ApiToken:
        """Return a token that lets nobody in any more, like all that was made by it.

        Raises NotFoundError.
        """
        async with self._database.transaction() as conn:
            await revoke_tokens(conn, [token_id])
        return await self.get(token_id)

    async def owner(self, login: str) -> tuple[int, Role]:
        """Return id and role of a user whom tokens may belong to. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT id, role FROM app_user WHERE login = lower(%s) AND disabled_at IS NULL",
                (login,),
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"there is no user '{login}' who may log in")
        return row[0], Role(row[1])

    async def _select(self, condition: str, values: dict[str, object]) -> tuple[ApiToken, ...]:
        statement = (
            f"{_SELECT} WHERE {condition} ORDER BY live DESC, t.created_at DESC, t.id "
            f"LIMIT {LISTED_MOST}"
        )
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement.encode(), values)
            rows = await cursor.fetchall()
        return tuple(
            ApiToken(
                id=row[0],
                name=row[1],
                scopes=tuple(row[2]),
                owner_id=row[3],
                owner=row[4],
                created_at=row[5],
                expires_at=row[6],
                last_used_at=row[7],
                revoked_at=row[8],
                live=row[9],
                made_by=row[10],
            )
            for row in rows
        )


async def revoke_tokens(conn: Conn, token_ids: Iterable[str]) -> None:
    """Let these let nobody in any more, like all that they made, and so on."""
    made, known = list(token_ids), set[str]()
    # One generation after the other: whoever is revoked makes no more that could be missed.
    while made:
        known |= set(made)
        await conn.execute(
            "UPDATE api_token SET revoked_at = now() WHERE id = ANY(%s) AND revoked_at IS NULL",
            (made,),
        )
        cursor = await conn.execute("SELECT id FROM api_token WHERE made_by = ANY(%s)", (made,))
        made = [row[0] for row in await cursor.fetchall() if row[0] not in known]


async def _hold(conn: Conn, maker: str) -> None:
    """Let a token not be revoked before this transaction ends. Raises ConflictError."""
    cursor = await conn.execute(
        "SELECT FROM api_token WHERE id = %s AND revoked_at IS NULL FOR SHARE", (maker,)
    )
    if await cursor.fetchone() is None:
        raise ConflictError("the token that asks was revoked: log in, or take another")
