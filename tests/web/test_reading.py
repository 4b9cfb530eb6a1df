"""Reading and triage over the API."""

import httpx2
import pytest

from ctiscraper.access.tokens import new_token
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.identity import Permission, Role
from people import person, token_of
from web.shelf import Shelf


async def test_articles_are_read_starred_and_undone(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    for number in range(3):
        shelf.article(f"n{number}", text="The loader.")
    changed = await client.post("/api/v1/reading/changes", json={"articles": [1, 2], "read": True})
    assert (changed.status_code, changed.json()["articles"]) == (201, 2)
    standing = "/api/v1/articles/1/standing"
    assert (await client.get(standing)).json()["read"] is True
    number = changed.json()["id"]
    undone = await client.post(f"/api/v1/reading/changes/{number}/undo")
    assert (undone.json()["restored"], undone.json()["left"]) == (2, 0)
    assert (await client.post(f"/api/v1/reading/changes/{number}/undo")).status_code == 409
    assert (await client.get(standing)).json()["read"] is False
    search = {"search": {"q": "loader"}, "starred": True}
    starred = await client.post("/api/v1/reading/changes", json=search)
    assert starred.json()["articles"] == 3
    found = (await client.get("/api/v1/articles?q=starred:yes")).json()
    assert len(found["articles"]) == 3
    assert (await client.get("/api/v1/reading")).json() == {"since": None, "new": 0}


async def test_a_write_with_a_key_is_made_once(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    ask = {"articles": [1], "read": True}
    key = {"idempotency-key": "k1"}
    first = await client.post("/api/v1/reading/changes", json=ask, headers=key)
    again = await client.post("/api/v1/reading/changes", json=ask, headers=key)
    assert first.content == again.content
    assert shelf.run("SELECT count(*) FROM triage_change") == (1,)


async def test_the_team_changes_states_tags_and_assignees(
    client: httpx2.AsyncClient, shelf: Shelf, admin: int
) -> None:
    shelf.article("one")
    path = "/api/v1/triage/changes"
    changes = (
        {"state": "review"},
        {"assignee": admin},
        {"tag": "Hot topic"},
        {"tag": "other"},
        {"untag": "other"},
    )
    for change in changes:
        answer = await client.post(path, json={"articles": [1], **change})
        assert (answer.status_code, answer.json()["articles"]) == (201, 1), answer.text
        assert answer.json()["full"] == 0
    found = (await client.get("/api/v1/articles/1/standing")).json()
    assert (found["state"], found["tags"], found["assignee"]["id"]) == (
        "review", ["hot-topic"], admin
    )  # fmt: skip
    assert (await client.get("/api/v1/triage/tags")).json() == [{"tag": "hot-topic", "articles": 1}]
    assert [one["id"] for one in (await client.get("/api/v1/triage/people")).json()] == [admin]
    nobody = await client.post(path, json={"articles": [1], "assignee": None})
    number = nobody.json()["id"]
    assert (await client.post(f"{path}/{number}/undo")).json()["restored"] == 1
    found = (await client.get("/api/v1/articles/1/standing")).json()
    assert found["assignee"]["id"] == admin


async def test_what_is_wrong_is_named(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    wrong = (
        ("reading", {"articles": [1]}),
        ("reading", {"articles": [1], "read": True, "starred": True}),
        ("reading", {"read": True}),
        ("reading", {"articles": [], "read": True}),
        ("reading", {"articles": list(range(1, 1_002)), "read": True}),
        ("reading", {"articles": [1], "search": {}, "read": True}),
        ("triage", {"articles": [1], "state": None}),
        ("triage", {"articles": [1], "state": "open"}),
        ("triage", {"articles": [1], "tag": "!"}),
        ("triage", {"articles": [1], "tag": "a", "state": "done"}),
        ("triage", {"search": {"order": "score"}, "state": "done"}),
        ("triage", {"search": {"q": "("}, "state": "done"}),
    )
    for room, body in wrong:
        answer = await client.post(f"/api/v1/{room}/changes", json=body)
        assert (answer.status_code, body) == (422, body)
    assert (await client.get("/api/v1/articles/9/standing")).status_code == 404


async def test_lists_of_one_reader_are_not_shown_to_another(
    client: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    """An answer that is kept for a moment is kept for each reader by himself."""
    shelf.article("one")
    await client.post("/api/v1/reading/changes", json={"articles": [1], "starred": True})
    path = "/api/v1/articles?q=starred:yes"
    assert len((await client.get(path)).json()["articles"]) == 1
    other = await token_of(opened, await person(opened, Role.ANALYST))
    seen = await client.get(path, headers={"authorization": f"Bearer {other}"})
    assert seen.json()["articles"] == []


@pytest.mark.parametrize("path", ["/api/v1/reading/changes", "/api/v1/triage/changes"])
async def test_how_much_a_search_finds_is_told_to_those_who_may_read(
    opened: Database, stranger: httpx2.AsyncClient, shelf: Shelf, path: str
) -> None:
    shelf.article("one", text="The loader.")
    token, key = new_token()
    owner = await person(opened, Role.ANALYST)
    writing = (Permission.SELF_WRITE, Permission.ARTICLE_ANNOTATE)
    await Tokens(opened).add(key, name="of a script", scopes=writing, user_id=owner)
    asked = {"starred": True} if "reading" in path else {"state": "review"}
    bearer = {"authorization": f"Bearer {token}"}
    search = {"search": {"q": "loader"}, **asked}
    refused = await stranger.post(path, json=search, headers=bearer)
    assert refused.status_code == 403
    assert "article:read" in refused.json()["detail"]
    assert shelf.run("SELECT count(*) FROM triage_change") == (0,)
    named = await stranger.post(path, json={"articles": [1], **asked}, headers=bearer)
    assert (named.status_code, named.json()["articles"]) == (201, 1)


async def test_a_form_of_a_search_is_for_those_who_may_read(
    opened: Database, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text="The loader.")
    token, key = new_token()
    owner = await person(opened, Role.ANALYST)
    await Tokens(opened).add(key, name="x", scopes=[Permission.SELF_WRITE], user_id=owner)
    form = {"whole": "1", "search": "q=loader", "act": "star", "here": "/"}
    headers = {"authorization": f"Bearer {token}", "sec-fetch-site": "same-origin"}
    answer = await stranger.post("/reading", data=form, headers=headers)
    assert answer.status_code == 403
    assert shelf.run("SELECT count(*) FROM triage_change") == (0,)
