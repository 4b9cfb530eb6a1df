"""A server on loopback and a ledger in memory for each test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.collect.fetch import Fetcher
from ledger import Ledger
from loopback import Origin, open_client, origin_server


@pytest.fixture
def ledger() -> Ledger:
    """A ledger with nothing in it."""
    return Ledger()


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    """A server with no answers yet."""
    async with origin_server() as server:
        yield server


@pytest_asyncio.fixture
async def fetcher(origin: Origin, ledger: Ledger) -> AsyncIterator[Fetcher]:
    """A fetcher for which site.test and other.test lead to the server."""
    async with open_client(origin.policy("site.test", "other.test", "third.test")) as client:
        yield Fetcher(
            client, ledger, agent_token="ctiscraper", clock=ledger.clock, sleep=ledger.sleep
        )
