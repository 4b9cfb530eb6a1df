"""An open stage for each test of this room."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from psycopg.abc import Query

from ctiscraper.db.session import Conn, Database
from db.stage import Stage
from newsroom import Newsroom


@pytest_asyncio.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with Database(database, size=8) as opened:
        stage = Stage(opened)
        yield stage
        assert (await stage.accounting()).balanced


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as given:
        yield given


@pytest_asyncio.fixture
async def newsroom(database: str) -> AsyncIterator[Newsroom]:
    async with Database(database, size=4) as opened:
        yield Newsroom(database, opened)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that this process sends meanwhile."""
    statements: list[str] = []
    execute = Conn.execute

    async def noted(self: Conn, query: Query, *args: object, **more: object) -> object:
        statements.append(str(query))
        return await execute(self, query, *args, **more)  # type: ignore[call-overload]  # passed on

    monkeypatch.setattr(Conn, "execute", noted)
    return statements
