"""Who asks for nothing, sends slowly or does not read is let go, and keeps nobody else out."""

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
import trustme
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from cli.terminal import Terminal, environment
from ctiscraper.db.session import Database
from ctiscraper.web.connections import Crowd, Guest, Limits
from ctiscraper.web.serve import LOCAL, Entrance, listen, serve
from patience import SECONDS
from web.signing import log_in, user
from web.test_serve import files_of

SOON = 0.4
HEAD = b"GET /well HTTP/1.1\r\nHost: h\r\n"
POST = b"POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"


class Pages:
    """A few answers, some of which wait until they are told to go on."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.go_on = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self.streams_ended = asyncio.Event()
        self.app.get("/well")(self.well)
        self.app.get("/health/live")(self.well)
        self.app.get("/held")(self.held)
        self.app.get("/endless")(self.endless)
        self.app.post("/sum")(self.sum)

    async def well(self) -> str:
        return "well"

    async def held(self) -> str:
        self.waiting.release()
        await self.go_on.wait()
        return "held"

    async def sum(self, request: Request) -> int:
        return len(await request.body())

    async def endless(self) -> StreamingResponse:
        async def blocks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65_536
                    await asyncio.sleep(0)
            finally:
                self.streams_ended.set()

        return StreamingResponse(blocks())


@asynccontextmanager
async def served(
    app: FastAPI, entrance: Entrance = LOCAL, host: str = "127.0.0.1", **limits: float
) -> AsyncIterator[int]:
    """The port where an app is served."""
    given = Limits(**{"head_seconds": SECONDS, **limits})  # type: ignore[arg-type]
    with listen(host, 0, entrance) as listening:
        serving = asyncio.create_task(serve(app, listening, entrance, limits=given))
        yield listening.getsockname()[1]
        serving.cancel()
        await asyncio.wait({serving})


class Caller:
    """A client that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, said: bytes) -> None:
        self.writer.write(said)
        await self.writer.drain()

    async def until(self, wanted: bytes) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await self.reader.readuntil(wanted)

    async def rest(self) -> bytes:
        """All that comes until the other side hangs up."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self.reader.read()
        except ConnectionResetError:
            return b""

    async def drip(self, said: bytes) -> bytes:
        """What comes back for bytes that are sent one by one until the other side hangs up."""
        for number in range(10_000):
            try:
                await self.say(said[number % len(said) :][:1])
                async with asyncio.timeout(SOON / 10):
                    return await self.reader.read()
            except TimeoutError:
                continue
            except ConnectionError:
                return b""
        raise AssertionError("nobody hung up")


@asynccontextmanager
async def calling(port: int, source: str = "127.0.0.1") -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


async def test_who_asks_for_nothing_is_let_go() -> None:
    async with served(Pages().app, head_seconds=SOON) as port, calling(port) as idle:
        assert await idle.rest() == b""


async def test_a_head_that_does_not_end_is_answered_with_its_fault() -> None:
    async with served(Pages().app, head_seconds=SOON) as port:
        async with calling(port) as slow:
            await slow.say(HEAD)
            assert (await slow.rest()).startswith(b"HTTP/1.1 408 ")
        async with calling(port) as dripping:
            await dripping.say(HEAD + b"X-Slow: ")
            assert not (await dripping.drip(b"x")).startswith(b"HTTP/1.1 200")


async def test_the_second_request_has_the_time_of_the_first() -> None:
    async with served(Pages().app, head_seconds=SOON) as port, calling(port) as slow:
        await slow.say(HEAD + b"\r\n")
        await slow.until(b'"well"')
        assert not (await slow.drip(HEAD + b"X-Slow: " + b"x" * 10_000)).startswith(b"HTTP/1.1 2")


async def test_a_body_that_comes_slower_than_it_may_ends_the_connection() -> None:
    async with served(Pages().app, head_seconds=SOON) as port, calling(port) as slow:
        await slow.say(POST)
        assert b"HTTP/1.1 200" not in await slow.drip(b"x")


@pytest.mark.parametrize("path", ["/login", "/api/v1/lookup"])
@pytest.mark.usefixtures("admin")
async def test_who_breaks_off_is_no_fault_of_the_program(app: FastAPI, path: str) -> None:
    """Whoever likes could fill the log with them."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
    kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nx"
    with capture_logs() as lines:
        async with served(app, head_seconds=SOON) as port, calling(port) as slow:
            await slow.say((head + kind).encode())
            await slow.rest()
    events = [line["event"] for line in lines]
    assert "web.fault" not in events
    assert "request" in events


