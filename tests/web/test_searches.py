"""Saved searches through API and pages: kept, shared, changed, and what is new to each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import TypeAdapter

from ctiscraper import views
from ctiscraper.db import saved_news, saved_searches
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.web.saved import as_search
from ctiscraper.web.schemas import PageFilters
from people import person, session_of, token_of
from web.shelf import Shelf

API = "/api/v1/searches"
PAGE_HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
}


async def saved(client: httpx2.AsyncClient, query: str = "loader", **more: object) -> dict:  # type: ignore[type-arg]  # an answer
    answer = await client.post(API, json={"name": query, "query": query, **more})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"{API}/{made['id']}"
    return dict(made)


@asynccontextmanager
async def asking(app: FastAPI, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        yield client


@pytest_asyncio.fixture
async def other(app: FastAPI, opened: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of somebody else, who may read."""
    token = await token_of(opened, await person(opened, Role.VIEWER))
    async with asking(app, token) as client:
        yield client


async def test_a_search_is_kept_changed_and_forgotten(client: httpx2.AsyncClient) -> None:
    made = await saved(client, "loader  -podcast", sort="relevance")
    TypeAdapter(views.SavedSearch).validate_python(made)
    assert (made["query"], made["sort"], made["own"]) == ("loader -podcast", "relevance", True)
    place = f"{API}/{made['id']}"
    changed = await client.patch(place, json={"name": " Loaders ", "shared": True})
    assert changed.json()["name"] == "Loaders"
    assert (changed.json()["query"], changed.json()["shared"]) == ("loader -podcast", True)
    [listed] = (await client.get(API)).json()
    assert listed["name"] == "Loaders"
    assert (await client.get(place)).json() == listed
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(API)).json() == []
    for method in ("GET", "DELETE"):
        assert (await client.request(method, place)).status_code == 404


async def test_changes_that_come_together_all_stay(client: httpx2.AsyncClient) -> None:
    place = f"{API}/{(await saved(client))['id']}"
    for number in range(5):
        changes: list[dict[str, object]] = [
            {"name": f"name {number}"},
            {"query": f"word{number}"},
            {"shared": number % 2 == 0},
        ]
        await asyncio.gather(*(client.patch(place, json=one) for one in changes))
        now = (await client.get(place)).json()
        for one in changes:
            assert one.items() <= now.items()


