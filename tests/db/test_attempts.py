"""How often somebody may try."""

import asyncio

import pytest

from ctiscraper.db.attempts import Attempts, Limit
from ctiscraper.db.session import Database

FIVE = Limit("test", 5)


@pytest.fixture
def many(database: str) -> Database:
    return Database(database, size=8)


async def test_those_who_try_at_once_are_counted_one_by_one(many: Database) -> None:
    async with many:
        attempts = Attempts(many)
        waits = await asyncio.gather(*(attempts.wait(FIVE, "jane") for _ in range(40)))
        assert waits.count(None) == 5
        assert all(wait is None or 1 <= wait <= 300 for wait in waits)
        assert await attempts.wait(FIVE, "john") is None
        assert await attempts.wait(Limit("other", 5), "jane") is None


async def test_the_window_slides_and_old_attempts_are_forgotten(many: Database) -> None:
    async with many:
        attempts = Attempts(many)
        for _ in range(5):
            assert await attempts.wait(FIVE, "jane") is None
        assert await attempts.wait(FIVE, "jane") is not None
        await run(many, "UPDATE attempt SET hits[5] = now() - interval '5 min 1 s'")
        assert await attempts.wait(FIVE, "jane") is None
        assert await attempts.wait(FIVE, "jane") is not None
        await run(many, "UPDATE attempt SET last_at = now() - interval '6 min'")
        assert await attempts.wait(FIVE, "john") is None
        async with many.connection() as conn:
            rows = await (await conn.execute("SELECT key FROM attempt")).fetchall()
        assert [bytes(row[0]) for row in rows] == [FIVE.key("john")]


async def test_what_was_typed_is_not_kept(many: Database) -> None:
    async with many:
        await Attempts(many).wait(FIVE, "a password in the wrong field")
        async with many.connection() as conn:
            rows = await (await conn.execute("SELECT key::text FROM attempt")).fetchall()
        assert all(len(row[0]) == 66 for row in rows)


async def test_one_may_begin_anew(many: Database) -> None:
    async with many:
        attempts = Attempts(many)
        for _ in range(5):
            await attempts.wait(FIVE, "jane")
        await attempts.forget(FIVE, "jane")
        assert await attempts.wait(FIVE, "jane") is None


async def test_what_went_well_is_taken_back(many: Database) -> None:
    async with many:
        attempts = Attempts(many)
        await attempts.forgive(FIVE, "nobody")
        for _ in range(20):
            assert await attempts.wait(FIVE, "jane") is None
            await attempts.forgive(FIVE, "jane")
        for _ in range(5):
            assert await attempts.wait(FIVE, "jane") is None
        assert await attempts.wait(FIVE, "jane") is not None
        await attempts.forgive(FIVE, "jane")
        assert await attempts.wait(FIVE, "jane") is None
        assert await attempts.wait(FIVE, "jane") is not None


async def run(database: Database, statement: str) -> None:
    async with database.connection() as conn:
        await conn.execute(statement.encode())
