"""A wire to PostgreSQL that breaks at a chosen word, after the server has acted on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK = 1 << 16


@dataclass
class FaultProxy:
    """Connections to the server of `upstream`; `conninfo` leads through here."""

    upstream: str
    conninfo: str = ""
    lost: int = 0
    spelling: tuple[bytes, bytes] = (b"", b"")
    _word: bytes = b""
    _left: int = 0
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    def lose_replies(self, word: str, *, times: int = 1) -> None:
        """Drop the replies to the next messages that hold `word`, and their connections."""
        self._word, self._left = word.encode(), times

    def spell(self, word: str, other: str) -> None:
        """Let clients read another word of the same length in every reply."""
        assert len(word) == len(other)
        self.spelling = (word.encode(), other.encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end leaves or its reply is lost."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        back, out = await self._connect()
        replies = asyncio.create_task(self._reply(back, writer))
        try:
            while data := await reader.read(_CHUNK):
                if self._left and self._word in data:
                    self._left -= 1
                    replies.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await replies
                    out.write(data)
                    # Its reply says that the server has done it; nobody else hears of it.
                    await back.read(_CHUNK)
                    self.lost += 1
                    return
                out.write(data)
        except OSError:
            pass
        finally:
            replies.cancel()
            for end in (out, writer):
                end.transport.abort()

    async def _reply(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                sink.write(data.replace(*self.spelling) if self.spelling[0] else data)
        sink.transport.abort()

    async def close(self) -> None:
        """End every connection."""
        talks = list(self._talks)
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        # Transports close their sockets a turn of the loop later.
        await asyncio.sleep(0)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        values = conninfo_to_dict(self.upstream)
        host, port = str(values.get("host") or "127.0.0.1"), str(values.get("port") or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def fault_proxy(upstream: str) -> AsyncIterator[FaultProxy]:
    """Yield a proxy on loopback in front of the server of a connection string."""
    proxy = FaultProxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # Words are looked for in plain text.
    proxy.conninfo = make_conninfo(
        upstream, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
    )
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
