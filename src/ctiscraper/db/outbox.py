"""The outbox: articles that wait for a stage, each topic in the order in which they came."""

import time
from typing import Protocol

import structlog

from ctiscraper.db.one_by_one import FAULTS, one_by_one
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


class Work(Protocol):
    """What does the next rows of a topic, or `only` the one of this number."""

    async def __call__(self, *, limit: int = 1, only: int | None = None) -> int:
        """Return how many were done."""


class Turns:
    """The rows of one topic, of which one that the database fails at holds up no other."""

    def __init__(self, database: Database, topic: str) -> None:
        self._database, self._topic = database, topic
        self.resting = Resting()

    async def take(self, work: Work, *, limit: int) -> int:
        """Return how many of up to `limit` rows were done, together, or else each by itself."""
        try:
            return await work(limit=limit)
        except FAULTS:
            waiting = await self._waiting(limit)
            return await one_by_one(waiting, lambda one: work(only=one), self._put_last)

    async def _waiting(self, limit: int) -> list[int]:
        """Return the numbers of the rows that are next."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT id FROM outbox WHERE topic = %s AND article_id <> ALL(%s)
                ORDER BY id LIMIT %s
                """,
                (self._topic, self.resting.now(), limit),
            )
            return [int(row[0]) for row in await cursor.fetchall()]

    async def _put_last(self, number: int, error: Exception) -> None:
        """Let a row that the database fails at come after all others, and rest for a while."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "UPDATE outbox SET id = DEFAULT WHERE id = %s RETURNING article_id", (number,)
            )
            row = await cursor.fetchone()
        if row is not None:
            self.resting.add(row[0])
            log.warning("article_put_off", topic=self._topic, article=row[0], detail=str(error))
