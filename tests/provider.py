"""A little OpenID Connect provider on loopback: real keys, and whatever answer a test wants."""

import asyncio
import contextlib
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from ctiscraper.access.identity_claims import SignOn
from ctiscraper.http import Client, EgressPolicy
from ctiscraper.identity import Role
from loopback import LOOPBACK, USER_AGENT, reply, served

CLIENT_ID = "cti-scraper"
CLIENT_SECRET = "s3cret & more"
ROLES = {"cti-readers": Role.VIEWER, "cti-analysts": Role.ANALYST, "cti-admins": Role.ADMIN}


@cache
def first_key() -> RSAKey:
    """The key that providers begin with: making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class FakeProvider:
    """What the provider answers; `code` is good for one time, and for its verifier alone."""

    port: int = 0
    key: Key = field(default_factory=first_key)
    alg: str = "RS256"
    published: list[Key] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    token: Callable[[dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        """Its name."""
        return f"http://127.0.0.1:{self.port}"

    def sign_on(self, **changes: Any) -> SignOn:  # noqa: ANN401 - a builder
        """How an installation knows it."""
        known: dict[str, Any] = {
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "roles": ROLES,
        }
        return SignOn(**(known | changes))

    def policy(self) -> EgressPolicy:
        """A way out that leads here."""
        return EgressPolicy(
            user_agent=USER_AGENT,
            allow_networks=(LOOPBACK,),
            allow_ports=frozenset({self.port}),
        )

    def log_in(self, address: str) -> dict[str, str]:
        """Log somebody in who was sent to `address`; what he comes back with."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def signed(self, asked: dict[str, str]) -> str:
        """The ID token of a login."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "Ann",
            "name": "Ann Analyst",
            "groups": ["everybody", "cti-analysts"],
        }
        claims |= self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.token is not None:
            return self.token(claims)
        return jwt.encode({"alg": self.alg, "kid": self.key.kid}, claims, self.key, [self.alg])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await self._exchange(reader, writer)
        finally:
            writer.transport.abort()
            # The transport closes its socket a turn of the loop later.
            await asyncio.sleep(0)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split(" ")
        self.asked.append(f"{method} {path}")
        status, answer = self._answer(path, headers, body.decode())
        said = json.dumps(answer).encode()
        writer.write(reply(said, {"Content-Type": "application/json"}, status=status))
        await writer.drain()

    def _answer(self, path: str, headers: dict[str, str], body: str) -> tuple[int, object]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            } | self.discovery
        if path == "/keys":
            odd = {"kty": "PQ", "kid": "later"}
            published = self.published or [self.key]
            return 200, {"keys": [odd, *(key.as_dict(private=False) for key in published)]}
        if path == "/token":
            return self._redeem(headers, body)
        return 404, {}

    def _redeem(self, headers: dict[str, str], body: str) -> tuple[int, object]:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.forms.append(form)
        self.authorizations.append(headers.get("authorization", ""))
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = sha256(form["code_verifier"].encode()).digest()
        if asked["code_challenge"] != urlsafe_b64encode(digest).decode().rstrip("="):
            return 400, {"error": "invalid_grant", "error_description": "<b>verifier</b>"}
        if not self._knows(form, headers):
            return 401, {"error": "invalid_client"}
        return 200, {
            "access_token": "access-token-of-the-provider",
            "token_type": "Bearer",
            "id_token": self.signed(asked),
        }

    def _knows(self, form: dict[str, str], headers: dict[str, str]) -> bool:
        if "client_secret" in form:
            return form["client_secret"] == CLIENT_SECRET
        scheme, _, pair = headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return False
        name, _, secret = b64decode(pair).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


@asynccontextmanager
async def provider_server() -> AsyncIterator[FakeProvider]:
    """Yield a running provider."""
    provider = FakeProvider()
    async with served(provider.serve) as provider.port:
        yield provider


@asynccontextmanager
async def client_for(provider: FakeProvider) -> AsyncIterator[Client]:
    """Yield an outbound client that may ask the provider."""
    client = Client(provider.policy())
    try:
        yield client
    finally:
        await client.aclose()


def elliptic(kid: str) -> ECKey:
    """A new key for ES256."""
    return ECKey.generate_key("P-256", {"kid": kid})
