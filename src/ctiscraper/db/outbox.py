"""The outbox: articles that wait for a stage, each topic in the order in which they came."""

import time

import structlog

from ctiscraper.db.session import Database

# How long an article is let be by a process in which the database failed at it.
REST_SECONDS = 60.0

log = structlog.get_logger()


class Resting:
    """The articles that the database failed at in this process, each let be for a minute."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def add(self, article: int) -> None:
        """Let an article be."""
        self._until[article] = time.monotonic() + REST_SECONDS

    def now(self) -> list[int]:
        """Return those that are let be at this moment."""
        moment = time.monotonic()
        self._until = {one: until for one, until in self._until.items() if until > moment}
        return list(self._until)


async def first_waiting(database: Database, topic: str, limit: int, resting: Resting) -> list[int]:
    """Return the numbers of the rows of a topic that are next."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT id FROM outbox WHERE topic = %s AND article_id <> ALL(%s) ORDER BY id LIMIT %s
            """,
            (topic, resting.now(), limit),
        )
        return [int(row[0]) for row in await cursor.fetchall()]


async def put_last(
    database: Database, topic: str, number: int, error: Exception, resting: Resting
) -> None:
    """Let a row that the database fails at come after all others, and rest for a while."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            "UPDATE outbox SET id = DEFAULT WHERE id = %s RETURNING article_id", (number,)
        )
        row = await cursor.fetchone()
    if row is not None:
        resting.add(row[0])
        log.warning("article_put_off", topic=topic, article=row[0], detail=str(error))
