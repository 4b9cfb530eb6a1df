"""Sessions of people who logged in."""

from ctiscraper.db.session import Database


class Sessions:
    """What keeps people logged in; `key` is the hash of what their cookie holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, key: bytes, user_id: int, *, ip: str | None = None, agent: str = ""
    ) -> None:
        """Begin a session."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO user_session (id, user_id, ip, agent) VALUES (%s, %s, %s, %s)",
                (key, user_id, ip, agent[:400]),
            )

    async def end(self, key: bytes) -> None:
        """End one session."""
        async with self._database.connection() as conn:
            await conn.execute("DELETE FROM user_session WHERE id = %s", (key,))
