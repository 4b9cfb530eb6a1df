import asyncio
import gzip
import socket
import struct
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import pytest_asyncio
import zstandard

from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.http import Client, EgressPolicy, FetchLimits
from ctiscraper.loop import end_task
from ctiscraper.types import Redirect
from loopback import (
    USER_AGENT,
    Answer,
    Asked,
    Origin,
    closing,
    dripping,
    flooding,
    moved,
    open_client,
    origin_server,
    reply,
)

LIMITS = FetchLimits(max_bytes=100_000, seconds=5)
# A zstd frame of 64 MiB of zeros and a brotli stream's beginning: both are refused unread.
ZSTD_BOMB = zstandard.compress(b"\0" * 1_000_000)
BROTLI_BOMB = bytes.fromhex("cffffffbff3f00") * 100


@pytest_asyncio.fixture
async def client(origin: Origin) -> AsyncIterator[Client]:
    async with open_client(origin.policy("site.test", "other.test")) as opened:
        yield opened


async def failure(
    client: Client, limits: FetchLimits = LIMITS, url: str = "http://site.test/x"
) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await client.get(url, limits=limits)
    return caught.value


async def test_answer_comes_back_whole(origin: Origin, client: Client) -> None:
    body = b"<p>text</p>" * 100
    origin.answers["/a?b=c"] = reply(
        gzip.compress(body),
        {"Content-Encoding": "gzip", "ETag": 'W/"1"', "X-Twice": "a", "x-twice": "b"},
    )
    before = datetime.now(UTC)
    page = await client.get("http://SITE.test/a?b=c#d", limits=LIMITS)

    assert (page.status, page.body) == (200, body)
    assert (page.url, page.final_url) == ("http://SITE.test/a?b=c#d", "http://site.test/a?b=c")
    assert page.headers["etag"] == 'W/"1"'
    assert page.wire_bytes == len(gzip.compress(body))
    assert before <= page.fetched_at <= datetime.now(UTC)
    assert (page.redirects, page.requests) == ((), 1)


async def test_request_is_honest_and_plain(origin: Origin, client: Client) -> None:
    origin.answers["/"] = reply()
    await client.get(
        "http://site.test/",
        limits=LIMITS,
        headers={
            "Accept": "text/html",
            "If-None-Match": 'W/"ä"',
            "User-Agent": "someone else",
            "Host": "elsewhere",
            "Accept-Encoding": "br",
        },
    )

    assert origin.asked[0].method == "GET"
    assert origin.asked[0].headers == {
        "host": "site.test",
        "user-agent": USER_AGENT,
        "accept-encoding": "gzip",
        "accept": "text/html",
        "if-none-match": 'W/"ä"',
    }


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 429, 500, 503])
async def test_every_status_is_an_answer(origin: Origin, client: Client, status: int) -> None:
    origin.answers["/x"] = reply(b"", status=status)

    assert (await client.get("http://site.test/x", limits=LIMITS)).status == status


async def test_header_that_breaks_the_request_is_refused(client: Client) -> None:
    with pytest.raises(FetchError) as caught:
        await client.get("http://site.test/", limits=LIMITS, headers={"ETag": "a\r\nX: b"})

    assert caught.value.reason is Reason.PROTOCOL
    assert caught.value.scope is Scope.ITEM


async def test_redirects_are_walked_and_told(origin: Origin, client: Client) -> None:
    origin.answers |= {
        "/1": moved("2", status=301),
        "/2": moved("//other.test/3?ü", status=307),
        "other.test/3?%C3%BC": reply(b"there"),
    }
    hops: list[str] = []

    async def before_hop(url: str) -> None:
        hops.append(url)

    page = await client.get("http://site.test/1", limits=LIMITS, before_hop=before_hop)

    assert page.body == b"there"
    assert page.final_url == "http://other.test/3?%C3%BC"
    assert page.requests == 3
    assert hops == ["http://site.test/1", "http://site.test/2", "http://other.test/3?%C3%BC"]
    assert [(hop.url, hop.status) for hop in page.redirects] == [
        ("http://site.test/1", 301),
        ("http://site.test/2", 307),
    ]
    assert page.redirects[0] == Redirect(url="http://site.test/1", status=301, location="2")


