"""A provider is believed when everything that it says holds, and not otherwise."""

import asyncio
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, RSAKey

from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.oidc import Provider
from ctiscraper.errors import SignOnError, UnavailableError
from ctiscraper.http import Client, EgressPolicy
from ctiscraper.identity import Role
from provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    FakeProvider,
    client_for,
    elliptic,
    first_key,
    provider_server,
)

BACK = "http://127.0.0.1:8000/oidc/callback"


def now() -> datetime:
    return datetime.now(UTC)


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with provider_server() as running:
        yield running


@pytest_asyncio.fixture
async def client(fake: FakeProvider) -> AsyncIterator[Client]:
    async with client_for(fake) as given:
        yield given


@pytest.fixture
def provider(fake: FakeProvider, client: Client) -> Provider:
    return Provider(fake.sign_on(), client, now=now)


async def logged_in(provider: Provider, fake: FakeProvider) -> Identity:
    address, way = await provider.begin(BACK)
    return await provider.redeem(fake.log_in(address)["code"], way, BACK)


async def test_somebody_is_who_the_provider_says(provider: Provider, fake: FakeProvider) -> None:
    address, way = await provider.begin(BACK)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(f"{fake.issuer}/authorize?")
    assert asked["response_type"] == "code"
    assert (asked["state"], asked["nonce"]) == (way.state, way.nonce)
    assert asked["code_challenge_method"] == "S256"
    assert way.verifier not in address
    assert len({way.state, way.nonce, way.verifier}) == 3
    identity = await provider.redeem(fake.log_in(address)["code"], way, BACK)
    assert identity == Identity(
        issuer=fake.issuer, subject="subject-1", login="ann", name="Ann Analyst", role=Role.ANALYST
    )
    assert CLIENT_SECRET not in str(fake.forms)
    assert fake.authorizations[0].startswith("Basic ")
    assert CLIENT_SECRET not in repr(provider.sign_on)


async def test_a_key_on_a_curve_does_as_well(provider: Provider, fake: FakeProvider) -> None:
    fake.key, fake.alg = elliptic("curve"), "ES256"
    assert (await logged_in(provider, fake)).subject == "subject-1"


async def test_the_secret_goes_in_the_form_where_the_provider_wants_that(
    provider: Provider, fake: FakeProvider
) -> None:
    fake.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await logged_in(provider, fake)
    assert fake.forms[0]["client_secret"] == CLIENT_SECRET
    assert fake.authorizations == [""]


async def test_what_a_provider_says_of_itself_is_asked_for_once(
    provider: Provider, fake: FakeProvider
) -> None:
    for _ in range(3):
        await logged_in(provider, fake)
    assert fake.asked.count("GET /.well-known/openid-configuration") == 1
    assert fake.asked.count("GET /keys") == 1


async def test_somebody_is_asked_again_and_since_then(
    provider: Provider, fake: FakeProvider
) -> None:
    plain, _ = await provider.begin(BACK)
    assert "prompt" not in plain
    assert "max_age" not in plain
    at = int(time.time())
    for auth_time, is_good in ((at, True), (at - 55, True), (at - 65, False), (None, False)):
        fake.claims = {"auth_time": auth_time}
        address, way = await provider.begin(BACK, again=True)
        assert "prompt=login&max_age=0" in address
        code = fake.log_in(address)["code"]
        if is_good:
            assert (await provider.redeem(code, way, BACK, asked_at=at)).subject == "subject-1"
            continue
        with pytest.raises(SignOnError):
            await provider.redeem(code, way, BACK, asked_at=at)


