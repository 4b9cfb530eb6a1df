"""Logging in and out, and what was typed when a session ended."""

import asyncio
import re
from base64 import urlsafe_b64encode
from datetime import timedelta

import httpx2
import pyotp
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import csrf_token, session_key
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer
from ctiscraper.admission import Admission
from ctiscraper.db.principals import Principals
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.carried import MOST
from ctiscraper.web.deps import WebServices
from people import person, session_of
from web.signing import OTHER, PASSWORD, SAME_SITE, hidden, log_in, post, user


async def test_somebody_logs_in_and_out(stranger: httpx2.AsyncClient, opened: Database) -> None:
    await user(opened)
    page = await stranger.get("/login?next=/sources%3Fa%3D1")
    fields = hidden(page.text, "/login")
    assert fields["next"] == "/sources?a=1"
    answer = await post(stranger, "/login", login="jane", password=PASSWORD, next=fields["next"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/sources?a=1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("ctiscraper=")
    for word in ("HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"):
        assert word in cookie
    assert "Domain" not in cookie
    page = await stranger.get("/")
    assert "<bdi>Jane</bdi>" in page.text
    assert (await stranger.get("/login?next=/watchlist")).headers["location"] == "/watchlist"
    secret = stranger.cookies["ctiscraper"]
    answer = await post(stranger, "/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    stranger.cookies.set("ctiscraper", secret)
    assert (await stranger.get("/")).status_code == 303


async def test_passwords_are_hidden_and_managers_may_fill_them_in(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    pages = [await stranger.get(path) for path in ("/login", "/password")]
    await log_in(stranger)
    pages += [await stranger.get(path) for path in ("/account", "/sudo")]
    app = create_app(WebServices(database=opened))
    async with opened.connection() as conn:
        await conn.execute("UPDATE user_session SET sudo_until = NULL")
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", cookies=dict(stranger.cookies)
    ) as later:
        pages.append(await later.get("/sudo"))
    fields = [
        field
        for page in pages
        for field in re.findall(r"<input[^>]*>", page.text)
        if re.search(r'name="(?:password|again|current)"', field)
    ]
    assert len(fields) >= 7
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(?:current|new)-password"', field), field
        assert "onpaste" not in field
        assert "readonly" not in field


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "x"])
async def test_a_login_leads_nowhere_else(
    stranger: httpx2.AsyncClient, opened: Database, target: str
) -> None:
    await user(opened)
    answer = await post(stranger, "/login", login="jane", password=PASSWORD, next=target)
    assert answer.headers["location"] == "/"


async def test_over_tls_the_cookie_is_bound_to_its_host(opened: Database) -> None:
    await user(opened)
    transport = httpx2.ASGITransport(create_app(WebServices(database=opened)))
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        answer = await log_in(client)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-ctiscraper=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert (await client.get("/")).status_code == 200


async def test_whoever_is_wrong_is_told_nothing_more(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    for login, password in (("jane", OTHER), ("nobody", PASSWORD)):
        answer = await log_in(stranger, login, password)
        assert answer.status_code == 401
        assert "The login or the password is wrong" in answer.text
        assert password not in answer.text
        assert "set-cookie" not in answer.headers


async def test_too_many_are_told_how_long_to_wait(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    statuses = [(await log_in(stranger, password="x")).status_code for _ in range(10)]
    assert statuses == [401] * 10
    answer = await log_in(stranger)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 300
    assert "Too many tries" in answer.text


async def test_nobody_is_let_in_while_the_database_is_away() -> None:
    gone = Database("host=/nonexistent user=nobody", size=1)
    transport = httpx2.ASGITransport(create_app(WebServices(database=gone)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await log_in(client)
        assert answer.status_code == 503
        assert "The database does not answer" in answer.text
        assert "set-cookie" not in answer.headers


async def test_what_was_typed_outlives_the_session(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    await user(opened)
    await log_in(stranger)
    await Sessions(opened).end(session_key(stranger.cookies["ctiscraper"]))
    app.state.doorman.forget()
    typed = {"kind": "keyword", "term": 'lan"tern <b>', "weight": "0.5", "note": ""}
    lost = await post(stranger, "/watchlist/add", **typed)
    assert lost.status_code == 401
    assert "Your session has ended" in lost.text
    fields = hidden(lost.text, "/login")
    again = await post(
        stranger, "/login", login="jane", password=OTHER, **{k: fields[k] for k in ("carried",)}
    )
    assert again.status_code == 401
    fields = hidden(again.text, "/login")
    page = await post(stranger, "/login", login="jane", password=PASSWORD, **fields)
    assert page.status_code == 200
    resumed = hidden(page.text, "/watchlist/add")
    assert {k: v for k, v in resumed.items() if k != "csrf"} == typed
    done = await stranger.post("/watchlist/add", data=resumed, headers=SAME_SITE)
    assert done.headers["location"] == "/watchlist?added=1"


async def test_what_was_carried_goes_nowhere_but_where_it_was_sent(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    foreign = Sealer.of_this_process().seal("form", b"/users/1/state\nstate=disabled").hex()
    for forged in ("", "x", foreign, "é", "A" * 500_000):
        answer = await post(stranger, "/login", login="jane", password=PASSWORD, carried=forged)
        assert answer.status_code == 303
        await post(stranger, "/logout")


async def lost_session(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI, login: str = "jane"
) -> None:
    """Somebody was logged in, and is no more."""
    await log_in(stranger, login)
    await Sessions(opened).end(session_key(stranger.cookies["ctiscraper"]))
    app.state.doorman.forget()


WATCHED = {"kind": "keyword", "term": "lantern", "weight": "0.5", "note": ""}


async def test_what_somebody_typed_is_shown_to_nobody_else(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    await user(opened)
    await user(opened, "john")
    await lost_session(stranger, opened, app)
    lost = await post(stranger, "/watchlist/add", **WATCHED)
    fields = hidden(lost.text, "/login")
    other = await post(stranger, "/login", login="john", password=PASSWORD, **fields)
    assert (other.status_code, "lantern" in other.text) == (303, False)


async def test_what_was_typed_is_kept_for_half_a_day(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    jane = await user(opened)
    now = int(opened.clock().timestamp())
    for until, status in ((now - 5, 303), (now + 60, 200)):
        content = f"{until}\n/watchlist/add\nterm=lantern".encode()
        sealed = app.state.services.sealer.seal_text(f"form of {jane}", content)
        answer = await post(stranger, "/login", login="jane", password=PASSWORD, carried=sealed)
        assert answer.status_code == status
        await post(stranger, "/logout")


async def test_a_password_is_carried_nowhere(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    await user(opened)
    await lost_session(stranger, opened, app)
    given = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    lost = await post(stranger, "/account/password", **given)
    assert lost.status_code == 401
    assert "carried" not in hidden(lost.text, "/login")
    assert "has not been taken" in lost.text
    # What waited behind the question for the password waits on.
    lost = await post(stranger, "/watchlist/add", **WATCHED)
    typed = hidden(lost.text, "/login")["carried"]
    lost = await post(stranger, "/sudo", password=PASSWORD, carried=typed)
    assert hidden(lost.text, "/login")["carried"] == typed
    page = await post(stranger, "/login", login="jane", password=PASSWORD, carried=typed)
    assert hidden(page.text, "/watchlist/add")["term"] == "lantern"
    assert PASSWORD not in page.text


async def test_what_nobody_is_known_to_have_typed_is_not_carried(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    lost = await post(stranger, "/watchlist/add", **WATCHED)
    assert "carried" not in hidden(lost.text, "/login")
    stranger.cookies.set("ctiscraper_known", "made-up")
    lost = await post(stranger, "/watchlist/add", **WATCHED)
    assert "carried" not in hidden(lost.text, "/login")


async def test_a_browser_of_ones_own_is_let_in_while_others_guess(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    await user(opened)
    await user(opened, "john")
    await log_in(stranger)
    cookies = stranger.cookies
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as guessing:
        for _ in range(10):
            assert (await log_in(guessing, password="x")).status_code == 401
        assert (await log_in(guessing)).status_code == 429
        # A cookie of another, or one that was made up, changes nothing.
        for value in (cookies["ctiscraper_known"][:-2], "x", ""):
            guessing.cookies.set("ctiscraper_known", value)
            assert (await log_in(guessing)).status_code == 429
    await post(stranger, "/logout")
    assert (await log_in(stranger, "john")).status_code == 429
    assert (await log_in(stranger)).status_code == 303
    remembered = str(cookies["ctiscraper_known"])
    assert "jane" not in remembered


async def test_a_browser_is_remembered_without_a_script_or_another_site_seeing_it(
    opened: Database,
) -> None:
    await user(opened)
    transport = httpx2.ASGITransport(create_app(WebServices(database=opened)))
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        cookies = (await log_in(client)).headers.get_list("set-cookie")
    [cookie] = [one for one in cookies if one.startswith("__Host-ctiscraper_known=")]
    for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=15552000"):
        assert word in cookie


async def test_too_much_is_not_carried(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    await user(opened)
    await lost_session(stranger, opened, app)
    lost = await post(stranger, "/watchlist/import", lines="x" * (MOST + 1))
    assert lost.status_code == 401
    assert "carried" not in hidden(lost.text, "/login")
    assert "has not been taken" in lost.text


async def test_a_code_is_asked_for_after_the_password(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened)
    sealer = Sealer.of_this_process()
    admission = Admission(opened, passwords=Passwords(), sealer=sealer)
    app = create_app(WebServices(database=opened, sealer=sealer))
    secret = pyotp.TOTP(await admission.begin_totp(user_id))
    await admission.confirm_totp(user_id, secret.at(opened.clock()))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        page = await post(client, "/login", login="jane", password=PASSWORD, next="/sources")
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        assert (await client.get("/")).status_code == 303
        fields = hidden(page.text, "/login/code")
        wrong = await post(client, "/login/code", **fields, code="000000")
        assert wrong.status_code == 401
        fields = hidden(wrong.text, "/login/code")
        following = secret.at(opened.clock() + timedelta(seconds=30))
        done = await post(client, "/login/code", **fields, code=following)
        assert (done.status_code, done.headers["location"]) == (303, "/sources")
        assert (await client.get("/")).status_code == 200
    expired = await post(stranger, "/login/code", step="x" * 22, code="000000")
    assert expired.status_code == 401
    assert "took too long" in expired.text


async def test_a_passkey_that_is_none_lets_nobody_in(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    options = await stranger.post("/login/passkey/options", headers=SAME_SITE)
    assert options.json()["userVerification"] == "required"
    deep = urlsafe_b64encode(b"[" * 10_000).decode().rstrip("=")
    for credential in (
        *("", "{}", "[]", "nonsense", '{"response": {"clientDataJSON": "e30"}}'),
        *("[" * 19_000, '{"response": {"clientDataJSON": "' + deep + '"}}'),
    ):
        answer = await post(stranger, "/login/passkey", credential=credential)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


async def test_the_password_is_asked_for_again_after_a_while(
    stranger: httpx2.AsyncClient, opened: Database, app: FastAPI
) -> None:
    user_id = await user(opened)
    await user(opened, "john", Role.VIEWER)
    secret = await session_of(opened, user_id)
    stranger.cookies.set("ctiscraper", secret, domain="127.0.0.1")
    asked = await post(stranger, "/users/add", login="new", name="", role="viewer")
    assert asked.status_code == 403
    fields = hidden(asked.text, "/sudo")
    wrong = await stranger.post("/sudo", data={**fields, "password": OTHER}, headers=SAME_SITE)
    assert wrong.status_code == 403
    assert "This is not your password" in wrong.text
    fields = hidden(wrong.text, "/sudo")
    page = await stranger.post("/sudo", data={**fields, "password": PASSWORD}, headers=SAME_SITE)
    assert page.status_code == 200
    # Whoever had the cookie of before has nothing any more.
    renewed = stranger.cookies["ctiscraper"]
    assert renewed != secret
    assert await Principals(opened).of_session(session_key(secret)) is None
    assert len(await Sessions(opened).of_user(user_id)) == 1
    again = hidden(page.text, "/users/add")
    done = await stranger.post("/users/add", data=again, headers=SAME_SITE)
    assert done.status_code == 200
    assert "/password#token=" in done.text
    async with opened.connection() as conn:
        await conn.execute("UPDATE user_session SET sudo_until = now() - interval '1 s'")
    app.state.doorman.forget()
    assert (await post(stranger, "/users/add", login="x", role="viewer")).status_code == 403
    api = await stranger.post(
        "/api/v1/users",
        json={"login": "x", "role": "viewer"},
        headers={**SAME_SITE, "x-csrf-token": csrf_token(renewed)},
    )
    assert api.status_code == 403
    assert "/sudo" in api.json()["detail"]


async def test_passwords_are_guessed_ten_times_in_an_open_browser(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, await user(opened)))
    done = await asyncio.gather(*(post(stranger, "/sudo", password=OTHER) for _ in range(14)))
    assert sorted(answer.status_code for answer in done) == [403] * 10 + [429] * 4


@pytest.mark.parametrize("role", list(Role))
async def test_the_menu_offers_what_the_role_may(
    stranger: httpx2.AsyncClient, opened: Database, role: Role
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, await person(opened, role)))
    page = await stranger.get("/")
    assert f"The the-{role}" in page.text
    assert 'href="/account"' in page.text
    assert ('href="/users"' in page.text) == (role is Role.ADMIN)
