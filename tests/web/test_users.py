"""Users as an administrator sees them, on the page and through the API."""

import re

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import session_key
from ctiscraper.db.principals import Principals
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from people import person, session_of
from web.signing import OTHER, SAME_SITE, log_in, post, user


async def test_somebody_is_let_in_and_chooses_his_password(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    await log_in(stranger)
    page = await post(stranger, "/users/add", login="John", name="John Doe", role="analyst")
    found = re.search(r"http://127\.0\.0\.1/password#token=([\w-]{22})", page.text)
    assert found is not None
    assert found[1] not in (await stranger.get("/users")).text
    await post(stranger, "/logout")
    fields = {"token": found[1], "password": OTHER, "again": OTHER}
    wrong = await post(stranger, "/password", **fields | {"again": "x"})
    assert (wrong.status_code, "not the same" in wrong.text) == (422, True)
    chosen = await post(stranger, "/password", **fields)
    assert "Your password is kept" in chosen.text
    assert 'value="john"' in chosen.text
    assert (await post(stranger, "/password", **fields)).status_code == 404
    assert (await log_in(stranger, "john", OTHER)).status_code == 303
    assert (await stranger.get("/users")).status_code == 403


async def test_a_user_is_changed_on_the_page(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    john = await user(opened, "john", Role.VIEWER)
    session = await session_of(opened, john)
    await log_in(stranger)
    await post(stranger, f"/users/{john}/role", role="curator")
    assert (await Users(opened).get(john)).role is Role.CURATOR
    assert await Principals(opened).of_session(session_key(session)) is None
    await post(stranger, f"/users/{john}/state", state="disabled")
    assert "may not log in" in (await stranger.get("/users")).text
    await post(stranger, f"/users/{john}/state", state="enabled")
    assert (await Users(opened).get(john)).disabled_at is None
    link = await post(stranger, f"/users/{john}/password")
    assert "/password#token=" in link.text
    taken = await post(stranger, "/users/add", login="john", name="", role="viewer")
    assert (taken.status_code, "already" in taken.text) == (422, True)


async def test_the_last_administrator_is_told_why(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    jane = await user(opened)
    await log_in(stranger)
    for path, field in (
        (f"/users/{jane}/role", {"role": "viewer"}),
        (f"/users/{jane}/state", {"state": "disabled"}),
    ):
        answer = await post(stranger, path, **field)
        assert answer.status_code == 422
        assert "last administrator" in answer.text


async def test_whoever_changes_his_own_role_gets_a_new_session(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    jane = await user(opened)
    await user(opened, "john")
    await log_in(stranger)
    before = stranger.cookies["ctiscraper"]
    answer = await post(stranger, f"/users/{jane}/role", role="analyst")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert stranger.cookies["ctiscraper"] != before
    assert await Principals(opened).of_session(session_key(before)) is None
    assert (await stranger.get("/account")).status_code == 200
    assert (await stranger.get("/users")).status_code == 403


async def test_a_disabled_user_is_out_at_once(
    stranger: httpx2.AsyncClient, client: httpx2.AsyncClient, opened: Database
) -> None:
    john = await user(opened, "john", Role.VIEWER)
    stranger.cookies.set("ctiscraper", await session_of(opened, john))
    assert (await stranger.get("/")).status_code == 200
    answer = await client.patch(f"/api/v1/users/{john}", json={"disabled": True})
    assert answer.json()["disabled_at"] is not None
    assert (await stranger.get("/")).status_code == 303


async def test_the_api_lets_in_changes_and_lists(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    made = await client.post("/api/v1/users", json={"login": "John", "role": "viewer"})
    assert made.status_code == 201
    where = made.headers["location"]
    assert made.json() == (await client.get(where)).json()
    changed = await client.patch(where, json={"role": "analyst", "name": "John Doe"})
    assert (changed.json()["role"], changed.json()["name"]) == ("analyst", "John Doe")
    url = (await client.post(f"{where}/password")).json()["url"]
    assert re.fullmatch(r"http://127\.0\.0\.1/password#token=[\w-]{22}", url)
    await session_of(opened, made.json()["id"])
    assert (await client.get(where)).json()["sessions"] == 1
    assert (await client.delete(f"{where}/sessions")).status_code == 204
    assert (await client.get(where)).json()["sessions"] == 0
    listed = (await client.get("/api/v1/users")).json()
    assert [one["login"] for one in listed] == ["john", "the-admin"]
    assert "password_hash" not in str(listed)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/users", {"login": "the-admin", "role": "viewer"}, 409),
        ("POST", "/api/v1/users", {"login": "a b", "role": "viewer"}, 422),
        ("POST", "/api/v1/users", {"login": "ab", "role": "root"}, 422),
        ("POST", "/api/v1/users", {"login": "ab", "role": "viewer", "password": "x"}, 422),
        ("PATCH", "/api/v1/users/999", {"role": "viewer"}, 404),
        ("GET", "/api/v1/users/999", None, 404),
        ("POST", "/api/v1/users/999/password", None, 404),
        ("DELETE", "/api/v1/users/999/sessions", None, 404),
    ],
)
async def test_what_cannot_be_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    assert (await client.request(method, path, json=body)).status_code == status


async def test_the_last_administrator_stays_whoever_asks(
    client: httpx2.AsyncClient, admin: int
) -> None:
    for change in ({"role": "viewer"}, {"disabled": True}):
        answer = await client.patch(f"/api/v1/users/{admin}", json=change)
        assert answer.status_code == 409
        assert "last administrator" in answer.json()["detail"]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_nobody_else_reaches_others(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI, role: Role
) -> None:
    del app
    other = await person(opened, Role.ADMIN)
    stranger.cookies.set("ctiscraper", await session_of(opened, await person(opened, role)))
    for path in ("/users", "/api/v1/users", f"/api/v1/users/{other}"):
        assert (await stranger.get(path, headers=SAME_SITE)).status_code == 403
    for path in (f"/users/{other}/state", f"/users/{other}/password", "/users/add"):
        assert (await post(stranger, path)).status_code == 403
