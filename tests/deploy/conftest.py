"""One web process with a database, for every test of a file that only reads."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cli.terminal import Terminal, environment
from ctiscraper.db.session import Database
from databases import FreshDatabases
from deploy.edge import Site
from people import person, session_of, token_of
from web.shelf import Shelf


@pytest.fixture(scope="module")
def site(
    fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The pages over a database of thirty articles."""
    name = fresh_databases.take()
    conninfo = fresh_databases.conninfo(name)
    shelf = Shelf(conninfo)
    for number in range(30):
        shelf.article(f"article {number}")
    token, session = asyncio.run(_let_in(conninfo))
    terminal = Terminal(environment(conninfo, tmp_path_factory.mktemp("data")))
    with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
        port = urlsplit(running.until("ready")["url"]).port
        assert port is not None
        yield Site(port, shelf, token, session)
    fresh_databases.drop(name)


async def _let_in(conninfo: str) -> tuple[str, str]:
    """A token and a session of an administrator."""
    async with Database(conninfo, size=1) as opened:
        admin = await person(opened)
        return await token_of(opened, admin), await session_of(opened, admin)
