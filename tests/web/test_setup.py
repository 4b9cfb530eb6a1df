"""The first visit: before it nothing is answered, after it it is gone."""

import asyncio
import re

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from ctiscraper.web.rules import RULES
from web.signing import PASSWORD, SAME_SITE, post


@pytest.fixture
def accounts(opened: Database) -> Accounts:
    return Accounts(opened, Passwords())


def form(token: str, **other: str) -> dict[str, str]:
    """What the page sends."""
    named = {"login": "Jane", "name": "Jane Doe", "password": PASSWORD, "again": PASSWORD}
    return {"token": token, **named, **other}


OPEN = {
    *("/setup", "/password", "/theme", "/view", "/health", "/health/live", "/health/ready"),
    # Whose address is right has been given it by somebody.
    *("/feeds/{token}.atom", "/feeds/{token}.json"),
    # Whom a provider vouches for needs no first visit; tests/web/test_oidc.py asks them.
    *("/oidc/start", "/oidc/callback", "/oidc/balancer"),
}


async def test_nothing_else_is_answered_before(stranger: httpx2.AsyncClient) -> None:
    assert (await stranger.get("/setup")).status_code == 200
    for rule in RULES:
        method, _, path = rule.partition(" ")
        if path in OPEN:
            continue
        address = re.sub(r"\{\w+\}", "1", path)
        answer = await stranger.request(method, address, headers=SAME_SITE)
        assert answer.status_code == 503, rule
        assert "Nobody may log in yet" in answer.text
        assert "<nav" not in answer.text, "what cannot be opened is not offered"


async def test_the_first_visit_makes_the_administrator_and_logs_him_in(
    stranger: httpx2.AsyncClient, accounts: Accounts
) -> None:
    token = await accounts.offer_setup()
    answer = await post(stranger, "/setup", **form(token))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await stranger.get("/")).status_code == 200
    [user] = await accounts.users.all()
    assert (user.login, user.name, user.role) == ("jane", "Jane Doe", Role.ADMIN)
    for method in ("GET", "POST"):
        gone = await stranger.request(method, "/setup", headers=SAME_SITE)
        assert gone.status_code == 410
    late = await accounts.offer_setup()
    assert (await post(stranger, "/setup", **form(late, login="late"))).status_code == 410
    assert len(await accounts.users.all()) == 1


async def test_twenty_visits_at_once_make_one(
    stranger: httpx2.AsyncClient, accounts: Accounts, opened: Database
) -> None:
    token = await accounts.offer_setup()
    # As many as one address may try.
    done = await asyncio.gather(
        *(post(stranger, "/setup", **form(token, login=f"admin{n}")) for n in range(20))
    )
    statuses = [answer.status_code for answer in done]
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 403, 410, 429}
    assert len(await Users(opened).all()) == 1


async def test_what_is_wrong_is_told_and_what_was_typed_stays(
    stranger: httpx2.AsyncClient, accounts: Accounts
) -> None:
    token = await accounts.offer_setup()
    for wrong, status, words in (
        (form("x" * 22), 403, "This address is wrong"),
        (form(token, again="another"), 422, "not the same"),
        (form(token, password="password1234", again="password1234"), 422, "first that are"),
        (form(token, login="j d"), 422, "A login has"),
    ):
        answer = await post(stranger, "/setup", **wrong)
        assert (answer.status_code, words) == (status, words)
        assert words in answer.text
        assert 'value="Jane Doe"' in answer.text
        assert PASSWORD not in answer.text
    assert await accounts.users.all() == ()


async def test_guesses_are_counted(stranger: httpx2.AsyncClient, accounts: Accounts) -> None:
    token = await accounts.offer_setup()
    for _ in range(10):
        assert (await post(stranger, "/setup", **form("x" * 22))).status_code == 403
    answer = await post(stranger, "/setup", **form(token))
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 300


async def test_the_log_tells_of_no_secret(
    stranger: httpx2.AsyncClient, accounts: Accounts, app: FastAPI
) -> None:
    del app
    token = await accounts.offer_setup()
    with capture_logs() as logs:
        await post(stranger, "/setup", **form(token))
    assert logs
    assert token not in str(logs)
    assert PASSWORD not in str(logs)
