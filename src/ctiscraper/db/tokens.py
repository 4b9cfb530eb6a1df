"""The tokens of programs."""

from collections.abc import Iterable

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.session import Database
from ctiscraper.identity import Permission


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
    ) -> None:
        """Let whoever shows this token in for so many days; None is for ever."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                INSERT INTO api_token (id, secret, name, scopes, user_id, expires_at)
                VALUES (%(id)s, %(secret)s, %(name)s, %(scopes)s, %(user)s,
                    now() + make_interval(days => %(days)s))
                """,
                {
                    "id": key.id,
                    "secret": key.secret,
                    "name": name,
                    "scopes": sorted(scopes),
                    "user": user_id,
                    "days": days,
                },
            )
