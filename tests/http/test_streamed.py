"""An answer that is read as it comes: bounded in bytes and in time, its connection let go of."""

import asyncio
import json
from contextlib import aclosing

import pytest

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http import FetchLimits
from loopback import Asked, closing, dripping, flooding, moved, open_client, origin_server, reply

LIMITS = FetchLimits(max_bytes=10_000, seconds=20)
SHORT = FetchLimits(max_bytes=10_000, seconds=0.3)
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
URL = "http://site.test/a"


async def fault(answer: object, limits: FetchLimits = LIMITS) -> Reason:
    """Why an answer could not be read to its end."""
    async with origin_server() as origin, open_client(origin.policy()) as client:
        origin.answers["/a"] = answer  # type: ignore[assignment]  # as tests have it
        with pytest.raises(FetchError) as caught:
            async with client.streamed(URL, limits=limits, body=b"{}") as found:
                await found.body()
        assert caught.value.url.startswith("http://site.test/")
        assert origin.count("/a") == 1
        return caught.value.reason


async def test_pieces_come_as_they_are_sent() -> None:
    go_on = asyncio.Event()

    async def in_two(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with origin_server() as origin, open_client(origin.policy()) as client:
        origin.answers["/a"] = in_two
        async with client.streamed(URL, limits=LIMITS) as found:
            assert (found.status, found.headers["transfer-encoding"]) == (200, "chunked")
            async with aclosing(found.pieces()) as pieces:
                assert await anext(pieces) == b"one"
                go_on.set()
                assert [piece async for piece in pieces] == [b"two"]


async def test_a_body_makes_it_a_post() -> None:
    async with origin_server() as origin, open_client(origin.policy()) as client:
        origin.answers["/a"] = reply(b"done", status=404)
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"q": "é"}).encode()
        async with client.streamed(URL, limits=LIMITS, headers=headers, body=body) as found:
            assert (found.status, await found.body()) == (404, b"done")
        assert origin.asked[0].method == "POST"
        assert origin.asked[0].headers["content-type"] == "application/json"
        assert origin.asked[0].headers["content-length"] == str(len(body))
        async with client.streamed(URL, limits=LIMITS) as found:
            await found.body()
        assert origin.asked[-1].method == "GET"


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
async def test_a_redirect_is_refused_wherever_it_leads(status: int) -> None:
    assert await fault(moved("http://site.test/b", status=status)) is Reason.REDIRECT_REFUSED


async def test_time_is_for_the_whole_and_not_for_each_read() -> None:
    assert await fault(dripping(HEAD, b"x", 0.01), SHORT) is Reason.TIMEOUT
    assert await fault(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.01), SHORT) is Reason.TIMEOUT


async def test_time_between_reads_is_the_readers_and_counts() -> None:
    async with origin_server() as origin, open_client(origin.policy()) as client:
        origin.answers["/a"] = dripping(HEAD, b"x", 0.01)
        async with client.streamed(URL, limits=SHORT) as found:
            pieces = found.pieces()
            await anext(pieces)
            # Nothing cuts the reader short while it has a piece in hand.
            await asyncio.sleep(SHORT.seconds)
            with pytest.raises(FetchError) as caught:
                _ = [piece async for piece in pieces]
        assert caught.value.reason is Reason.TIMEOUT


async def test_bytes_are_capped_however_they_come() -> None:
    assert await fault(flooding(HEAD, b"x" * 5_000)) is Reason.TOO_LARGE
    assert await fault(reply(b"x" * 20_000)) is Reason.TOO_LARGE
    assert await fault(reply(b"x", {"Content-Encoding": "br"})) is Reason.ENCODING_REFUSED


async def test_what_breaks_is_named() -> None:
    assert await fault(closing(b"")) is Reason.TRUNCATED
    assert (
        await fault(closing(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")) is Reason.TRUNCATED
    )
    assert await fault(reply(b"{}", {"content-length": "9"})) is Reason.PROTOCOL


async def test_whoever_leaves_early_keeps_no_connection() -> None:
    async with origin_server() as origin, open_client(origin.policy()) as client:
        origin.answers["/a"] = flooding(HEAD, b"x" * 500)
        for expected in (1, 2):
            async with (
                client.streamed(URL, limits=LIMITS) as found,
                aclosing(found.pieces()) as pieces,
            ):
                await anext(pieces)
            assert origin.connections == expected
        origin.answers["/b"] = reply(b"whole")
        for _ in range(3):
            async with client.streamed("http://site.test/b", limits=LIMITS) as found:
                assert await found.body() == b"whole"