async def test_secrets_and_cookies_stay_at_their_origin(origin: Origin, client: Client) -> None:
    origin.answers |= {
        "/1": reply(b"", {"Location": "/2", "Set-Cookie": "a=b"}, status=302),
        "/2": moved("http://other.test/3"),
        "/3": reply(b"", {"Set-Cookie": "c=d"}),
    }
    headers = {"Authorization": "Bearer x", "Cookie": "mine=1", "If-None-Match": '"1"'}
    await client.get("http://site.test/1", limits=LIMITS, headers=headers)
    await client.get("http://other.test/3", limits=LIMITS)
    first, second, third, fourth = (request.headers for request in origin.asked)

    assert first["authorization"] == second["authorization"] == "Bearer x"
    assert second["cookie"] == "mine=1"
    assert "authorization" not in third
    assert "cookie" not in third
    assert third["if-none-match"] == '"1"'
    assert "cookie" not in fourth


async def test_a_redirect_in_letters_of_its_own_leads_where_it_means(
    origin: Origin, client: Client
) -> None:
    """Servers write UTF-8 into headers, and browsers read it."""
    there = "/\u0431\u043b\u043e\u0433/caf\u00e9"
    head = f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
    origin.answers |= {"/x": head, quote(there): reply(b"there")}
    page = await client.get("http://site.test/x", limits=LIMITS)
    assert (page.body, page.redirects[0].location) == (b"there", there)
    latin = b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n"
    origin.answers |= {"/x": latin, "/caf%C3%A9": reply(b"latin")}
    assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"latin"


async def test_five_redirects_pass_and_six_do_not(origin: Origin, client: Client) -> None:
    origin.answers |= {f"/{n}": moved(f"/{n + 1}") for n in range(6)}
    origin.answers["/6"] = reply(b"end")

    assert (await client.get("http://site.test/1", limits=LIMITS)).body == b"end"
    error = await failure(client, url="http://site.test/0")
    assert error.reason is Reason.REDIRECT_LIMIT
    assert origin.count("/6") == 1


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"/x": moved("/x")}, Reason.REDIRECT_LOOP),
        ({"/x": moved("/y"), "/y": moved("http://site.test/x#again")}, Reason.REDIRECT_LOOP),
        ({"/x": moved("http://10.0.0.1/")}, Reason.ADDRESS_REFUSED),
        ({"/x": moved("http://169.254.169.254/latest/")}, Reason.ADDRESS_REFUSED),
        ({"/x": moved("http://2852039166/")}, Reason.ADDRESS_REFUSED),
        ({"/x": moved("file:///etc/passwd")}, Reason.SCHEME_REFUSED),
        ({"/x": moved("gopher://site.test:6379/_INFO")}, Reason.SCHEME_REFUSED),
        ({"/x": moved("http://site.test:6379/")}, Reason.PORT_REFUSED),
        ({"/x": moved("http://user:pw@other.test/")}, Reason.URL_INVALID),
        ({"/x": moved("http://[")}, Reason.URL_INVALID),
        ({"/x": moved("/" + "a" * 5000)}, Reason.URL_TOO_LONG),
    ],
)
async def test_redirect_is_guarded_like_any_url(
    origin: Origin, client: Client, answers: dict[str, Answer], reason: Reason
) -> None:
    origin.answers |= answers
    error = await failure(client)

    assert error.reason is reason
    assert error.scope is Scope.ITEM
    assert len(origin.asked) == len(answers)


async def test_redirect_to_this_machine_never_arrives(origin: Origin) -> None:
    async with origin_server() as canary:
        ports = frozenset({80, canary.port})
        networks = origin.policy("site.test").allow_networks
        origin.answers["/x"] = moved(f"http://[::1]:{canary.port}/")
        origin.answers["/y"] = moved(f"http://[::ffff:7f00:1]:{canary.port}/")
        policy = origin.policy("site.test", allow_ports=ports, allow_networks=networks)
        async with open_client(policy) as client:
            assert (await failure(client)).reason is Reason.ADDRESS_REFUSED

    assert canary.connections == 0


async def test_redirect_without_location_is_the_answer(origin: Origin, client: Client) -> None:
    origin.answers["/x"] = reply(b"choose", status=302)

    assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"choose"