async def test_a_provider_that_is_away_is_asked_once_for_all_who_come(
    fake: FakeProvider, client: Client
) -> None:
    clock = [0.0]
    provider = Provider(fake.sign_on(), client, now=now, clock=lambda: clock[0])
    fake.discovery = {"issuer": "https://evil.example"}
    done = await asyncio.gather(*(provider.begin(BACK) for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in done} == {UnavailableError}
    assert len(fake.asked) == 1
    clock[0] = 9.9
    with pytest.raises(UnavailableError, match="calls itself"):
        await provider.begin(BACK)
    assert len(fake.asked) == 1
    clock[0], fake.discovery = 10.1, {}
    await asyncio.gather(*(provider.begin(BACK) for _ in range(20)))
    assert len(fake.asked) == 2


async def test_an_unknown_key_is_asked_for_once_more(
    provider: Provider, fake: FakeProvider
) -> None:
    await logged_in(provider, fake)
    fake.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await logged_in(provider, fake)).subject == "subject-1"
    assert fake.asked.count("GET /keys") == 2
    fake.published, fake.key = [fake.key], RSAKey.generate_key(2048, {"kid": "three"})
    with pytest.raises(SignOnError, match="unknown key"):
        await logged_in(provider, fake)
    assert fake.asked.count("GET /keys") == 3


def _seconds(ago: float) -> int:
    return int(time.time() - ago)


CLAIMS: dict[str, dict[str, Any]] = {
    "wrong issuer": {"iss": "https://evil.example"},
    "issuer with a slash more": {"iss": "http://127.0.0.1/"},
    "no issuer": {"iss": None},
    "wrong audience": {"aud": "another-program"},
    "no audience": {"aud": None},
    "an audience that only begins so": {"aud": f"{CLIENT_ID}-2"},
    "two audiences and nobody named": {"aud": [CLIENT_ID, "another-program"]},
    "made for another program": {"azp": "another-program"},
    "wrong nonce": {"nonce": "made-up"},
    "a list of nonces": {"nonce": ["made-up"]},
    "no nonce": {"nonce": None},
    "expired": {"exp": _seconds(61 + 600)},
    "never expires": {"exp": None},
    "expires by name": {"exp": "tomorrow"},
    "issued tomorrow": {"iat": _seconds(-86_400)},
    "not yet good": {"nbf": _seconds(-86_400)},
    "about nobody": {"sub": None},
    "about an empty name": {"sub": ""},
    "about a long name": {"sub": "x" * 256},
    "about a list": {"sub": ["subject-1"]},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_claims_that_do_not_hold_let_nobody_in(
    provider: Provider, fake: FakeProvider, claims: dict[str, Any]
) -> None:
    fake.claims = claims
    with pytest.raises(SignOnError):
        await logged_in(provider, fake)


@pytest.mark.parametrize(("seconds", "is_good"), [(30, True), (90, False)])
async def test_clocks_may_differ_by_a_minute(
    provider: Provider, fake: FakeProvider, *, seconds: int, is_good: bool
) -> None:
    for claims in ({"exp": _seconds(seconds)}, {"iat": _seconds(-seconds)}):
        fake.claims = claims
        if is_good:
            await logged_in(provider, fake)
            continue
        with pytest.raises(SignOnError):
            await logged_in(provider, fake)


def _unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    coded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, ""])


def _by_another_key(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048, {"kid": "one"})
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key, ["RS256"])


def _by_our_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(CLIENT_SECRET + "-" * 40)
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, ["HS256"])


