"""A server on loopback for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from loopback import Origin, origin_server


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    """A server with no answers yet."""
    async with origin_server() as server:
        yield server
