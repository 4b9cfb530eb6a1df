"""The app over a real database, asked without a socket."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from web.shelf import Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def app(database: str) -> AsyncIterator[FastAPI]:
    async with Database(database, size=4) as opened:
        yield create_app(WebServices(database=opened))


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        yield asking
