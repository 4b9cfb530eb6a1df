"""Connections made only to checked addresses: resolve, check, connect, check the peer."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import httpcore2

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http.faults import connect_error, name_error, offline, tls_error
from ctiscraper.http.guard import (
    Address,
    EgressPolicy,
    is_allowed_address,
    is_metadata_address,
    is_public_address,
)

Resolver = Callable[[str], Awaitable[list[str]]]

CONNECT_SECONDS = 5.0
RESOLVE_SECONDS = 5.0
_MAX_ADDRESSES = 4
_RESOLVER_THREADS = 16
_READ_AHEAD = 256 * 1024
# Having reached anyone this recently, an unreachable host is its own fault.
_ONLINE_SECONDS = 60.0
# Names that exist as long as names do: where they are unknown, we have no name service.
_CONTROL_NAMES = ("a.root-servers.net", "example.com")
_CONTROL_SECONDS = 10.0


class SystemResolver:
    """The system's resolver in threads of its own: slow names delay no other work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> list[str]:
        """Return every address of the name; raises OSError (socket.gaierror)."""
        # As bytes, the name is not encoded a second time (it is an A-label).
        infos = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._lookup, host.encode("ascii")
        )
        return list(dict.fromkeys(str(info[4][0]) for info in infos))

    def close(self) -> None:
        """Let the threads end with their last name."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _lookup(host: bytes) -> list[Any]:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)


class Network:
    """The guarded way to a host, under one policy."""

    def __init__(self, policy: EgressPolicy, resolve: Resolver) -> None:
        self._policy = policy
        self._resolve = resolve
        self._reached_at = float("-inf")
        self._control_failed_at = float("-inf")

    async def connect(self, host: str, port: int, *, operator: bool = False) -> "Stream":
        """Return a connection whose peer was checked; raises FetchError.

        `operator` marks the proxy: the operator named it, so only metadata
        addresses are refused.
        """
        addresses, port = await self.find(host, port, operator=operator)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_SECONDS
        errors: list[OSError] = []
        for left in range(len(addresses), 0, -1):
            address = addresses[-left]
            share = (deadline - loop.time()) / left
            try:
                async with asyncio.timeout(share):
                    _, inbox = await loop.create_connection(Inbox, str(address), port)
            except OSError as error:
                errors.append(error)
                continue
            return self._checked(inbox, operator=operator)
        raise connect_error(errors, online=self._online())

    async def find(
        self, host: str, port: int, *, operator: bool = False
    ) -> tuple[list[Address], int]:
        """Return the host's addresses, all checked, and the port to connect to."""
        mapped = self._policy.mapped(host)
        if mapped is not None:
            return [mapped[0]], mapped[1] or port
        addresses = [ipaddress.ip_address(text) for text in await self._answers(host)]
        for address in addresses:
            self._check(address, operator=operator)
        return addresses[:_MAX_ADDRESSES], port

    async def check_where_known(self, host: str, port: int) -> None:
        """Raise FetchError when the host leads to a refused address.

        For hosts behind a proxy: where it alone can resolve names, it alone can
        check them.
        """
        try:
            if self.lacks_name_of(host):
                return
            await self.find(host, port)
        except FetchError as error:
            if error.reason not in {Reason.DNS, Reason.OFFLINE}:
                raise

    async def _answers(self, host: str) -> list[str]:
        if not isinstance(_literal(host), str):
            return [host]
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                answers = await self._resolve(host)
        except TimeoutError as error:
            if self._online():
                raise FetchError(Reason.DNS, "no answer in time") from error
            self._control_failed_at = time.monotonic()
            raise offline("name resolution: no answer in time") from error
        except OSError as error:
            raise name_error(error, online=await self._has_names()) from error
        except asyncio.CancelledError:
            # The deadline of the whole exchange passed while names were asked for in vain.
            if not self._online():
                self._control_failed_at = time.monotonic()
            raise
        if not answers:
            raise FetchError(Reason.DNS, "the name has no address")
        return [answer.partition("%")[0] for answer in answers]

    def _check(self, address: Address, *, operator: bool) -> None:
        allowed = (
            not is_metadata_address(address)
            if operator
            else is_allowed_address(address, self._policy)
        )
        if not allowed:
            raise FetchError(Reason.ADDRESS_REFUSED, f"{address} is not a public address")

    def _checked(self, inbox: "Inbox", *, operator: bool) -> "Stream":
        stream = Stream(inbox)
        try:
            peer = ipaddress.ip_address(inbox.peer.partition("%")[0])
            self._check(peer, operator=operator)
        except (ValueError, FetchError):
            inbox.abort()
            raise
        if is_public_address(peer):
            self._reached_at = time.monotonic()
        return stream

    async def _has_names(self) -> bool:
        """Tell whether names can be resolved here at all."""
        if self._online() or self._lacks_names():
            return self._online()
        now = time.monotonic()
        for name in _CONTROL_NAMES:
            try:
                async with asyncio.timeout(RESOLVE_SECONDS):
                    if await self._resolve(name):
                        self._reached_at = now
                        return True
            except OSError:
                continue
        self._control_failed_at = now
        return False

    def lacks_name_of(self, host: str) -> bool:
        """Return whether the host has a name, and none could be resolved a moment ago."""
        named = isinstance(_literal(host), str) and self._policy.mapped(host) is None
        return named and self._lacks_names()

    def _lacks_names(self) -> bool:
        return time.monotonic() - self._control_failed_at < _CONTROL_SECONDS

    def _online(self) -> bool:
        return time.monotonic() - self._reached_at < _ONLINE_SECONDS