async def test_a_body_that_comes_as_it_should_is_taken_however_long_that_lasts() -> None:
    """Each byte is good for a second here, and there are a hundred of them."""
    async with (
        served(Pages().app, head_seconds=SOON, body_rate=1) as port,
        calling(port) as sender,
    ):
        await sender.say(POST + b"x")
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SOON / 10):
                    await sender.reader.read(1)
            await sender.say(b"x")
        await sender.say(b"x" * 79)
        assert b"HTTP/1.1 200" in await sender.until(b"\r\n\r\n")


async def test_who_does_not_read_what_he_asked_for_is_cut_off() -> None:
    pages = Pages()
    async with served(pages.app, answer_seconds=SOON) as port, calling(port) as deaf:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await deaf.say(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(SECONDS):
            await pages.streams_ended.wait()


async def test_one_address_has_so_many_connections_and_loses_its_own_idle_ones() -> None:
    async with (
        served(Pages().app, of_one=3) as port,
        calling(port, "127.0.0.9") as other,
        AsyncExitStack() as stack,
    ):
        first, *more = [await stack.enter_async_context(calling(port)) for _ in range(4)]
        for each in (*more, other):
            await each.say(HEAD + b"\r\n")
            await each.until(b'"well"')
        assert await first.rest() == b""


async def test_nobody_who_is_being_answered_is_put_out_for_another() -> None:
    pages = Pages()
    async with served(pages.app, of_one=2) as port, calling(port) as one, calling(port) as two:
        for each in (one, two):
            await each.say(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
            await pages.waiting.acquire()
        async with calling(port) as three:
            assert await three.rest() == b""
        pages.go_on.set()
        for each in (one, two):
            await each.until(b'"held"')


async def test_a_proxy_that_was_named_may_have_all_of_them() -> None:
    entrance = Entrance(hops=(ip_network("127.0.0.0/8"),))
    async with (
        served(Pages().app, entrance, of_one=1) as port,
        calling(port) as first,
        calling(port) as second,
    ):
        for each in (first, second):
            await each.say(HEAD + b"\r\n")
            await each.until(b'"well"')


HIDDEN = "GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n"
SMUGGLED = {
    "both lengths": "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length that is no number": "Content-Length: +5\r\n\r\nhello",
    "an unknown coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a control character": "X-A: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_a_request_with_two_meanings_is_refused_without_a_proxy_too(name: str) -> None:
    async with served(Pages().app) as port, calling(port) as caller:
        await caller.say(f"POST /sum HTTP/1.1\r\nHost: h\r\n{SMUGGLED[name]}".encode("latin-1"))
        said = await caller.rest()
    assert said.startswith(b"HTTP/1.1 400 "), said
    assert said.count(b"HTTP/1.1 ") == 1


async def test_too_much_work_is_refused_and_health_is_still_told() -> None:
    pages = Pages()
    async with (
        served(pages.app, at_work=1) as port,
        calling(port) as busy,
        calling(port) as other,
        calling(port) as probe,
    ):
        await busy.say(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
        await pages.waiting.acquire()
        await other.say(HEAD + b"\r\n")
        refused = await other.rest()
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in refused
        assert b"x-content-type-options: nosniff" in refused
        await probe.say(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"HTTP/1.1 200" in await probe.until(b'"well"')
        pages.go_on.set()
        await busy.until(b'"held"')


async def test_a_handshake_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    cert, key, _ = files_of(tmp_path)
    entrance = Entrance(cert=cert, key=key)
    async with served(Pages().app, entrance, head_seconds=SOON) as port, calling(port) as silent:
        assert await silent.rest() == b""
    async with (
        served(Pages().app, entrance, of_one=1) as port,
        calling(port) as first,
        calling(port) as second,
    ):
        assert await first.rest() == b""
        await second.say(b"GET / HTTP/1.1\r\n\r\n")
        assert not (await second.rest()).startswith(b"HTTP")


def test_the_one_who_is_awaited_longest_goes_first() -> None:
    crowd = Crowd(Limits(most=3))
    gone: list[str] = []

    def arrives(address: str) -> Guest | None:
        guest = crowd.admit(address)
        if guest is not None:
            guest.hang_up = lambda: gone.append(address)
        return guest

    first, second, third = (arrives(f"192.0.2.{number}") for number in (1, 2, 3))
    assert first is not None
    assert second is not None
    assert third is not None
    crowd.receive_from(first)
    crowd.work_for(second)
    assert crowd.at_work == 1
    # The one without a head before the one whose body is on its way.
    fourth = arrives("192.0.2.4")
    assert fourth is not None
    crowd.work_for(fourth)
    fifth = arrives("192.0.2.5")
    assert fifth is not None
    assert gone == ["192.0.2.3", "192.0.2.1"]
    crowd.work_for(fifth)
    assert arrives("192.0.2.6") is None
    crowd.leave(second)
    crowd.leave(second)
    assert arrives("192.0.2.6") is not None
    assert (crowd.count_put_out(), crowd.count_put_out()) == (3, 0)


@pytest.mark.parametrize(
    ("address", "other", "are_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_addresses_of_one_network_are_one(address: str, other: str, *, are_one: bool) -> None:
    crowd = Crowd(Limits(of_one=1))
    first = crowd.admit(address)
    assert first is not None
    crowd.work_for(first)
    assert (crowd.admit(other) is None) is are_one


SLOW = 2_000
SHOOK_HANDS = 700


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as two thousand clients need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SLOW + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"a process may not open {wanted} files here (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def slow_clients(stack: ExitStack, port: int, context: ssl.SSLContext) -> None:
    """Two thousand that stop: before a word, or, of some hundreds, within the head."""
    for number in range(SLOW):
        plain = stack.enter_context(
            socket.create_connection(
                ("127.0.0.1", port),
                timeout=SECONDS,
                source_address=(f"127.0.1.{number // 80 + 1}", 0),
            )
        )
        if number >= SLOW - SHOOK_HANDS:
            spoken = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            spoken.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")


@pytest.mark.usefixtures("many_files")
async def test_two_thousand_slow_clients_do_not_stop_health_and_login(
    database: str, tmp_path: Path
) -> None:
    cert, key, authority = files_of(tmp_path)
    context = trusting(authority)
    async with Database(database, size=1) as opened:
        await user(opened)
    folder = tmp_path / "data"
    folder.mkdir()
    terminal = Terminal(environment(database, folder))
    options = ("--port", "0", "--json", "--tls-cert", str(cert), "--tls-key", str(key))
    with terminal.running("web", *options) as running, ExitStack() as stack:
        ready = await asyncio.to_thread(running.until, "ready")
        port = httpx2.URL(ready["url"]).port
        assert port is not None
        await asyncio.to_thread(slow_clients, stack, port, context)
        async with httpx2.AsyncClient(
            verify=context, base_url=f"https://127.0.0.1:{port}", timeout=SECONDS
        ) as client:
            for path in ("/health/live", "/health/ready", "/login"):
                assert (await client.get(path)).status_code == 200
            assert (await log_in(client)).status_code == 303
            assert (await client.get("/sources")).status_code == 200


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client knows who trusts an authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
