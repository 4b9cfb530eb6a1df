"""A form is sent once, guarded and bounded as everything else is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http import Client, EgressPolicy, FetchLimits
from loopback import LOOPBACK, USER_AGENT, closing, moved, origin_server, reply
from provider import FakeProvider, client_for, provider_server

LIMITS = FetchLimits(max_bytes=10_000, seconds=5)
FORM = {"code": "a b&c=d", "code_verifier": "é", "redirect_uri": "x"}


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with provider_server() as running:
        yield running


async def test_a_form_arrives_as_it_was_meant(fake: FakeProvider) -> None:
    async with asyncio.timeout(10), client_for(fake) as client:
        for _ in range(3):
            page = await client.post_form(f"{fake.issuer}/token", FORM, limits=LIMITS)
        assert (page.status, page.body) == (400, b'{"error": "invalid_grant"}')
        assert (await client.get(f"{fake.issuer}/keys", limits=LIMITS)).status == 200
    assert fake.forms == [FORM] * 3


async def test_a_redirect_is_not_followed_and_nothing_is_sent_twice() -> None:
    async with origin_server() as origin:
        client = Client(origin.policy())
        origin.answers["/moved"] = moved("http://site.test/other", status=307)
        page = await client.post_form("http://site.test/moved", FORM, limits=LIMITS)
        assert page.status == 307
        origin.answers["/cut"] = closing(b"")
        with pytest.raises(FetchError):
            await client.post_form("http://site.test/cut", FORM, limits=LIMITS)
        assert origin.count("/cut") == 1
        origin.answers["/large"] = reply(b"x" * 20_000)
        with pytest.raises(FetchError) as caught:
            await client.post_form("http://site.test/large", FORM, limits=LIMITS)
        assert caught.value.reason is Reason.TOO_LARGE
        await client.aclose()


async def test_a_form_goes_nowhere_that_is_not_allowed(fake: FakeProvider) -> None:
    for policy in (
        EgressPolicy(user_agent=USER_AGENT, allow_ports=frozenset({fake.port})),
        EgressPolicy(user_agent=USER_AGENT, allow_networks=(LOOPBACK,)),
    ):
        client = Client(policy)
        with pytest.raises(FetchError):
            await client.post_form(f"{fake.issuer}/token", FORM, limits=LIMITS)
        await client.aclose()
    assert fake.asked == []
