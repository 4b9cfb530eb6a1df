"""The people who may log in."""

from psycopg.errors import UniqueViolation

from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError
from ctiscraper.identity import Role


class Users:
    """Everybody who was let in, whether he still may or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, login: str, *, name: str, role: Role, password_hash: str | None = None
    ) -> int:
        """Return the id of a new user. Raises ConflictError when there is one of this login."""
        try:
            async with self._database.connection() as conn:
                cursor = await conn.execute(
                    """
                    INSERT INTO app_user (login, name, role, password_hash, password_changed_at)
                    VALUES (%(login)s, %(name)s, %(role)s, %(hash)s,
                        CASE WHEN %(hash)s::text IS NOT NULL THEN now() END)
                    RETURNING id
                    """,
                    {"login": login, "name": name, "role": role, "hash": password_hash},
                )
                row = await cursor.fetchone()
        except UniqueViolation as error:
            raise ConflictError(f"there is a user '{login}' already") from error
        assert row is not None
        return int(row[0])
