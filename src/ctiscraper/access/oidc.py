"""OpenID Connect: the way to a provider and back, each step checked.

Authorization code with PKCE (RFC 7636), state and nonce; discovery, keys and tokens are asked for
through the outbound client alone.
"""

import asyncio
import re
import secrets
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote_plus, urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from ctiscraper.access.identity_claims import LEEWAY_SECONDS, Identity, SignOn, identity_of
from ctiscraper.access.places import is_safe_address
from ctiscraper.errors import FetchError, SignOnError, UnavailableError
from ctiscraper.http import Client, FetchLimits
from ctiscraper.types import Page

ALGORITHMS = ("RS256", "ES256")
_LIMITS = FetchLimits(max_bytes=256_000, seconds=10.0, max_redirects=3)
# How long what a provider says of itself is believed.
_FRESH_SECONDS = 3_600.0
# How long one that did not answer is not asked again, whoever wants to log in.
_AWAY_SECONDS = 10.0
_WELL_KNOWN = "/.well-known/openid-configuration"
_AGAIN = "begin the login again"
_KEY_TYPES = {"RSA", "EC"}
# Shorter moduli are within reach of whoever wants to sign as the provider (NIST SP 800-131A).
_RSA_BITS = 2_048
_ERROR = re.compile(r"[a-z_]{1,60}")

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is remembered of somebody who was sent to the provider."""

    state: str
    nonce: str
    verifier: str


class _Provided(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct, frozen=True):
    """What a provider answers to a code."""

    id_token: str


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, object]]


class _UnknownKeyError(SignOnError):
    """A token whose key the provider has not named."""


class Provider:
    """One provider, found by its issuer."""

    def __init__(
        self,
        sign_on: SignOn,
        client: Client,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sign_on = sign_on
        self._client = client
        self._now = now
        self._clock = clock
        self._provided: tuple[float, _Provided] | None = None
        self._away: tuple[float, str] | None = None
        self._discovering = asyncio.Lock()
        self._keys: tuple[float, KeySet] | None = None

    async def begin(self, redirect_uri: str, *, again: bool = False) -> tuple[str, Way]:
        """Return the address that somebody is sent to, and what to remember of it.

        With `again` the provider asks who he is, though it has just let him in. Raises
        UnavailableError.
        """
        way = Way(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
        )
        challenge = urlsafe_b64encode(sha256(way.verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.sign_on.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.sign_on.scopes,
            "state": way.state,
            "nonce": way.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if again:
            asked |= {"prompt": "login", "max_age": "0"}
        address = (await self._discover()).authorization_endpoint
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", way

    async def redeem(
        self, code: str, way: Way, redirect_uri: str, *, asked_at: int | None = None
    ) -> Identity:
        """Return whom the provider vouches for. Raises SignOnError and UnavailableError.

        With `asked_at`, in seconds since 1970, it must have asked him since then.
        """
        provided = await self._discover()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": way.verifier,
            "client_id": self.sign_on.client_id,
        }
        headers = {"accept": "application/json"}
        secret = self.sign_on.client_secret
        if secret is not None and _takes_basic(provided):
            headers["authorization"] = _basic(self.sign_on.client_id, secret)
        elif secret is not None:
            fields["client_secret"] = secret
        try:
            answer = await self._client.post_form(
                provided.token_endpoint, fields, limits=_LIMITS, headers=headers
            )
        except FetchError as error:
            raise _away(self.sign_on.issuer, str(error)) from error
        if answer.status != HTTPStatus.OK:
            raise SignOnError(f"the provider refused the code{_error_of(answer)}; {_AGAIN}")
        claims = await self._claims(_read(answer, _Tokens, self.sign_on.issuer).id_token)
        self._check(claims, way.nonce)
        if asked_at is not None:
            _check_asked(claims, asked_at, int(self._now().timestamp()))
        return identity_of(claims, self.sign_on)

    async def _claims(self, token: str) -> dict[str, object]:
        """Return what a signed token says. Raises SignOnError and UnavailableError."""
        try:
            return _verified(token, await self._key_set())
        except _UnknownKeyError:
            # Keys change; the token may be signed with one that came since we looked.
            self._keys = None
        return _verified(token, await self._key_set())

    def _check(self, claims: dict[str, object], nonce: str) -> None:
        """Raise SignOnError unless a token is of this provider, for us, now, and for this login."""
        own = self.sign_on.client_id
        registry = jwt.JWTClaimsRegistry(
            now=int(self._now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.sign_on.issuer},
            aud={"essential": True, "value": own},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise forged(error) from error
        given = claims["nonce"]
        if not isinstance(given, str) or not compare_digest(given.encode(), nonce.encode()):
            raise SignOnError(f"the provider's token is of another login; {_AGAIN}")
        audience = claims["aud"]
        if claims.get("azp", own) != own or (
            isinstance(audience, list) and len(audience) > 1 and "azp" not in claims
        ):
            raise SignOnError("the provider's token was made for another program")

    async def _discover(self) -> _Provided:
        """Return what the provider says of itself. Raises UnavailableError.

        It is asked once for all who want to know at a time, and not while it is away.
        """
        async with self._discovering:
            kept, away = self._provided, self._away
            if kept is not None and self._clock() - kept[0] < _FRESH_SECONDS:
                return kept[1]
            if away is not None and self._clock() - away[0] < _AWAY_SECONDS:
                raise UnavailableError(away[1])
            try:
                provided = await self._ask()
            except UnavailableError as error:
                self._away = (self._clock(), str(error))
                raise
            self._provided = (self._clock(), provided)
            return provided

    async def _ask(self) -> _Provided:
        """Return what the provider says of itself just now. Raises UnavailableError."""
        issuer = self.sign_on.issuer
        page = await self._get(issuer.rstrip("/") + _WELL_KNOWN)
        provided = _read(page, _Provided, issuer)
        if provided.issuer != issuer:
            raise UnavailableError(
                f"the provider calls itself {provided.issuer!r}, not {issuer!r}: "
                "CTISCRAPER_OIDC_ISSUER must read exactly as it does"
            )
        for address in (
            provided.authorization_endpoint,
            provided.token_endpoint,
            provided.jwks_uri,
        ):
            if not is_safe_address(address):
                raise UnavailableError(f"the provider names {address!r}, which is not https")
        return provided

    async def _key_set(self) -> KeySet:
        """Return the provider's keys. Raises UnavailableError."""
        kept = self._keys
        if kept is not None and self._clock() - kept[0] < _FRESH_SECONDS:
            return kept[1]
        page = await self._get((await self._discover()).jwks_uri)
        documents = _read(page, _Keys, self.sign_on.issuer).keys
        keys = KeySet([key for document in documents for key in _usable(document)])
        self._keys = (self._clock(), keys)
        return keys

    async def _get(self, address: str) -> Page:
        try:
            page = await self._client.get(address, limits=_LIMITS)
        except FetchError as error:
            raise _away(self.sign_on.issuer, str(error)) from error
        if page.status != HTTPStatus.OK:
            raise _away(self.sign_on.issuer, f"{page.status} at {address}")
        return page