def _literal(host: str) -> Address | str:
    """Return the address that the host is, or the name it is."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return host


class Inbox(asyncio.Protocol):
    """What a peer sent and nobody read yet, held to a bounded amount."""

    def __init__(self) -> None:
        self.ended = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """Return the connection's transport (the TLS one once there is one)."""
        assert self._transport is not None
        return self._transport

    @property
    def peer(self) -> str:
        """Return the address at the other end of the socket."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    @property
    def readable(self) -> bool:
        """Tell whether there is something to read, be it the end."""
        return bool(self._chunks) or self.ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hold the bytes; stop reading when too many wait."""
        self._chunks.append(data)
        self._held += len(data)
        if self._held > _READ_AHEAD and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Note the end and let the transport close."""
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end and its cause."""
        self.ended = True
        self.error = exc
        self._wake()

    async def take(self) -> bytes:
        """Return the next bytes, empty at the end; raises what broke the connection."""
        while not self._chunks:
            if self.error is not None:
                raise self.error
            if self.ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._chunks.popleft()
        self._held -= len(data)
        if self._paused and not self._chunks:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return data

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Go on under TLS; raises ssl.SSLError or OSError."""
        transport = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_hostname=host
        )
        assert transport is not None
        self._transport = transport

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Stream(httpcore2.AsyncNetworkStream):
    """An open connection as httpcore2 drives it; deadlines are the caller's."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._allowance = 0

    def allow(self, size: int) -> None:
        """Let that many bytes be read from now on; raises FetchError past them."""
        self._allowance = size

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - httpcore2's signature
        """Return the next bytes, empty at the end."""
        try:
            data = await self._inbox.take()
        except OSError as error:
            raise httpcore2.ReadError(str(error) or type(error).__name__) from error
        self._allowance -= len(data)
        if self._allowance < 0:
            raise FetchError(Reason.PROTOCOL, "more bytes than the answer has use for")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - httpcore2's signature
        """Hand the bytes to the transport: requests are small."""
        if self._inbox.ended or self._inbox.transport.is_closing():
            raise httpcore2.WriteError("the connection is closed")
        self._inbox.transport.write(buffer)

    async def aclose(self) -> None:
        """Close at once."""
        self._inbox.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
    ) -> "Stream":
        """Return the same connection under TLS; raises FetchError."""
        seconds = CONNECT_SECONDS if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                await self._inbox.secure(ssl_context, (server_hostname or "").rstrip("."))
        except TimeoutError as error:
            self._inbox.abort()
            raise FetchError(Reason.TIMEOUT, "TLS handshake") from error
        except OSError as error:
            self._inbox.abort()
            raise tls_error(error) from error
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore2's signature
        """Return whether the connection is readable; nothing else is asked."""
        return self._inbox.readable if info == "is_readable" else None
