"""Where passwords alone let nobody in."""

import re
from collections.abc import AsyncIterator

import httpx2
import pyotp
import pytest
import pytest_asyncio

from ctiscraper.access.cookies import csrf_token
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.rules import RULES
from ctiscraper.web.second_factor import OPEN
from people import person, session_of
from web.signing import SAME_SITE, log_in, post, user


@pytest_asyncio.fixture
async def asking(opened: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser before an installation that wants a second factor of everybody."""
    app = create_app(WebServices(database=opened, require_second_factor=True))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_whoever_has_a_password_alone_sets_up_an_app_first(
    asking: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    await log_in(asking)
    for path in ("/", "/dashboard", "/users", "/tokens", "/articles/1"):
        answer = await asking.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account"), path
    csrf = csrf_token(asking.cookies["ctiscraper"])
    headers = {**SAME_SITE, "x-csrf-token": csrf}
    for method, path in (
        ("GET", "/api/v1/articles"),
        ("GET", "/api/v1/events"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/account/password"),
        ("POST", "/account/passkeys/add"),
    ):
        answer = await asking.request(method, path, headers=headers)
        assert answer.status_code == 403, path
        assert "set up an app" in answer.text
    page = await asking.get("/account")
    assert "Here a password alone lets nobody in" in page.text
    page = await post(asking, "/account/totp/begin")
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert found is not None
    app = pyotp.TOTP(found[1].replace(" ", ""))
    assert (await asking.get("/")).headers["location"] == "/account"
    await post(asking, "/account/totp/confirm", code=app.at(opened.clock()))
    assert (await asking.get("/")).status_code == 200
    assert "a password alone lets" not in (await asking.get("/account")).text
    # Without it he is where he was.
    await post(asking, "/account/totp/remove")
    assert (await asking.get("/")).headers["location"] == "/account"
    assert (await post(asking, "/logout")).status_code == 303


async def test_whoever_has_no_password_comes_in_by_what_is_more(
    asking: httpx2.AsyncClient, opened: Database
) -> None:
    """A passkey has the device ask who he is; a provider has its own rules."""
    asking.cookies.set("ctiscraper", await session_of(opened, await person(opened, Role.VIEWER)))
    assert (await asking.get("/")).status_code == 200


async def test_where_it_is_not_asked_for_a_password_is_enough(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await user(opened)
    await log_in(stranger)
    assert (await stranger.get("/")).status_code == 200


@pytest.mark.parametrize("name", sorted(OPEN))
def test_what_stays_open_is_a_route(name: str) -> None:
    assert name in RULES
