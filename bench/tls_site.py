"""A loopback server that is many sites: every name over TLS and plain on one port."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import trustme

CLIENT_HELLO = b"\x16"
Answers = Mapping[str, tuple[str, bytes]]


class _Certificates:
    """A context for each name a client asks for, signed when it is first asked."""

    def __init__(self, authority: trustme.CA) -> None:
        self._authority = authority
        self._made: dict[str, ssl.SSLContext] = {}
        self.front = self._context("localhost")
        self.front.sni_callback = self._choose

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(name, key_type=trustme.KeyType.ECDSA).configure_cert(context)
        return context

    def _choose(self, link: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            if name not in self._made:
                self._made[name] = self._context(name)
            link.context = self._made[name]


@asynccontextmanager
async def site(
    answers: Answers, authority: trustme.CA
) -> AsyncIterator[tuple[int, "Counter[str]"]]:
    """Yield the port, and the count of answers by status; what is not in `answers` is a 404."""
    log: Counter[str] = Counter()
    certificates = _Certificates(authority)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.settimeout(0)
    loop = asyncio.get_running_loop()
    open_links: set[asyncio.Task[None]] = set()

    async def accept() -> None:
        while True:
            link, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(_converse(link, certificates, answers, log))
            open_links.add(task)
            task.add_done_callback(open_links.discard)

    accepting = asyncio.create_task(accept())
    try:
        yield listener.getsockname()[1], log
    finally:
        for task in (accepting, *open_links):
            task.cancel()
        await asyncio.gather(accepting, *open_links, return_exceptions=True)
        listener.close()


async def _converse(
    link: socket.socket, certificates: _Certificates, answers: Answers, log: "Counter[str]"
) -> None:
    """Answer every request of one connection, which its first byte says the kind of."""
    loop = asyncio.get_running_loop()
    link.settimeout(0)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
        first = await _peek(link)
        context = certificates.front if first == CLIENT_HELLO else None
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, link, ssl=context)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            while not reader.at_eof():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(_answer(head, answers, log))
                await writer.drain()
        finally:
            writer.close()


async def _peek(link: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(link, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(link)
    return link.recv(1, socket.MSG_PEEK)


def _answer(head: str, answers: Answers, log: "Counter[str]") -> bytes:
    """The bytes of the answer to a request's head."""
    request, *lines = head.split("\r\n")
    path = request.split(" ")[1]
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    found = answers.get(fields.get("host", "") + path)
    status, kind, body = (
        ("200 OK", *found) if found else ("404 Not Found", "text/plain", b"not captured")
    )
    log[f"{status[:3]} robots.txt" if path == "/robots.txt" else status[:3]] += 1
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
