"""Open HTTP/1.1 connections: made through the guard, kept alive, taken again."""

import base64
import ssl
from collections import OrderedDict
from urllib.parse import unquote

# Loaded by httpcore2's first request otherwise, in the middle of the work.
import anyio._backends._asyncio  # noqa: F401
import httpcore2
from ada_url import URL

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http.guard import DEFAULT_PORTS, EgressPolicy, Target
from ctiscraper.http.network import Network, Stream

KEEP_ALIVE_SECONDS = 30.0
# More than a head may have, as the body's first bytes come with it.
HEAD_BYTES = 1_000_000
MAX_IDLE = 128
_OK = range(200, 300)


class Connection(httpcore2.AsyncHTTP11Connection):
    """One HTTP/1.1 connection that knows whether it may be used again."""

    def __init__(self, target: Target, stream: Stream) -> None:
        origin = _core_url(target, b"/").origin
        super().__init__(origin, stream, keepalive_expiry=KEEP_ALIVE_SECONDS)
        self._stream = stream

    async def ask(self, request: httpcore2.Request, body_bytes: int) -> httpcore2.Response:
        """Return the answer's head, its body still to be read.

        Floods of headers, interim answers, chunk extensions or trailers end where
        no honest answer of that size could be.
        """
        self._stream.allow(HEAD_BYTES)
        response = await self.handle_async_request(request)
        self._stream.allow(2 * body_bytes + HEAD_BYTES)
        return response

    @property
    def reusable(self) -> bool:
        """Tell whether the last answer ended cleanly, with no byte left over."""
        # Bytes after an answer would be read as the next one's beginning.
        surplus, _ = self._h11_state.trailing_data
        return self.is_idle() and not surplus and not self.has_expired()


class Connections:
    """The connections of one policy, by origin."""

    def __init__(self, policy: EgressPolicy, network: Network, tls: ssl.SSLContext) -> None:
        self._network = network
        self._tls = tls
        self._proxy = _Proxy(policy.proxy) if policy.proxy else None
        self._idle: OrderedDict[str, list[Connection]] = OrderedDict()
        self._idle_count = 0

    def request(
        self, target: Target, headers: list[tuple[bytes, bytes]], body: bytes | None = None
    ) -> httpcore2.Request:
        """Return the request as this way out wants it; with a body it is a POST."""
        path = target.path.encode("ascii")
        if self._proxy is not None and target.scheme == "http":
            path = target.href.encode("ascii")
            headers = headers + self._proxy.headers
        url = _core_url(target, path)
        if body is None:
            return httpcore2.Request("GET", url, headers=headers)
        length = (b"Content-Length", str(len(body)).encode())
        return httpcore2.Request("POST", url, headers=[*headers, length], content=body)

    async def idle(self, target: Target) -> Connection | None:
        """Return a kept connection to the origin, or None."""
        while kept := self._idle.get(target.origin):
            connection = kept.pop()
            self._idle_count -= 1
            if not kept:
                del self._idle[target.origin]
            if connection.reusable:
                return connection
            await connection.aclose()
        return None

    async def give_back(self, target: Target, connection: Connection) -> None:
        """Keep the connection when it can be used again, else close it."""
        if not connection.reusable:
            await connection.aclose()
            return
        self._idle.setdefault(target.origin, []).append(connection)
        self._idle.move_to_end(target.origin)
        self._idle_count += 1
        if self._idle_count > MAX_IDLE:
            await self._close_oldest()

    async def open(self, target: Target) -> Connection:
        """Return a new connection to the origin; raises FetchError."""
        if self._proxy is not None:
            stream = await self._through_proxy(self._proxy, target)
        else:
            stream = await self._network.connect(target.host, target.port)
        if target.scheme == "https":
            stream = await stream.start_tls(self._tls, target.host)
        return Connection(target, stream)

    async def aclose(self) -> None:
        """Close every kept connection."""
        while self._idle:
            await self._close_oldest()

    async def _close_oldest(self) -> None:
        _, connections = self._idle.popitem(last=False)
        self._idle_count -= len(connections)
        for connection in connections:
            await connection.aclose()

    async def _through_proxy(self, proxy: "_Proxy", target: Target) -> Stream:
        await self._network.check_where_known(target.host, target.port)
        stream = await self._network.connect(proxy.host, proxy.port, operator=True)
        if proxy.scheme == "https":
            stream = await stream.start_tls(self._tls, proxy.host)
        if target.scheme == "https":
            await proxy.tunnel(stream, target)
        return stream


class _Proxy:
    """The operator's outbound HTTP proxy."""

    def __init__(self, url: str) -> None:
        parsed = URL(url)
        self.scheme = parsed.protocol[:-1]
        self.host = parsed.hostname.strip("[]")
        self.port = int(parsed.port) if parsed.port else DEFAULT_PORTS[self.scheme]
        self.headers: list[tuple[bytes, bytes]] = []
        if parsed.username:
            user, password = unquote(parsed.username), unquote(parsed.password)
            secret = base64.b64encode(f"{user}:{password}".encode())
            self.headers.append((b"Proxy-Authorization", b"Basic " + secret))

    async def tunnel(self, stream: Stream, target: Target) -> None:
        """Have the proxy join the stream to the target (RFC 9110 section 9.3.6)."""
        host = f"[{target.host}]" if ":" in target.host else target.host
        authority = f"{host}:{target.port}".encode("ascii")
        url = httpcore2.URL(scheme=self.scheme, host=self.host, port=self.port, target=authority)
        headers = [(b"Host", authority), *self.headers]
        connection = httpcore2.AsyncHTTP11Connection(url.origin, stream)
        stream.allow(HEAD_BYTES)
        response = await connection.handle_async_request(
            httpcore2.Request("CONNECT", url, headers=headers)
        )
        if response.status not in _OK:
            await connection.aclose()
            raise FetchError(Reason.CONNECT, f"the proxy answered {response.status}")


def _core_url(target: Target, path: bytes) -> httpcore2.URL:
    return httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=path)