def _check_asked(claims: dict[str, object], asked_at: int, now: int) -> None:
    """Raise SignOnError unless somebody has just proved to his provider who he is."""
    at = claims.get("auth_time")
    if not isinstance(at, int | float) or isinstance(at, bool):
        raise SignOnError(
            "the provider does not say when it asked who you are (claim 'auth_time'), so it cannot "
            "confirm this: let it tell, or ask an administrator for a password link"
        )
    if not asked_at - LEEWAY_SECONDS <= at <= now + LEEWAY_SECONDS:
        raise SignOnError(f"the provider has not asked you who you are; {_AGAIN}")


def _verified(token: str, keys: KeySet) -> dict[str, object]:
    """Return the claims of a token that one of the keys has signed. Raises SignOnError."""
    try:
        return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except InvalidKeyIdError as error:
        raise _UnknownKeyError("the provider's token has an unknown key") from error
    except (JoseError, ValueError, RecursionError) as error:
        raise forged(error) from error


def _usable(document: dict[str, object]) -> list[Key]:
    """Return a published key if it can be one that signs; others are for other uses."""
    if document.get("kty") not in _KEY_TYPES or document.get("use", "sig") != "sig":
        return []
    if document["kty"] == "RSA" and _modulus_bits(document.get("n")) < _RSA_BITS:
        return []
    try:
        return [JWKRegistry.import_key(document)]  # type: ignore[arg-type]  # checked by it
    except (JoseError, ValueError, TypeError):
        return []


def _modulus_bits(modulus: object) -> int:
    """Return how long the modulus of a key is, 0 for what is none (RFC 7518, 6.3.1.1)."""
    if not isinstance(modulus, str):
        return 0
    try:
        return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    except ValueError:
        return 0


def forged(error: Exception) -> SignOnError:
    """Return the error for a token that does not hold."""
    return SignOnError(f"the provider's token does not hold ({type(error).__name__}); {_AGAIN}")


def _takes_basic(provided: _Provided) -> bool:
    methods = provided.token_endpoint_auth_methods_supported
    return "client_secret_basic" in methods or "client_secret_post" not in methods


def _basic(client_id: str, secret: str) -> str:
    """Return the header of RFC 6749, section 2.3.1: both parts are escaped first."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _read(page: Page, kind: type[Document], issuer: str) -> Document:
    """Return an answer of the provider. Raises UnavailableError for what is none."""
    try:
        return msgspec.json.decode(page.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _away(issuer, f"what it answers cannot be read: {error}") from error


def _error_of(answer: Page) -> str:
    """Return in brackets the word that a provider refuses with, if it is one of OAuth's."""
    try:
        word = msgspec.json.decode(answer.body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return f" ({word})" if _ERROR.fullmatch(word) else ""


def _away(issuer: str, why: str) -> UnavailableError:
    return UnavailableError(f"the provider {issuer} cannot be asked: {why}")
