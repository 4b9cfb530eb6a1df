"""An HTTP server on loopback that answers with whatever bytes a test wants."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ctiscraper.http import Client, EgressPolicy
from ctiscraper.http.network import Resolver

USER_AGENT = "ctiscraper/0.1 (+https://scraper.example/about)"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """Host and path, as the client meant them."""
        return self.headers.get("host", "") + self.path


Answer = bytes | Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Origin:
    """A server's answers by path (or host and path), and what it was asked."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.asked]

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return self.paths.count(path)

    def policy(self, *names: str, **changes: object) -> EgressPolicy:
        """A policy under which these names lead here."""
        policy = EgressPolicy(
            user_agent=USER_AGENT,
            allow_networks=(LOOPBACK,),
            allow_ports=frozenset({80, 443, self.port}),
            host_map=dict.fromkeys(names or ("site.test",), f"127.0.0.1:{self.port}"),
        )
        return replace(policy, **changes)  # type: ignore[arg-type]  # a builder

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            writer.transport.abort()
            # The transport closes its socket a turn of the loop later.
            await asyncio.sleep(0)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            request = await read_request(reader)
            self.asked.append(request)
            self.heard.set()
            answer = self.answers.get(request.url, self.answers.get(request.path))
            if callable(answer):
                await answer(request, writer)
            else:
                writer.write(reply(b"nothing here", status=404) if answer is None else answer)
            await writer.drain()
        await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Asked:
    """The next request of a connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    return Asked(method, path, {name.lower(): value.strip() for name, value in pairs})


def reply(
    body: bytes = b"", headers: Mapping[str, str] | None = None, *, status: int = 200
) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def moved(location: str, *, status: int = 302) -> bytes:
    """A redirect."""
    return reply(b"", {"Location": location}, status=status)


def closing(data: bytes) -> Answer:
    """An answer after which the server closes the connection."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return answer


def dripping(head: bytes, drop: bytes, seconds: float = 0.01) -> Answer:
    """An answer that never ends, drop by drop."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(seconds)

    return answer


def flooding(head: bytes, block: bytes) -> Answer:
    """An answer that never ends, as fast as it is taken."""
    return dripping(head, block, 0)


@asynccontextmanager
async def origin_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Origin]:
    """Yield a running server."""
    origin = Origin()
    async with served(origin.serve, tls) as origin.port:
        yield origin


@asynccontextmanager
async def served(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Yield the port at which each connection is given to this; none outlives it."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def open_client(
    policy: EgressPolicy, resolver: Resolver | None = None
) -> AsyncIterator[Client]:
    """Yield a client that is closed afterwards."""
    client = Client(policy, resolver=resolver)
    try:
        yield client
    finally:
        await client.aclose()


def ca_file(pem: bytes, folder: Path) -> Path:
    """A file with the certificate in it."""
    path = folder / "ca.pem"
    path.write_bytes(pem)
    return path
