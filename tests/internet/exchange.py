"""One request and the ways to answer it, from a polite page to raw bytes on the wire."""

import asyncio
import gzip
import hashlib
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

from internet.site import Site

HTML: Final = "text/html; charset=utf-8"
RSS: Final = "application/rss+xml; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"

_BUFFER_LIMIT: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked, when (monotonic seconds) and of whom; header names are lower case."""

    at: float
    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    tls: bool = False


@dataclass(slots=True)
class Exchange:
    """A request on its way; `earlier` counts the same path's requests on this site before it."""

    site: Site
    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    earlier: int
    canary_url: str
    drip: float
    keep_open: bool = True
    headers: dict[str, str] = field(default_factory=dict)

    async def send(
        self,
        body: bytes | str = b"",
        *,
        status: int = 200,
        kind: str = HTML,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with a whole message."""
        data = body.encode() if isinstance(body, str) else body
        lines = {"Content-Type": kind, **self.headers, **(headers or {})}
        if status != HTTPStatus.NOT_MODIFIED:
            lines.setdefault("Content-Length", str(len(data)))
        phrase = HTTPStatus(status).phrase
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        silent = self.request.method == "HEAD" or status == HTTPStatus.NOT_MODIFIED
        await self.raw(
            f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode("latin-1")
            + (b"" if silent else data)
        )

    async def redirect(self, location: str, status: int = 302) -> None:
        """Send the client elsewhere."""
        await self.send(status=status, headers={"Location": location})

    async def offer(self, body: str, kind: str) -> None:
        """Answer with validators, with gzip when asked, and with 304 when nothing changed."""
        data = body.encode()
        newest = max((self.site.article(item).modified for item in self.site.items), default=None)
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        validators = {"ETag": etag, "Vary": "Accept-Encoding"}
        if newest is not None:
            validators["Last-Modified"] = format_datetime(newest, usegmt=True)
        if self._is_current(etag, validators.get("Last-Modified")):
            await self.send(status=304, kind=kind, headers=validators)
            return
        if "gzip" in self.request.headers.get("accept-encoding", ""):
            data = gzip.compress(data, 5, mtime=0)
            validators["Content-Encoding"] = "gzip"
        await self.send(data, kind=kind, headers=validators)

    async def raw(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, chunks: Iterable[bytes]) -> None:
        """Send until there is no more, or the client has had enough."""
        self.keep_open = False
        for chunk in chunks:
            if self.writer.is_closing() or self.reader.at_eof():
                return
            await self.raw(chunk)

    async def trickle(self, data: bytes) -> None:
        """Send one byte each `drip` seconds until the client is gone."""
        self.keep_open = False
        for at in range(len(data)):
            await self.raw(data[at : at + 1])
            try:
                await asyncio.wait_for(self.reader.read(1), self.drip)
            except TimeoutError:
                continue
            return

    async def wait_until_gone(self) -> None:
        """Say nothing more until the client hangs up."""
        self.keep_open = False
        await self.reader.read()

    def cut(self) -> None:
        """Close after what was sent."""
        self.keep_open = False

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.keep_open = False
        wire = self.writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def _is_current(self, etag: str, modified: str | None) -> bool:
        asked = self.request.headers.get("if-none-match")
        if asked is not None:
            return etag in asked
        since = self.request.headers.get("if-modified-since")
        return since is not None and since == modified


def limit_buffer(writer: asyncio.StreamWriter) -> None:
    """Let a flood wait for its reader, so that it costs no memory here."""
    writer.transport.set_write_buffer_limits(high=_BUFFER_LIMIT)
