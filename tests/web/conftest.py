"""The app over a real database, asked without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from people import person, token_of
from web.shelf import Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as given:
        yield given


@pytest_asyncio.fixture
async def app(opened: Database) -> FastAPI:
    return create_app(WebServices(database=opened))


@pytest_asyncio.fixture
async def admin(opened: Database) -> int:
    """A user who may do everything."""
    return await person(opened, Role.ADMIN)


@pytest_asyncio.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that shows nothing of who it is."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        yield asking


@asynccontextmanager
async def _with_token(
    app: FastAPI, opened: Database, user: int
) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {await token_of(opened, user)}"},
    ) as asking:
        yield asking


@pytest_asyncio.fixture
async def client(app: FastAPI, opened: Database, admin: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a token for everything."""
    async with _with_token(app, opened, admin) as asking:
        yield asking


@pytest_asyncio.fixture
async def without(opened: Database, admin: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an installation that has no model."""
    app = create_app(WebServices(database=opened))
    async with _with_token(app, opened, admin) as asking:
        yield asking