async def test_what_cannot_be_kept_is_refused_with_its_reason(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(client)
    wrong = await client.post(API, json={"name": "x", "query": "loader actr:APT28"})
    assert (wrong.status_code, wrong.json()["position"]) == (422, 7)
    again = await client.post(API, json={"name": "loader", "query": "other"})
    assert again.status_code == 409
    assert "another name" in again.json()["detail"]
    for body in (
        {"name": " ", "query": "x"},
        {"name": "x" * 101, "query": "x"},
        {"name": "x", "query": " "},
        {"name": "x", "query": "x", "sort": "score"},
        {"name": "x\u0000", "query": "x"},
        {"name": "x", "query": "x", "owner": 1},
        {"query": "x"},
    ):
        assert (await client.post(API, json=body)).status_code == 422, body
    [kept] = (await client.get(API)).json()
    for name, value in (("query", "(("), ("place", -1), ("sort", "no")):
        answer = await client.patch(f"{API}/{kept['id']}", json={name: value})
        assert answer.status_code == 422, name
    monkeypatch.setattr(saved_searches, "MOST", 1)
    full = await client.post(API, json={"name": "y", "query": "y"})
    assert full.status_code == 422
    assert "remove one" in full.json()["detail"]


async def test_one_s_own_stand_in_one_s_order(client: httpx2.AsyncClient) -> None:
    ids = [(await saved(client, name))["id"] for name in ("a", "b", "c")]
    await client.patch(f"{API}/{ids[2]}", json={"place": 0})
    await client.patch(f"{API}/{ids[0]}", json={"place": 99})
    assert [one["name"] for one in (await client.get(API)).json()] == ["c", "b", "a"]


async def test_others_see_what_is_shared_and_change_nothing_of_it(
    client: httpx2.AsyncClient, other: httpx2.AsyncClient, shelf: Shelf
) -> None:
    private, shared = await saved(client, "private"), await saved(client, "team", shared=True)
    [seen] = (await other.get(API)).json()
    assert (seen["name"], seen["own"], seen["owner"]) == ("team", False, "The the-admin")
    for path, expected in ((private["id"], 404), (shared["id"], 200)):
        assert (await other.get(f"{API}/{path}")).status_code == expected
    place = f"{API}/{shared['id']}"
    assert (await other.patch(place, json={"name": "mine"})).status_code == 404
    assert (await other.delete(place)).status_code == 404
    assert (await other.post(f"{API}/{private['id']}/feed")).status_code == 404
    assert (await other.post(f"{place}/feed")).status_code == 201
    shelf.run("UPDATE app_user SET disabled_at = now() WHERE login = 'the-admin'")
    assert (await other.get(API)).json() == []


async def test_what_came_since_somebody_looked_is_new(
    client: httpx2.AsyncClient, other: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("old", text="A loader.")
    made = await saved(client, "loader", shared=True)
    odd = await saved(client, 'source:acme "two loaders"')
    assert [one["new"] for one in (await client.get(API)).json()] == [0, 0]
    shelf.article("one", text="The loaders.")
    shelf.article("two", text="See two loaders.")
    shelf.article("copy", text="See two loaders.", duplicate_of=1)
    shelf.article("none", text="Nothing.")
    assert [one["new"] for one in (await client.get(API)).json()] == [2, 2]
    assert [(one["new"], one["seen_at"]) for one in (await other.get(API)).json()] == [(3, None)]
    assert (await client.post(f"{API}/{made['id']}/seen")).status_code == 204
    assert (await client.get(f"{API}/{made['id']}")).json()["new"] == 0
    assert (await client.get(f"{API}/{odd['id']}")).json()["new"] == 2


async def test_no_more_are_counted_than_is_quick(
    client: httpx2.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(client, "loader")
    for number in range(4):
        shelf.article(f"n{number}", text="A loader.")
    monkeypatch.setattr(saved_news, "WINDOW", 3)
    [one] = (await client.get(API)).json()
    assert (one["new"], one["more"]) == (3, True)
    monkeypatch.setattr(saved_news, "WINDOW", 4)
    [one] = (await client.get(API)).json()
    assert (one["new"], one["more"]) == (4, False)


async def test_a_search_of_what_went_away_says_so(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.source("acme")
    await saved(client, "source:acme loader")
    broken = await saved(client, "fine")
    [first, _] = (await client.get(API)).json()
    assert (first["notes"], first["mistake"]) == ([], "")
    shelf.run("UPDATE source SET key = 'gone', settings = settings || '{\"name\": \"Gone\"}'")
    shelf.run("UPDATE saved_search SET query = 'gone:field' WHERE id = %s", (broken["id"],))
    [first, second] = (await client.get(API)).json()
    assert "there is no source" in first["notes"][0]["message"]
    assert "there is no field gone:" in second["mistake"]
    assert second["new"] is None
    page = (await client.get("/searches")).text
    assert "There is no source" in page
    assert "It finds nothing any more" in page


async def test_a_token_of_nobody_keeps_nothing(app: FastAPI, opened: Database) -> None:
    async with asking(app, await token_of(opened, None)) as client:
        assert (await client.get(API)).status_code == 403
        answer = await client.post(API, json={"name": "x", "query": "x"})
        assert answer.status_code == 403
        assert "belongs to nobody" in answer.json()["detail"]
        assert (await client.get("/")).status_code == 200


async def form(client: httpx2.AsyncClient, path: str, **fields: object) -> httpx2.Response:
    return await client.post(path, data=fields, headers=PAGE_HEADERS)


async def test_the_page_does_what_the_api_does(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one", text="A loader.")
    made = await form(client, "/searches", name="Mine", query="loader", sort="newest")
    assert (made.status_code, made.headers["location"]) == (303, "/searches?done=saved")
    await form(client, "/searches", name="Next", query="b", shared="true", sort="relevance")
    first, second = (await client.get(API)).json()
    page = await client.get("/searches?done=saved")
    assert "The search is saved." in page.text
    assert "for everybody here" in page.text
    moved = await form(client, f"/searches/{second['id']}/move", place=0)
    assert moved.headers["location"] == f"/searches#search-{second['id']}"
    assert [one["name"] for one in (await client.get(API)).json()] == ["Next", "Mine"]
    shelf.article("two", text="Loaders.")
    assert "1 new" in (await client.get("/searches")).text
    opening = await client.get(f"/searches/{first['id']}")
    assert (opening.status_code, opening.headers["location"]) == (303, "/?q=loader")
    assert "1 new</span>" not in (await client.get("/searches")).text
    opening = await client.get(f"/searches/{second['id']}")
    assert opening.headers["location"] == "/?q=b&order=relevance"
    await form(client, f"/searches/{first['id']}/change", name="M", query="x", sort="newest")
    assert (await client.get(f"{API}/{first['id']}")).json()["name"] == "M"
    listed = (await client.get("/")).text
    assert f'href="/searches/{first["id"]}"' in listed
    assert "Save this search" not in listed
    assert "Save this search" in (await client.get("/?q=loader")).text
    assert "Save this search" not in (await client.get("/?q=%22")).text
    await form(client, f"/searches/{first['id']}/remove")
    assert len((await client.get(API)).json()) == 1


async def test_the_page_shows_what_is_wrong_where_it_was_typed(
    client: httpx2.AsyncClient,
) -> None:
    kept = await saved(client)
    for path in ("/searches", f"/searches/{kept['id']}/change"):
        answer = await form(client, path, name="Odd & new", query="loader actr:x", sort="newest")
        assert answer.status_code == 422
        assert "<mark>actr:</mark>" in answer.text
        assert 'value="loader actr:x"' in answer.text
        assert 'value="Odd &amp; new"' in answer.text
    again = await form(client, "/searches", name="loader", query="other", sort="newest")
    assert again.status_code == 422
    assert "another name" in again.text


async def test_a_reader_without_the_right_sees_no_form(
    app: FastAPI, opened: Database, admin: int, client: httpx2.AsyncClient
) -> None:
    await saved(client)
    cookie = {"ctiscraper": await session_of(opened, admin)}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", cookies=cookie
    ) as browsing:
        assert 'action="/searches"' in (await browsing.get("/searches")).text
        refused = await form(browsing, "/searches", name="x", query="x")
        assert refused.status_code == 403


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, None),
        ({"q": "a"}, "a"),
        ({"q": "a", "order": "relevance", "cursor": "x"}, "a"),
        ({"q": "a OR b", "source": "acme", "tier": "premium"}, "(a OR b) source:acme tier:premium"),
        ({"q": "(a)OR(b)", "source": "acme"}, "((a)OR(b)) source:acme"),
        ({"q": '"a"OR"b"', "source": "acme"}, '("a"OR"b") source:acme'),
        ({"q": "(a OR b) c", "source": "acme"}, "(a OR b) c source:acme"),
        ({"q": "a OR (", "source": "acme"}, "(a OR () source:acme"),
        ({"q": "a", "tag": "two words", "language": "de"}, 'a lang:de tag:"two words"'),
        (
            {"q": "a", "since": "2026-11-01", "until": "2026-11-30", "min_score": "70"},
            "a after:2026-11-01 before:2026-12-01 score>=70",
        ),
        ({"q": "a", "until": "9999-12-31"}, "a"),
        ({"q": "a", "order": "score"}, None),
        ({"q": "a", "watch": "3"}, None),
        ({"q": "a", "method": "feed"}, None),
    ],
)
def test_filters_become_words_of_the_search(chosen: dict[str, str], expected: str | None) -> None:
    assert as_search(PageFilters.model_validate(chosen)) == expected


async def test_a_kept_search_that_the_database_refuses_takes_no_list_with_it(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    await saved(client, "loader")
    made = await saved(client, "after:1y", shared=True)
    assert (await client.get(API)).status_code == 200
    # As it was kept before such a one was refused.
    shelf.run("UPDATE saved_search SET query = 'after:9999y' WHERE id = %s", (made["id"],))
    answer = await client.get(API)
    assert answer.status_code == 200
    assert [bool(one["mistake"]) for one in answer.json()] == [False, True]
    assert (await client.get("/searches")).status_code == 200
    asked = await client.get("/api/v1/articles", params={"q": "after:9999y"})
    assert asked.status_code == 422
