"""An open stage for each test of this room."""

from collections.abc import AsyncIterator

import pytest_asyncio

from ctiscraper.db.session import Database
from db.stage import Stage
from newsroom import Newsroom


@pytest_asyncio.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with Database(database, size=8) as opened:
        stage = Stage(opened)
        yield stage
        assert (await stage.accounting()).balanced


@pytest_asyncio.fixture
async def newsroom(database: str) -> AsyncIterator[Newsroom]:
    async with Database(database, size=4) as opened:
        yield Newsroom(database, opened)
