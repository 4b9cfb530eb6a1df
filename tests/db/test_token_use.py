"""What web processes tell each other of how often tokens ask."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from psycopg import AsyncConnection

from ctiscraper.db.session import Database
from ctiscraper.db.token_use import SLOTS, TokenUse


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as given:
        yield given


async def test_what_each_adds_is_known_to_all(opened: Database) -> None:
    use = TokenUse(opened)
    first = await use.share("a", 5)
    assert first is not None
    assert first.asked == 0
    await asyncio.gather(*(use.share("a", 2) for _ in range(20)))
    await use.share("b", 100)
    after = await use.share("a", 0)
    assert after is not None
    assert after.asked == 45


async def test_what_is_more_than_a_minute_old_is_forgotten(opened: Database) -> None:
    use = TokenUse(opened)
    await use.share("a", 5)
    async with opened.connection() as conn:
        await conn.execute("UPDATE token_use SET slot = slot - %s", (SLOTS,))
    found = await use.share("b", 1)
    assert found is not None
    async with opened.connection() as conn:
        rows = await (await conn.execute("SELECT token_id, asked FROM token_use")).fetchall()
    assert rows == [("b", 1)]


async def test_a_database_that_only_reads_takes_nothing(opened: Database, database: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        name = conn.info.dbname
        await conn.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode()
        )
    assert await TokenUse(opened).share("a", 1) is not None, "this one was opened before"
    async with Database(database, size=1) as reading:
        assert await TokenUse(reading).share("a", 1) is None
