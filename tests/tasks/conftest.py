"""A yard for each test of this room that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from ctiscraper.db.session import Database
from tasks.yard import Yard


@pytest_asyncio.fixture
async def yard(database: str, tmp_path: Path) -> AsyncIterator[Yard]:
    async with Database(database) as opened:
        yard = Yard(opened, folder=tmp_path)
        yield yard
        assert (await yard.accounting()).balanced
