"""Users as an administrator sees them, on the page and through the API."""

import json
import re
from datetime import timedelta

import httpx2
import pyotp
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import session_key
from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.tokens import new_token
from ctiscraper.admission import Admission
from ctiscraper.audit_views import AuditQuery
from ctiscraper.db.audit import Audit
from ctiscraper.db.identities import Identities
from ctiscraper.db.principals import Principals
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.db.users import Users
from ctiscraper.errors import SignOnError
from ctiscraper.identity import GRANTS, Access, Permission, Role
from people import person, session_of, token_of
from web.signing import OTHER, PASSWORD, SAME_SITE, hidden, log_in, post, user


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


async def bearer(opened: Database, user_id: int, *scopes: Permission) -> dict[str, str]:
    token, key = new_token()
    await Tokens(opened).add(key, name="narrow", scopes=scopes, user_id=user_id)
    return {"authorization": f"Bearer {token}"}


async def test_a_token_for_users_alone_makes_nobody_more_than_itself(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    john = await person(opened, Role.VIEWER, "john")
    boss = await person(opened, Role.ADMIN, "boss")
    narrow = await bearer(opened, admin, Permission.USER_READ, Permission.USER_WRITE)
    api, form = "/api/v1/users", {**narrow, **SAME_SITE}
    asked = [
        ("POST", api, {"login": "x", "role": "admin"}),
        ("POST", api, {"login": "x", "role": "viewer"}),
        ("PATCH", f"{api}/{john}", {"role": "admin"}),
        ("PATCH", f"{api}/{boss}", {"disabled": True}),
        ("PATCH", f"{api}/{boss}", {"name": "x"}),
        ("POST", f"{api}/{boss}/password", None),
        ("POST", f"{api}/{john}/password", None),
        ("DELETE", f"{api}/{boss}/sessions", None),
        ("DELETE", f"{api}/{boss}/access", None),
    ]
    for method, path, body in asked:
        answer = await stranger.request(method, path, json=body, headers=narrow)
        assert answer.status_code == 403, (method, path)
        assert "may do less than the role" in answer.json()["detail"]
    for path, fields in (
        ("/users/add", {"login": "x", "role": "admin"}),
        (f"/users/{john}/role", {"role": "admin"}),
        (f"/users/{boss}/role", {"role": "viewer"}),
        (f"/users/{boss}/state", {"state": "disabled"}),
        (f"/users/{boss}/password", {}),
        (f"/users/{boss}/access/end", {"part": "app"}),
    ):
        assert (await stranger.post(path, data=fields, headers=form)).status_code == 403, path
    assert [(one.login, one.role) for one in await Users(opened).all()] == [
        ("boss", Role.ADMIN),
        ("john", Role.VIEWER),
        ("the-admin", Role.ADMIN),
    ]


async def test_a_token_that_may_all_that_a_role_may_decides_over_it(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    wide = await bearer(opened, admin, Permission.USER_WRITE, *GRANTS[Role.ANALYST])
    api = "/api/v1/users"
    made = await stranger.post(api, json={"login": "x", "role": "viewer"}, headers=wide)
    assert made.status_code == 201
    where = made.headers["location"]
    for role, status in (("analyst", 200), ("curator", 403)):
        answer = await stranger.patch(where, json={"role": role}, headers=wide)
        assert answer.status_code == status
    assert (await stranger.post(f"{where}/password", headers=wide)).status_code == 200


async def test_everything_that_lets_somebody_in_is_ended_at_once(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    john = await user(opened, "john", Role.VIEWER)
    session = await session_of(opened, john)
    await token_of(opened, john)
    await log_in(stranger)
    page = await stranger.get("/users")
    assert page.text.count('name="part"') == len(Access)
    none = await post(stranger, f"/users/{john}/access/end")
    assert (none.status_code, "Tick at least one" in none.text) == (422, True)
    parts = {"part": [part.value for part in Access]}
    answer = await post(stranger, f"/users/{john}/access/end", **parts)
    assert "sessions: 1, tokens: 1, feeds: 0, passkeys: 0" in answer.text
    assert "/password#token=" in answer.text
    assert await Principals(opened).of_session(session_key(session)) is None
    assert [one.live for one in await Tokens(opened).of(john)] == [False]
    assert not (await Users(opened).get(john)).has_password
    [entry] = (await Audit(opened).page(AuditQuery(action="user.end_access"))).entries
    assert entry.object_id == str(john)
    assert json.loads(entry.changes)["ended"][:2] == ["1 sessions", "1 tokens"]
    assert "1 password" in entry.changes
    await post(stranger, "/logout")
    assert (await log_in(stranger, "john", PASSWORD)).status_code == 401


async def test_a_part_alone_is_ended(
    client: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    john = await user(opened, "john", Role.VIEWER)
    await session_of(opened, john)
    await token_of(opened, john)
    path = f"/api/v1/users/{john}/access"
    answer = await client.delete(f"{path}?part=tokens&part=app")
    assert answer.json() == {
        **dict.fromkeys(("sessions", "feeds", "passkeys", "app", "password"), 0),
        "tokens": 1,
    }
    left = await Users(opened).get(john)
    assert (left.sessions, left.has_password) == (1, True)
    assert (await client.delete(f"{path}?part=all")).status_code == 422
    assert (await client.delete(path)).json()["password"] == 1
    mine = await client.delete(f"/api/v1/users/{admin}/access")
    assert (mine.status_code, "this is you" in mine.json()["detail"].lower()) == (409, True)
    assert (await client.delete("/api/v1/users/999/access")).status_code == 404


async def with_app(app: FastAPI, opened: Database, user_id: int) -> pyotp.TOTP:
    """The app of somebody who logs in with its codes from now on."""
    sealer = app.state.services.sealer
    admission = Admission(opened, passwords=Passwords(), sealer=sealer)
    secret = pyotp.TOTP(await admission.begin_totp(user_id))
    assert await admission.confirm_totp(user_id, secret.at(opened.clock()))
    return secret


async def test_an_administrator_alone_takes_away_the_app_that_somebody_lost(
    stranger: httpx2.AsyncClient, client: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    john = await user(opened, "john", Role.VIEWER)
    await with_app(app, opened, john)
    assert "Code" in (await log_in(stranger, "john")).text
    path = f"/api/v1/users/{john}/access?part=app"
    for role in (Role.VIEWER, Role.ANALYST, Role.CURATOR):
        token = await token_of(opened, await person(opened, role))
        refused = await stranger.delete(path, headers={"authorization": f"Bearer {token}"})
        assert refused.status_code == 403, role
    factors = SecondFactors(opened)
    assert await factors.totp(john) is not None
    assert (await client.delete(path)).json()["app"] == 1
    assert await factors.totp(john) is None
    assert await factors.recovery_left(john) == 0
    assert (await log_in(stranger, "john")).status_code == 303


async def test_a_forgotten_password_leaves_the_second_factor(
    stranger: httpx2.AsyncClient, client: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    john = await user(opened, "john", Role.VIEWER)
    secret = await with_app(app, opened, john)
    link = (await client.post(f"/api/v1/users/{john}/password")).json()
    token = str(link).partition("#token=")[2][:22]
    chosen = await post(stranger, "/password", token=token, password=OTHER, again=OTHER)
    assert chosen.status_code == 200
    assert "ctiscraper" not in stranger.cookies
    asked = await log_in(stranger, "john", OTHER)
    assert (asked.status_code, "ctiscraper" in stranger.cookies) == (200, False)
    fields = hidden(asked.text, "/login/code")
    following = secret.at(opened.clock() + timedelta(seconds=30))
    assert (await post(stranger, "/login/code", **fields, code=following)).status_code == 303


async def test_whoever_was_shut_out_can_be_kept_out_on_the_page(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    people = Identities(opened)
    given = {"issuer": "https://id.example", "subject": "s", "login": "ann", "name": "Ann"}
    ann = (await people.admit(Identity(**given, role=Role.VIEWER))).user_id
    with pytest.raises(SignOnError):
        await people.admit(Identity(**given, role=None))
    await log_in(stranger)
    assert "Keep out" in (await stranger.get("/users")).text
    await post(stranger, f"/users/{ann}/state", state="disabled")
    page = (await stranger.get("/users")).text
    assert "may not log in" in page
    assert "Keep out" not in page
    with pytest.raises(SignOnError):
        await people.admit(Identity(**given, role=Role.VIEWER))