async def test_body_of_a_redirect_is_not_waited_for(origin: Origin, client: Client) -> None:
    head = b"HTTP/1.1 302 Go\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n"
    origin.answers |= {
        "/x": flooding(head, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
        "/end": reply(b"end"),
    }

    assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"end"


async def test_what_before_hop_raises_stops_the_walk(origin: Origin, client: Client) -> None:
    origin.answers["/x"] = moved("/y")

    async def before_hop(url: str) -> None:
        if url.endswith("/y"):
            raise FetchError(Reason.ROBOTS_DISALLOWED)

    with pytest.raises(FetchError) as caught:
        await client.get("http://site.test/x", limits=LIMITS, before_hop=before_hop)
    assert caught.value.reason is Reason.ROBOTS_DISALLOWED
    assert origin.paths == ["/x"]


async def test_waiting_for_a_slot_is_not_counted(origin: Origin, client: Client) -> None:
    origin.answers["/x"] = reply(b"late")

    async def before_hop(_: str) -> None:
        await asyncio.sleep(0.4)

    limits = FetchLimits(max_bytes=100, seconds=0.3)
    page = await client.get("http://site.test/x", limits=limits, before_hop=before_hop)
    assert page.body == b"late"


HEAD = b"HTTP/1.1 200 OK\r\n"
PADDED = b"186b4\r\n" + gzip.compress(b"x", mtime=0)[:20].ljust(100_020, b"\0") + b"\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = FetchLimits(max_bytes=100_000, seconds=0.3)


async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        dripping(HEAD + b"Content-Length: 90000\r\n\r\n", b"x"),
        dripping(HEAD, b"X-Slow: 1\r\n", 0.05),
        dripping(b"", b"H", 0.1),
        dripping(CHUNKED, b"1\r\nx\r\n"),
        dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    ],
    ids=["hang", "slow_body", "slow_headers", "slow_status", "slow_chunks", "endless_103"],
)
async def test_whole_exchange_has_one_deadline(
    origin: Origin, client: Client, answer: Answer
) -> None:
    origin.answers["/x"] = answer
    began = time.monotonic()
    error = await failure(client, SHORT)

    assert error.reason is Reason.TIMEOUT
    assert error.scope is Scope.HOST
    assert error.transient
    assert error.url == "http://site.test/x"
    assert time.monotonic() - began < 3


