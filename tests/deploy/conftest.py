"""One web process with a database, for every test of a file that only reads."""

import asyncio
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cli.terminal import Terminal, environment
from ctiscraper.db.session import Database
from deploy.edge import Site
from people import person, session_of, token_of
from web.shelf import Shelf


@pytest.fixture(scope="module")
def site(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages over a database of thirty articles."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        conninfo = make_conninfo(postgres, dbname=name)
        shelf = Shelf(conninfo)
        for number in range(30):
            shelf.article(f"article {number}")
        token, session = asyncio.run(_let_in(conninfo))
        terminal = Terminal(environment(conninfo, tmp_path_factory.mktemp("data")))
        with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
            port = urlsplit(running.until("ready")["url"]).port
            assert port is not None
            yield Site(port, shelf, token, session)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _let_in(conninfo: str) -> tuple[str, str]:
    """A token and a session of an administrator."""
    async with Database(conninfo, size=1) as opened:
        admin = await person(opened)
        return await token_of(opened, admin), await session_of(opened, admin)
