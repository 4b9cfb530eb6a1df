"""What an AWS load balancer says of whom it has let in: nothing that it has not signed is taken.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

import re
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ctiscraper.access.identity_claims import LEEWAY_SECONDS, Identity, SignOn, identity_of
from ctiscraper.access.places import key_place
from ctiscraper.errors import FetchError, SignOnError, UnavailableError
from ctiscraper.http import Client, FetchLimits

HEADER = "x-amzn-oidc-data"
_LONGEST = 32_000
_SIGNATURE_BYTES = 64
_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LIMITS = FetchLimits(max_bytes=10_000, seconds=5.0, max_redirects=0)
_KEYS_MOST = 16
# Who reaches us past the balancer could make up ids of keys: so many are asked for in a minute.
_LOOKUPS_MOST = 20
_MINUTE = 60.0


class _Head(msgspec.Struct, frozen=True):
    """The header of the balancer's token, which is signed with the rest."""

    alg: str
    kid: str
    signer: str
    iss: str
    client: str
    exp: int


class LoadBalancer:
    """One balancer, known by its ARN."""

    def __init__(
        self,
        sign_on: SignOn,
        client: Client,
        *,
        now: Callable[[], datetime],
        keys_at: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sign_on = sign_on
        self._client = client
        self._now = now
        self._keys_at = keys_at or key_place(sign_on.balancer_arn)
        self._clock = clock
        self._keys: OrderedDict[str, ec.EllipticCurvePublicKey] = OrderedDict()
        self._lookups: list[float] = []

    async def identity(self, data: str) -> Identity:
        """Return whom the balancer vouches for. Raises SignOnError and UnavailableError."""
        signed, head, claims, signature = _parts(data)
        self._check(head, claims)
        key = await self._key(head.kid)
        if len(signature) != _SIGNATURE_BYTES:
            raise _refused("its signature")
        half = _SIGNATURE_BYTES // 2
        pair = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        try:
            key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise _refused("its signature") from error
        return identity_of(claims, self._sign_on)

    def _check(self, head: _Head, claims: dict[str, object]) -> None:
        """Raise SignOnError unless a token is of this balancer, for us, and of now."""
        own = self._sign_on
        least = int(self._now().timestamp()) - LEEWAY_SECONDS
        ends = claims.get("exp", head.exp)
        if head.alg != "ES256":
            raise _refused("its algorithm")
        if head.signer != own.balancer_arn:
            raise _refused("its signer")
        if head.iss != own.issuer or claims.get("iss", own.issuer) != own.issuer:
            raise _refused("its issuer")
        if head.client != own.client_id:
            raise _refused("its client")
        if head.exp <= least or not isinstance(ends, int) or ends <= least:
            raise _refused("its time, which is over")

    async def _key(self, key_id: str) -> ec.EllipticCurvePublicKey:
        """Return a key of the region's balancers. Raises SignOnError and UnavailableError."""
        if key_id in self._keys:
            return self._keys[key_id]
        if not _KEY_ID.fullmatch(key_id):
            raise _refused("its key")
        now = self._clock()
        self._lookups = [at for at in self._lookups if at > now - _MINUTE]
        if len(self._lookups) >= _LOOKUPS_MOST:
            raise UnavailableError("too many unknown keys of load balancers lately; try later")
        self._lookups.append(now)
        try:
            page = await self._client.get(self._keys_at + key_id, limits=_LIMITS)
        except FetchError as error:
            raise UnavailableError(
                f"the keys of load balancers at {self._keys_at} cannot be asked for: {error}"
            ) from error
        if page.status != HTTPStatus.OK:
            raise _refused("its key")
        key = self._keys[key_id] = _public_key(page.body)
        while len(self._keys) > _KEYS_MOST:
            self._keys.popitem(last=False)
        return key


def _parts(data: str) -> tuple[bytes, _Head, dict[str, object], bytes]:
    """Return what was signed, the header, the claims and the signature. Raises SignOnError."""
    if len(data) > _LONGEST or not data.isascii():
        raise _refused("its length")
    parts = data.split(".")
    try:
        head, claims, signature = (_decoded(part) for part in parts)
        return (
            # Signed as it stands: with the padding that other tokens go without.
            f"{parts[0]}.{parts[1]}".encode(),
            msgspec.json.decode(head, type=_Head),
            msgspec.json.decode(claims, type=dict[str, object]),
            signature,
        )
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise _refused("its form") from error


def _decoded(part: str) -> bytes:
    text = part.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _public_key(body: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(body)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused("its key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refused("its key")
    return key


def _refused(what: str) -> SignOnError:
    return SignOnError(f"what the load balancer says of you does not hold: {what}")