def _by_a_key_of_its_own(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048)
    header = {"alg": "RS256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, ["RS256"])


def _by_another_algorithm(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS512", "kid": "one"}, claims, first_key(), ["RS512"])


def _by_a_key_that_it_says_where_to_find(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048, {"kid": "one"})
    header = {"alg": "RS256", "kid": "one", "jku": f"{claims['iss']}/keys-of-another"}
    return jwt.encode(header, claims, key, ["RS256"])


FORGERIES = {
    "alg none": _unsigned,
    "the right key by an algorithm that is not listed": _by_another_algorithm,
    "a key that it says where to find": _by_a_key_that_it_says_where_to_find,
    "another key under the same name": _by_another_key,
    "signed with a secret": _by_our_secret,
    "a key of its own": _by_a_key_of_its_own,
    "no token": lambda _: "not-a-token",
    "empty": lambda _: "",
    "five parts": lambda _: "a.b.c.d.e",
    "not JSON": lambda _: "bm8.bm8.bm8",
    "nested too deeply": lambda _: f"{urlsafe_b64encode(b'[' * 12_000).decode()}.e30.e30",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_what_the_provider_has_not_signed_lets_nobody_in(
    provider: Provider,
    fake: FakeProvider,
    forgery: Any,  # noqa: ANN401 - any of the above
) -> None:
    fake.token = forgery
    with pytest.raises(SignOnError):
        await logged_in(provider, fake)
    assert set(fake.asked) == {"GET /.well-known/openid-configuration", "GET /keys", "POST /token"}


@pytest.mark.parametrize(("bits", "is_long"), [(1024, False), (2040, False), (2048, True)])
async def test_a_key_that_is_too_short_proves_nothing(
    provider: Provider, fake: FakeProvider, bits: int, *, is_long: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        fake.key = RSAKey.import_key(
            rsa.generate_private_key(65_537, bits).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            {"kid": "short"},
        )
        if is_long:
            assert (await logged_in(provider, fake)).subject == "subject-1"
            return
        with pytest.raises(SignOnError, match="unknown key"):
            await logged_in(provider, fake)


@pytest.mark.parametrize("modulus", [None, 1, "", "!", "é"])
async def test_a_key_without_its_modulus_is_none(
    provider: Provider, fake: FakeProvider, modulus: object
) -> None:
    key = first_key().as_dict(private=False) | {"n": modulus}
    fake.published = [cast("RSAKey", SimpleNamespace(as_dict=lambda **_: key))]
    with pytest.raises(SignOnError, match="unknown key"):
        await logged_in(provider, fake)


async def test_a_changed_token_lets_nobody_in(provider: Provider, fake: FakeProvider) -> None:
    def changed(claims: dict[str, Any]) -> str:
        good = jwt.encode({"alg": "RS256", "kid": "one"}, claims, fake.key, ["RS256"])
        head, _, signature = good.split(".")
        made = json.dumps(claims | {"groups": ["cti-admins"]}).encode()
        return f"{head}.{urlsafe_b64encode(made).decode().rstrip('=')}.{signature}"

    fake.token = changed
    with pytest.raises(SignOnError):
        await logged_in(provider, fake)


async def test_a_token_signed_as_text_lets_nobody_in(
    provider: Provider, fake: FakeProvider
) -> None:
    fake.token = lambda _: jws.serialize_compact(
        {"alg": "RS256", "kid": "one"}, b'"just a text"', fake.key, ["RS256"]
    )
    with pytest.raises(SignOnError):
        await logged_in(provider, fake)


async def test_a_code_is_good_for_one_time_and_for_its_own_login(
    provider: Provider, fake: FakeProvider
) -> None:
    address, way = await provider.begin(BACK)
    code = fake.log_in(address)["code"]
    await provider.redeem(code, way, BACK)
    with pytest.raises(SignOnError, match=r"refused the code \(invalid_grant\)"):
        await provider.redeem(code, way, BACK)
    stolen = fake.log_in((await provider.begin(BACK))[0])["code"]
    with pytest.raises(SignOnError, match="invalid_grant"):
        await provider.redeem(stolen, way, BACK)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": "http://127.0.0.1"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": None},
    ],
)
async def test_a_provider_that_says_odd_things_of_itself_is_not_used(
    provider: Provider, fake: FakeProvider, discovery: dict[str, Any]
) -> None:
    fake.discovery = discovery
    with pytest.raises(UnavailableError):
        await logged_in(provider, fake)


async def test_the_way_out_is_guarded(fake: FakeProvider) -> None:
    client = Client(EgressPolicy(user_agent="test"))
    try:
        with pytest.raises(UnavailableError, match="cannot be asked"):
            await Provider(fake.sign_on(), client, now=now).begin(BACK)
    finally:
        await client.aclose()
    assert fake.asked == []
