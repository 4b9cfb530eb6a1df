"""The client against the program itself, over real HTTP."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from ctiscraper.client import ApiError, Client
from ctiscraper.client.transport import _MADE_ONCE
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.client_code import write
from ctiscraper.web.deps import WebServices
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.serve import listen, serve
from people import person, token_of
from web.shelf import Shelf

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "src" / "ctiscraper" / "client"


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def url(database: str) -> AsyncIterator[str]:
    with listen("127.0.0.1", 0) as listening:
        async with Database(database, size=4) as opened:
            serving = asyncio.create_task(
                serve(create_app(WebServices(database=opened)), listening)
            )
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.cancel()
            await asyncio.wait({serving})


async def client_of(database: str, url: str, role: Role = Role.ADMIN) -> Client:
    async with Database(database, size=1) as opened:
        return Client(url, await token_of(opened, await person(opened, role)))


# What these do twice is the same: they read, or try something out.
REPEATABLE = {
    "/lookup",
}


async def test_what_the_program_keeps_for_no_repeat_is_known_to_the_client(database: str) -> None:
    async with Database(database, size=1) as opened:
        app = create_app(WebServices(database=opened))
    posts = {
        route.path.removeprefix("/api/v1"): isinstance(route, OnceRoute)
        for route in app.routes
        if isinstance(route, APIRoute)
        and "POST" in (route.methods or ())
        and "/api/v1/" in route.path
    }
    assert len(posts) > 30
    asked_once = {path for path, is_kept in posts.items() if not is_kept} - REPEATABLE
    assert {path for path in posts if _MADE_ONCE.search(re.sub(r"[{}]", "", path))} == asked_once


def test_it_is_written_from_the_description(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.py")}
    committed = {path.name: path.read_text("utf-8") for path in COMMITTED.glob("*.py")}
    committed.pop("transport.py")
    assert made == committed, "run: python -m ctiscraper.web.client_code src/ctiscraper/client"


def test_every_operation_is_a_method() -> None:
    description = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text("utf-8"))
    names = {
        operation["operationId"]
        for path, methods in description["paths"].items()
        if path.startswith("/api/v1")
        for operation in methods.values()
    }
    assert len(names) > 40
    assert {name for name in names if not callable(getattr(Client, name, None))} == set()


async def test_lists_are_read_to_their_end(database: str, url: str, shelf: Shelf) -> None:
    for number in range(7):
        shelf.article(f"Number {number}")
    with await client_of(database, url) as client:
        pages = await asyncio.to_thread(
            lambda: list(client.pages(client.list_articles, limit=3, tier="standard"))
        )
        assert [len(page.articles) for page in pages] == [3, 3, 1]
        titles = [article.title for page in pages for article in page.articles]
        assert sorted(titles) == [f"Number {number}" for number in range(7)]
        assert isinstance(pages[0].articles[0].collected_at, datetime)
        one = await asyncio.to_thread(client.get_article, pages[0].articles[0].id)
        assert one.title == titles[0]


async def test_writing_answers_with_what_was_made(database: str, url: str) -> None:
    with await client_of(database, url) as client:
        made = await asyncio.to_thread(
            lambda: client.add_watchlist_entry(kind="keyword", term="lantern & co", note="ours")
        )
        assert (made.term, made.note) == ("lantern & co", "ours")
        listed = await asyncio.to_thread(client.list_watchlist)
        assert [entry.term for entry in listed] == ["lantern & co"]
        table = await asyncio.to_thread(client.export_watchlist)
        assert b"lantern & co" in table
        await asyncio.to_thread(client.remove_watchlist_entry, made.id)
        assert await asyncio.to_thread(client.list_watchlist) == ()


async def test_problems_name_their_fields(database: str, url: str) -> None:
    with await client_of(database, url) as client:
        with pytest.raises(ApiError) as wrong:
            await asyncio.to_thread(lambda: client.list_articles(limit=1_000))
        assert wrong.value.status == 422
        assert wrong.value.errors[0]["field"] == "query.limit"
        assert wrong.value.request_id
        with pytest.raises(ApiError) as missing:
            await asyncio.to_thread(client.get_source, "a/../b?c")
        assert missing.value.status in {404, 422}
    with await client_of(database, url, Role.VIEWER) as client:
        with pytest.raises(ApiError) as refused:
            await asyncio.to_thread(client.check_source, "one")
        assert refused.value.status == 403
        assert "source:write" in refused.value.detail
    with Client(url, "cti_nothing") as client:
        with pytest.raises(ApiError) as stranger:
            await asyncio.to_thread(client.list_sources)
        assert stranger.value.status == 401
