"""The page of oneself: every change, and what it ends."""

import re

import httpx2
import pyotp
from fastapi import FastAPI

from ctiscraper.access.cookies import csrf_token, session_key
from ctiscraper.db.principals import Principals
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.db.users import Users
from ctiscraper.identity import Permission, Role
from ctiscraper.web.rules import RULES
from people import session_of, token_of
from web.signing import OTHER, PASSWORD, SAME_SITE, log_in, post, user


async def test_a_new_name_is_shown_at_once(stranger: httpx2.AsyncClient, opened: Database) -> None:
    await user(opened)
    await log_in(stranger)
    answer = await post(stranger, "/account/name", name="  Jane   <b>Doe</b> ")
    assert answer.headers["location"] == "/account?done=name"
    page = await stranger.get("/account?done=name")
    assert "Your name was changed." in page.text
    assert "<bdi>Jane &lt;b&gt;Doe&lt;/b&gt;</bdi>" in page.text
    wrong = await post(stranger, "/account/name", name="x" * 101)
    assert (wrong.status_code, "at most 100" in wrong.text) == (422, True)


async def test_a_new_password_ends_the_other_sessions(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened)
    elsewhere = await session_of(opened, user_id)
    await log_in(stranger)
    for fields, words in (
        ({"current": OTHER, "password": OTHER, "again": OTHER}, "This is not your password"),
        ({"current": PASSWORD, "password": OTHER, "again": "x"}, "not the same"),
        ({"current": PASSWORD, "password": "password1234", "again": "password1234"}, "guessed"),
    ):
        answer = await post(stranger, "/account/password", **fields)
        assert (answer.status_code, words) == (422, words)
        assert words in answer.text
    before = stranger.cookies["ctiscraper"]
    answer = await post(
        stranger, "/account/password", current=PASSWORD, password=OTHER, again=OTHER
    )
    assert stranger.cookies["ctiscraper"] != before
    assert await Principals(opened).of_session(session_key(before)) is None
    assert answer.headers["location"] == "/account?done=password"
    assert (await stranger.get("/account")).status_code == 200
    assert await Principals(opened).of_session(session_key(elsewhere)) is None
    await post(stranger, "/logout")
    assert (await log_in(stranger)).status_code == 401
    assert (await log_in(stranger, password=OTHER)).status_code == 303


async def test_sessions_are_listed_and_ended(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened)
    others = [await session_of(opened, user_id) for _ in range(3)]
    foreign = await session_of(opened, await user(opened, "john", Role.VIEWER))
    await log_in(stranger)
    page = await stranger.get("/account")
    shown = re.findall(r'name="session" value="([0-9a-f]+)"', page.text)
    assert sorted(shown) == sorted(session_key(one).hex() for one in others)
    assert not any(one in page.text for one in others)
    principals = Principals(opened)
    await post(stranger, "/account/sessions/end", session=session_key(others[0]).hex())
    assert await principals.of_session(session_key(others[0])) is None
    await post(stranger, "/account/sessions/end", session=session_key(foreign).hex())
    assert await principals.of_session(session_key(foreign)) is not None
    await post(stranger, "/account/sessions/end")
    assert await principals.of_session(session_key(others[1])) is None
    assert await principals.of_session(session_key(foreign)) is not None
    assert (await stranger.get("/account")).status_code == 200


async def test_an_app_is_set_up_and_removed(stranger: httpx2.AsyncClient, opened: Database) -> None:
    user_id = await user(opened)
    await log_in(stranger)
    page = await post(stranger, "/account/totp/begin")
    assert "<svg" in page.text
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert found is not None
    secret = pyotp.TOTP(found[1].replace(" ", ""))
    wrong = await post(stranger, "/account/totp/confirm", code="000000")
    assert wrong.status_code == 422
    assert found[1] in wrong.text
    assert not (await Users(opened).get(user_id)).has_totp
    done = await post(stranger, "/account/totp/confirm", code=secret.at(opened.clock()))
    codes = re.findall(r"<code>([a-z2-9]{4}(?:-[a-z2-9]{4}){6})</code>", done.text)
    assert len(set(codes)) == 10
    assert (await Users(opened).get(user_id)).has_totp
    page = await stranger.get("/account")
    assert "10 of your recovery codes are left" in page.text
    assert not any(code in page.text for code in codes)
    again = await post(stranger, "/account/totp/begin")
    assert again.status_code == 409
    await post(stranger, "/account/totp/remove")
    assert await SecondFactors(opened).totp(user_id) is None
    assert await SecondFactors(opened).recovery_left(user_id) == 0


async def test_what_guards_an_account_needs_a_fresh_password(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened)
    stranger.cookies.set("ctiscraper", await session_of(opened, user_id))
    for path in (
        "/account/totp/begin",
        "/account/totp/confirm",
        "/account/totp/remove",
        "/account/passkeys/add",
        "/account/passkeys/remove",
        "/account/sessions/end",
        "/tokens/make",
        "/searches/1/feed",
        "/users/add",
        "/users/1/role",
        "/users/1/state",
        "/users/1/password",
        "/users/1/access/end",
    ):
        answer = await post(stranger, path)
        assert answer.status_code == 403, path
        assert "Your password again" in answer.text


async def test_what_lets_in_over_the_api_needs_a_fresh_password_too(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    secret = await session_of(opened, await user(opened))
    stranger.cookies.set("ctiscraper", secret)
    headers = {**SAME_SITE, "x-csrf-token": csrf_token(secret)}
    lasting = {"POST /api/v1/tokens", "POST /api/v1/searches/{search_id}/feed"}
    managing = {
        name for name, rule in RULES.items() if rule is Permission.USER_WRITE and "/api/" in name
    }
    assert len(managing) == 5
    for name in lasting | managing:
        method, _, path = name.partition(" ")
        path = path.replace("{user_id}", "1").replace("{search_id}", "1")
        answer = await stranger.request(method, path, headers=headers, json={})
        assert answer.status_code == 403, name
        assert "/sudo" in answer.json()["detail"], name


async def test_a_new_password_ends_on_demand_what_else_lets_in(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened)
    await token_of(opened, user_id)
    await log_in(stranger)
    fields = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    await post(stranger, "/account/password", **fields)
    assert [one.live for one in await Tokens(opened).of(user_id)] == [True]
    fields = {"current": OTHER, "password": PASSWORD, "again": PASSWORD, "end_all": "true"}
    answer = await post(stranger, "/account/password", **fields)
    assert answer.headers["location"] == "/account?done=all"
    assert [one.live for one in await Tokens(opened).of(user_id)] == [False]
    assert "tokens, feeds and passkeys" in (await stranger.get("/account?done=all")).text


async def test_a_token_is_nobody_with_an_account(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    del app
    headers = {"authorization": f"Bearer {await token_of(opened, await user(opened))}"}
    for path in ("/account", "/sudo"):
        answer = await stranger.get(path, headers=headers)
        assert answer.status_code == 409
        assert "not to a token" in answer.text


async def test_passkeys_are_somebodys_own(stranger: httpx2.AsyncClient, opened: Database) -> None:
    await user(opened)
    await log_in(stranger)
    answer = await post(stranger, "/account/passkeys/remove", passkey="00" * 16)
    assert answer.status_code == 404
    options = (await post(stranger, "/account/passkeys/options")).json()
    assert options["authenticatorSelection"]["userVerification"] == "required"
    for credential in ("{}", "x", '{"response": {"clientDataJSON": "e30"}}'):
        answer = await post(stranger, "/account/passkeys/add", name="x", credential=credential)
        assert answer.status_code == 422
        assert "could not be checked" in answer.text
