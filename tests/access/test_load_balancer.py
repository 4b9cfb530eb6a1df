"""A load balancer is believed by its signature alone."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ctiscraper.access.identity_claims import SignOn
from ctiscraper.access.load_balancer import LoadBalancer
from ctiscraper.errors import SignOnError, UnavailableError
from ctiscraper.identity import Role
from loopback import Origin, open_client, origin_server, reply

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/cti/50dc6c495c0c9188"
OTHER = ARN.replace("50dc", "60dc")
SIGN_ON = SignOn(
    issuer="https://id.example",
    client_id="cti-scraper",
    roles={"cti-analysts": Role.ANALYST},
    balancer_arn=ARN,
)
Private = ec.EllipticCurvePrivateKey


def now() -> datetime:
    return datetime.now(UTC)


class Signer:
    """The part of AWS that signs, with its keys where they are published."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = self.publish(self.key)

    def publish(self, key: Private, kid: str | None = None) -> str:
        kid = kid or str(uuid4())
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.origin.answers[f"/{kid}"] = reply(pem)
        return kid

    def data(
        self,
        head: dict[str, Any] | None = None,
        claims: dict[str, Any] | None = None,
        *,
        key: Private | None = None,
    ) -> str:
        """What the balancer sends: with padding, as AWS does."""
        ends = int(time.time()) + 120
        whole_head = {
            "alg": "ES256",
            "typ": "JWT",
            "kid": self.kid,
            "signer": ARN,
            "iss": SIGN_ON.issuer,
            "client": SIGN_ON.client_id,
            "exp": ends,
        } | (head or {})
        whole = {
            "sub": "subject-1",
            "email": "ann@example.org",
            "groups": ["cti-analysts"],
            "exp": ends,
            "iss": SIGN_ON.issuer,
        } | (claims or {})
        parts = [
            coded({k: v for k, v in part.items() if v is not None}) for part in (whole_head, whole)
        ]
        signed = ".".join(parts)
        return f"{signed}.{signature(key or self.key, signed)}"


def coded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode()


def signature(key: Private, signed: str) -> str:
    first, second = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return urlsafe_b64encode(first.to_bytes(32, "big") + second.to_bytes(32, "big")).decode()


@pytest_asyncio.fixture
async def signer() -> AsyncIterator[Signer]:
    async with origin_server() as origin:
        yield Signer(origin)


@pytest_asyncio.fixture
async def balancer(signer: Signer) -> AsyncIterator[LoadBalancer]:
    async with open_client(signer.origin.policy()) as client:
        yield LoadBalancer(
            SIGN_ON, client, now=now, keys_at=f"http://127.0.0.1:{signer.origin.port}/"
        )


async def test_somebody_is_who_the_balancer_says(balancer: LoadBalancer, signer: Signer) -> None:
    for _ in range(3):
        found = await balancer.identity(signer.data())
    assert (found.issuer, found.subject) == ("https://id.example", "subject-1")
    assert (found.login, found.role) == ("ann@example.org", Role.ANALYST)
    assert signer.origin.paths == [f"/{signer.kid}"]


async def test_other_keys_of_the_region_are_asked_for(
    balancer: LoadBalancer, signer: Signer
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    kid = signer.publish(key)
    assert await balancer.identity(signer.data({"kid": kid}, key=key))


HEADS: dict[str, dict[str, Any]] = {
    "another balancer": {"signer": OTHER},
    "a balancer that only begins so": {"signer": f"{ARN}0"},
    "no signer": {"signer": None},
    "another issuer": {"iss": "https://evil.example"},
    "another client": {"client": "another-program"},
    "alg none": {"alg": "none"},
    "alg HS256": {"alg": "HS256"},
    "expired": {"exp": int(time.time()) - 3_600},
    "never expires": {"exp": None},
    "expires by name": {"exp": "tomorrow"},
    "an unknown key": {"kid": str(uuid4())},
    "a key elsewhere": {"kid": "../../evil"},
    "a key at another host": {"kid": "@evil.example/x"},
}
CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 3_600},
    "expires by name": {"exp": "tomorrow"},
    "another issuer": {"iss": "https://evil.example"},
    "about nobody": {"sub": None},
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_a_header_that_does_not_hold_lets_nobody_in(
    balancer: LoadBalancer, signer: Signer, head: dict[str, Any]
) -> None:
    with pytest.raises(SignOnError):
        await balancer.identity(signer.data(head))


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_claims_that_do_not_hold_let_nobody_in(
    balancer: LoadBalancer, signer: Signer, claims: dict[str, Any]
) -> None:
    with pytest.raises(SignOnError):
        await balancer.identity(signer.data(claims=claims))


@pytest.mark.parametrize("part", [0, 1])
async def test_what_is_nested_too_deeply_lets_nobody_in(
    balancer: LoadBalancer, signer: Signer, part: int
) -> None:
    parts = signer.data().split(".")
    parts[part] = urlsafe_b64encode(b'{"x":' * 4_000).decode()
    with pytest.raises(SignOnError, match="its form"):
        await balancer.identity(".".join(parts))


async def test_what_aws_has_not_signed_lets_nobody_in(
    balancer: LoadBalancer, signer: Signer
) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    good = signer.data()
    head, claims, sign = good.split(".")
    raised = coded({"sub": "subject-1", "groups": ["cti-admins"]})
    forged = [
        signer.data(key=own),
        f"{head}.{raised}.{sign}",
        f"{head}.{claims}.",
        f"{head}.{claims}.{'A' * 88}",
        f"{head}.{claims}.{sign[:20]}",
        f"{head}.{claims}",
        f"{head}.{claims}.{sign}.{sign}",
        "",
        "bare-name",
        "é.é.é",
        "a" * 40_000,
        f"{head}.{coded('text')}.{sign}",
        f"{head}.!!!.{sign}",
    ]
    for data in forged:
        with pytest.raises(SignOnError):
            await balancer.identity(data)


@pytest.mark.parametrize("body", [b"", b"<html>", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END"])
async def test_what_is_no_key_proves_nothing(
    balancer: LoadBalancer, signer: Signer, body: bytes
) -> None:
    signer.origin.answers[f"/{signer.kid}"] = reply(body)
    with pytest.raises(SignOnError, match="its key"):
        await balancer.identity(signer.data())


async def test_a_key_on_another_curve_proves_nothing(
    balancer: LoadBalancer, signer: Signer
) -> None:
    kid = signer.publish(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(SignOnError, match="its key"):
        await balancer.identity(signer.data({"kid": kid}))


async def test_made_up_keys_are_asked_for_no_more_after_a_while(
    balancer: LoadBalancer, signer: Signer
) -> None:
    for _ in range(20):
        with pytest.raises(SignOnError):
            await balancer.identity(signer.data({"kid": str(uuid4())}))
    with pytest.raises(UnavailableError, match="too many"):
        await balancer.identity(signer.data({"kid": str(uuid4())}))
    assert len(signer.origin.paths) == 20
