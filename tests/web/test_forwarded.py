"""Who asks, through proxies that are believed and others that are not."""

from ipaddress import ip_network

import pytest
from starlette.types import Message, Receive, Scope, Send

from ctiscraper.web.forwarded import Forwarded, Network

HOPS = (ip_network("10.0.0.0/24"), ip_network("fd00::/64"), ip_network("127.0.0.1/32"))


async def passed(
    peer: str, headers: dict[str, str], *, scheme: str = "http", hops: tuple[Network, ...] = HOPS
) -> Scope | None:
    """The request as the program sees it, None when it was refused."""
    seen: list[Scope] = []

    async def inner(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 403

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "scheme": scheme,
        "client": (peer, 4711),
        "headers": [(b"host", b"inside"), *((k.encode(), v.encode()) for k, v in headers.items())],
        "state": {"request_id": "x"},
    }
    await Forwarded(inner, hops=hops)(scope, no_body, send)
    return seen[0] if seen else None


async def no_body() -> Message:
    raise AssertionError("nothing is read")


LIES = {
    "x-forwarded-for": "198.51.100.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
}


async def test_nobody_is_believed_without_hops() -> None:
    scope = await passed("192.0.2.1", LIES, hops=())
    assert scope is not None
    assert (scope["client"][0], scope["scheme"]) == ("192.0.2.1", "http")
    assert dict(scope["headers"])[b"host"] == b"inside"


async def test_a_hop_is_believed() -> None:
    scope = await passed("10.0.0.9", LIES)
    assert scope is not None
    assert (scope["client"][0], scope["scheme"]) == ("198.51.100.7", "https")
    assert dict(scope["headers"])[b"host"] == b"evil.example"


async def test_whoever_goes_past_the_hops_is_refused_but_for_this_machine() -> None:
    assert await passed("192.0.2.1", LIES) is None
    assert await passed("::ffff:192.0.2.1", LIES) is None
    own = await passed("127.0.0.1", {}, hops=HOPS[:1])
    assert own is not None
    assert own["client"][0] == "127.0.0.1"
    over_tls = await passed("192.0.2.1", LIES, scheme="https")
    assert over_tls is not None
    assert over_tls["client"][0] == "192.0.2.1"
    assert dict(over_tls["headers"])[b"host"] == b"inside"


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.1, 198.51.100.7, 10.0.0.3", "198.51.100.7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("nonsense", "10.0.0.9"),
        ("203.0.113.1, nonsense, 10.0.0.3", "10.0.0.3"),
        ("", "10.0.0.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
async def test_the_client_is_the_first_that_is_no_hop(said: str, client: str) -> None:
    scope = await passed("10.0.0.9", {"x-forwarded-for": said})
    assert scope is not None
    assert scope["client"][0] == client


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"),
        ("http, https", "https"),
        ("https, http", "http"),
        ("gopher", "http"),
        ("", "http"),
    ],
)
async def test_the_scheme_is_what_the_nearest_hop_says(said: str, scheme: str) -> None:
    scope = await passed("10.0.0.9", {"x-forwarded-proto": said})
    assert scope is not None
    assert scope["scheme"] == scheme