async def test_deadline_spans_redirects(origin: Origin, client: Client) -> None:
    async def late(request: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(moved(f"{request.path}x"))

    origin.answers |= {"/" + "x" * n: late for n in range(1, 6)}

    assert (await failure(client, SHORT)).reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"x" * 100_001), Reason.TOO_LARGE),
        (closing(HEAD + b"Content-Length: 10000000000\r\n\r\n" + b"x"), Reason.TOO_LARGE),
        (flooding(CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"), Reason.TOO_LARGE),
        (flooding(HEAD + b"\r\n", b"x" * 65536), Reason.TOO_LARGE),
        (reply(gzip.compress(b"\0" * 30_000_000), {"Content-Encoding": "gzip"}), Reason.TOO_LARGE),
        (
            reply(zlib.compress(b"\0" * 30_000_000), {"Content-Encoding": "deflate"}),
            Reason.TOO_LARGE,
        ),
        (reply(BROTLI_BOMB, {"Content-Encoding": "br"}), Reason.ENCODING_REFUSED),
        (reply(ZSTD_BOMB, {"Content-Encoding": "zstd"}), Reason.ENCODING_REFUSED),
        (
            reply(
                gzip.compress(gzip.compress(b"\0" * 9_000_000)), {"Content-Encoding": "gzip, gzip"}
            ),
            Reason.ENCODING_REFUSED,
        ),
        (
            HEAD + b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            Reason.ENCODING_REFUSED,
        ),
        (reply(b"no gzip", {"Content-Encoding": "gzip"}), Reason.ENCODING_BROKEN),
        (closing(HEAD + b"Content-Length: 100\r\n\r\nshort"), Reason.TRUNCATED),
        (closing(CHUNKED + b"5\r\nhello\r\n"), Reason.TRUNCATED),
        (closing(b""), Reason.TRUNCATED),
        (closing(b"HTTP/1.1 200 OK\r\nContent-Le"), Reason.TRUNCATED),
        (closing(b"<html>HTTP/0.9</html>\r\n\r\n"), Reason.PROTOCOL),
        (closing(b"ICY 200 OK\r\n\r\n"), Reason.PROTOCOL),
        (closing(b"HTTP/1.1 abc OK\r\n\r\n"), Reason.PROTOCOL),
        (closing(b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n"), Reason.PROTOCOL),
        (closing(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), Reason.PROTOCOL),
        (closing(HEAD + b"Content-Length: -5\r\n\r\nhello"), Reason.PROTOCOL),
        (closing(CHUNKED + b"zz\r\nhello\r\n"), Reason.PROTOCOL),
        (closing(HEAD + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"), Reason.PROTOCOL),
        (flooding(HEAD, b"X-Flood: aaaaaaaaaaaa\r\n" * 100), Reason.PROTOCOL),
        (flooding(CHUNKED, b"1\r\nx\r\n" * 2000), Reason.PROTOCOL),
        (closing(b"\0" * 5000), Reason.PROTOCOL),
        (flooding(b"", b"HTTP/1.1 103 Early\r\n\r\n" * 500), Reason.PROTOCOL),
        (flooding(CHUNKED, b"1;" + b"x" * 50_000 + b"\r\nx\r\n"), Reason.PROTOCOL),
        (
            reply(gzip.compress(b"x") + bytes(100_000), {"Content-Encoding": "gzip"}),
            Reason.TOO_LARGE,
        ),
        (
            closing(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + PADDED),
            Reason.TOO_LARGE,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "answer",
)
async def test_hostile_answer_is_a_typed_failure(
    origin: Origin, client: Client, answer: Answer, reason: Reason
) -> None:
    origin.answers |= {"/x": answer, "/y": reply(b"well")}
    error = await failure(client)

    assert error.reason is reason
    assert error.url == "http://site.test/x"
    assert (await client.get("http://site.test/y", limits=LIMITS)).body == b"well"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", ""])
async def test_bomb_stays_small_in_memory(origin: Origin, client: Client, coding: str) -> None:
    zeros = b"\0" * 60_000_000
    bomb = zlib.compress(zeros) if coding == "deflate" else gzip.compress(zeros)
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: " + coding.encode() + b"\r\n\r\n")
    chunk = f"{len(bomb):x}\r\n".encode() + bomb + b"\r\n"
    origin.answers["/x"] = flooding(head, chunk)
    limits = FetchLimits(max_bytes=10_000_000, seconds=20)
    tracemalloc.start()
    try:
        await failure(client, limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 40_000_000


async def test_too_short_a_length_cuts_and_is_not_read_on(origin: Origin, client: Client) -> None:
    forged = reply(b"forged")
    origin.answers |= {
        "/x": HEAD + b"Content-Length: 5\r\n\r\nhello" + forged,
        "/y": reply(b"true"),
    }

    assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"hello"
    assert (await client.get("http://site.test/y", limits=LIMITS)).body == b"true"
    assert origin.connections == 2


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_truncating_limits_keep_the_beginning(
    origin: Origin, client: Client, coding: str
) -> None:
    body = b"".join(b"line %d\n" % n for n in range(100_000))
    packed = gzip.compress(body) if coding else body
    origin.answers["/x"] = reply(packed, {"Content-Encoding": coding})
    limits = FetchLimits(max_bytes=50_000, seconds=5, truncate=True)

    assert (await client.get("http://site.test/x", limits=limits)).body == body[:50_000]


async def test_reset_in_the_body_is_told(origin: Origin, client: Client) -> None:
    async def reset(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await origin.heard.wait()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    origin.answers["/x"] = reset
    error = await failure(client)

    assert (error.reason, error.scope, error.transient) == (Reason.TRUNCATED, Scope.HOST, True)


async def test_old_http_is_read(origin: Origin, client: Client) -> None:
    origin.answers["/x"] = closing(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    assert (await client.get("http://site.test/x", limits=LIMITS)).body == b"until the end"


async def test_one_hung_host_delays_no_other(origin: Origin, client: Client) -> None:
    origin.answers |= {"/x": silent, "/y": reply(b"quick")}
    hung = asyncio.create_task(failure(client, FetchLimits(max_bytes=100, seconds=60)))
    await asyncio.gather(
        *(client.get(f"http://other.test/y?{n}", limits=LIMITS) for n in range(50))
    )

    assert not hung.done()
    await end_task(hung)


async def test_cancelled_request_leaves_nothing_open(origin: Origin, client: Client) -> None:
    origin.answers |= {"/x": silent, "/y": reply(b"next")}
    task = asyncio.create_task(client.get("http://site.test/x", limits=LIMITS))
    await origin.heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await client.get("http://site.test/y", limits=LIMITS)).body == b"next"


async def test_a_deadline_that_passes_while_no_name_resolves_is_our_own_outage() -> None:
    async def silent(_host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = Client(EgressPolicy(user_agent="Test/1"), resolver=silent)
    limits = FetchLimits(max_bytes=1000, seconds=0.05)
    try:
        with pytest.raises(FetchError) as caught:
            await client.get("https://a.example/feed", limits=limits)
    finally:
        await client.aclose()
    assert (caught.value.reason, caught.value.scope) == (Reason.OFFLINE, Scope.OURS)
