"""What a provider gives for a login stays here, and its way is this browser's alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from joserfc import jwt

from ctiscraper.access.oidc import Provider
from ctiscraper.db.session import Database
from ctiscraper.telemetry import configure_logs
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from provider import FakeProvider, client_for, provider_server
from web.test_tokens import dumped


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with provider_server() as running:
        yield running


@pytest_asyncio.fixture
async def app(opened: Database, fake: FakeProvider) -> AsyncIterator[FastAPI]:
    async with client_for(fake) as outbound:
        provider = Provider(fake.sign_on(), outbound, now=lambda: datetime.now(UTC))
        yield create_app(WebServices(database=opened, provider=provider))


async def test_what_the_provider_gives_stays_with_the_web_process(
    stranger: httpx2.AsyncClient,
    fake: FakeProvider,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a browser nor a table nor the log has the ID token, the access token or a code."""
    given: list[str] = []

    def signed(claims: dict[str, object]) -> str:
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, fake.key, ["RS256"])
        given.append(token)
        return token

    fake.token = signed
    configure_logs(json=True, level="debug")
    begun = await stranger.get("/oidc/start")
    back = fake.log_in(begun.headers["location"])
    answer = await stranger.get("/oidc/callback", params=back)
    page = await stranger.get("/account")
    assert (answer.status_code, page.status_code, len(given)) == (303, 200, 1)
    log = "".join(capsys.readouterr())
    assert '"event": "request"' in log
    shown = f"{answer.headers}{answer.text}{page.headers}{page.text}{dict(stranger.cookies)}"
    for secret in (*given[0].split("."), back["code"], fake.forms[0]["code_verifier"]):
        assert secret not in shown + log
        assert secret not in dumped(database)
    assert "access-token-of-the-provider" not in shown + log + dumped(database)


async def test_over_tls_the_way_to_the_provider_is_bound_to_this_host(
    app: FastAPI, fake: FakeProvider
) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        cookies = (await client.get("/oidc/start")).headers.get_list("set-cookie")
    assert fake.asked
    [cookie] = [one for one in cookies if "_oidc=" in one]
    assert cookie.startswith("__Host-ctiscraper_oidc=")
    for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert word in cookie
    assert "Domain" not in cookie
