"""The outbox: articles that wait for a stage, each topic in the order in which they came."""

import structlog

from ctiscraper.db.session import Database

log = structlog.get_logger()


async def first_waiting(database: Database, topic: str, limit: int) -> list[int]:
    """Return the numbers of the rows of a topic that are next."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            "SELECT id FROM outbox WHERE topic = %s ORDER BY id LIMIT %s", (topic, limit)
        )
        return [int(row[0]) for row in await cursor.fetchall()]


async def put_last(database: Database, topic: str, number: int, error: Exception) -> None:
    """Let a row that the database fails at come after all others."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            "UPDATE outbox SET id = DEFAULT WHERE id = %s RETURNING article_id", (number,)
        )
        row = await cursor.fetchone()
    if row is not None:
        log.warning("article_put_off", topic=topic, article=row[0], detail=str(error))
