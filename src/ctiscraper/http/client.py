"""The one outbound client: guarded, bounded in bytes and time, redirects walked by hand."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlencode

import httpcore2

from ctiscraper.errors import FetchError, Reason, Scope, SettingsError
from ctiscraper.http.connection import Connection, Connections
from ctiscraper.http.faults import exchange_error, offline
from ctiscraper.http.guard import EgressPolicy, Target, check_url
from ctiscraper.http.intake import FetchLimits, Intake, header_map
from ctiscraper.http.network import Network, Resolver, SystemResolver
from ctiscraper.http.streamed import Streamed
from ctiscraper.setting_texts import fault_of_pem
from ctiscraper.tracing import span
from ctiscraper.types import Page, Redirect

BeforeHop = Callable[[str], Awaitable[None]]
Clock = Callable[[], datetime]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What must not follow a redirect to another origin.
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
# What the client alone decides.
_OWN_HEADERS = frozenset({"host", "user-agent", "accept-encoding", "connection"})
_DRAIN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """One hop's answer, its body decoded."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire_bytes: int


class Client:
    """HTTP to wherever the policy allows; keeps connections, never cookies.

    Raises SettingsError for authorities that cannot be read.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver | None = None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._threads = None if resolver else SystemResolver()
        self._network = Network(policy, resolver or cast("Resolver", self._threads))
        self._connections = Connections(policy, self._network, tls_context(policy))
        self._headers = [
            (b"User-Agent", policy.user_agent.encode("ascii")),
            (b"Accept-Encoding", b"gzip"),
        ]

    async def get(
        self,
        url: str,
        *,
        limits: FetchLimits,
        headers: Mapping[str, str] | None = None,
        before_hop: BeforeHop | None = None,
    ) -> Page:
        """Return the final answer, whatever its status.

        `before_hop` is awaited with the URL of every request before it is sent, the
        first included; its time is not counted. Raises FetchError for all else.
        """
        target = check_url(url, self._policy)
        walk = _Walk(limits)
        sent = dict(headers or {})
        while True:
            if before_hop is not None:
                await before_hop(target.href)
            answer = await self._hop(walk, target, sent)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                break
            onward = self._onward(walk, target, answer.status, location)
            if onward.origin != target.origin:
                sent = {k: v for k, v in sent.items() if k.lower() not in _PRIVATE_HEADERS}
            target = onward
        return Page(
            url=url,
            final_url=target.href,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            fetched_at=self._clock(),
            redirects=tuple(walk.hops),
            wire_bytes=answer.wire_bytes,
            requests=1 + len(walk.hops),
        )

    async def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        limits: FetchLimits,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Return the answer to a form, whatever its status; a redirect is not followed.

        Over a connection of its own: nothing is sent twice. Raises FetchError.
        """
        target = check_url(url, self._policy)
        sent = {**(headers or {}), "content-type": "application/x-www-form-urlencoded"}
        answer = await self._hop(_Walk(limits), target, sent, urlencode(fields).encode())
        return Page(
            url=url,
            final_url=target.href,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            fetched_at=self._clock(),
            wire_bytes=answer.wire_bytes,
            requests=1,
        )

    @asynccontextmanager
    async def streamed(
        self,
        url: str,
        *,
        limits: FetchLimits,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> AsyncIterator[Streamed]:
        """Yield an answer, whatever its status, whose body is read as it comes.

        With a body it is a POST. The seconds of the limits are those of the whole, reading
        included; a redirect is refused. Nothing is sent twice. Raises FetchError.
        """
        target = check_url(url, self._policy)
        answer = Streamed(target, limits)
        request = self._connections.request(
            target, self._request_headers(target, headers or {}), body
        )
        known = {"http.request.method": "GET" if body is None else "POST", "url.full": target.href}
        try:
            with span(
                f"{known['http.request.method']} {target.host}", kind="client", **known
            ) as at:
                async with answer.in_time():
                    answer.begin(*await self._open(target, request, limits))
                at.set(**{"http.response.status_code": answer.status})
            yield answer
        finally:
            if answer.connection is not None:
                await self._connections.give_back(target, answer.connection)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()
        if self._threads is not None:
            self._threads.close()

    async def _hop(
        self,
        walk: "_Walk",
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> _Answer:
        """Return one hop's answer, in a span; no header of it goes to strangers."""
        method = "GET" if body is None else "POST"
        known = {"http.request.method": method, "url.full": target.href}
        with span(f"{method} {target.host}", kind="client", **known) as at:
            at.set(**{"server.address": target.host, "http.request.resend_count": len(walk.hops)})
            answer = await self._within(walk, target, headers, body)
            at.set(**{"http.response.status_code": answer.status, "wire_bytes": answer.wire_bytes})
            return answer

    async def _within(
        self, walk: "_Walk", target: Target, headers: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(walk.seconds_left):
                return await self._exchange(walk.limits, target, headers, body)
        except TimeoutError as error:
            if self._network.lacks_name_of(target.host):
                raise offline("name resolution: no answer in time") from error
            raise FetchError(
                Reason.TIMEOUT, f"no whole answer in {walk.limits.seconds:g} s", url=target.href
            ) from error
        except FetchError as error:
            error.url = error.url or target.href
            raise
        finally:
            walk.seconds_left -= time.monotonic() - began

    def _onward(self, walk: "_Walk", target: Target, status: int, location: str) -> Target:
        location = _as_meant(location)
        walk.hops.append(Redirect(url=target.href, status=status, location=location))
        onward = check_url(location, self._policy, base=target.href)
        walk.check(target, onward)
        return onward

    async def _exchange(
        self, limits: FetchLimits, target: Target, headers: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        request = self._connections.request(target, self._request_headers(target, headers), body)
        connection, response = await self._send(target, request, limits)
        try:
            answer = await _read_answer(response, limits)
            await response.aclose()
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise exchange_error(error) from error
        finally:
            await self._connections.give_back(target, connection)
        return answer

    async def _send(
        self, target: Target, request: httpcore2.Request, limits: FetchLimits
    ) -> tuple[Connection, httpcore2.Response]:
        kept = await self._connections.idle(target) if request.method == b"GET" else None
        if kept is not None:
            try:
                return kept, await kept.ask(request, limits.max_bytes)
            except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
                told = exchange_error(error)
                # Closed by the host as we wrote, it is asked once more.
                if told.reason is not Reason.TRUNCATED:
                    raise told from error
        return await self._open(target, request, limits)

    async def _open(
        self, target: Target, request: httpcore2.Request, limits: FetchLimits
    ) -> tuple[Connection, httpcore2.Response]:
        try:
            fresh = await self._connections.open(target)
            return fresh, await fresh.ask(request, limits.max_bytes)
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise exchange_error(error) from error

    def _request_headers(
        self, target: Target, headers: Mapping[str, str]
    ) -> list[tuple[bytes, bytes]]:
        own = [(b"Host", target.authority.encode("ascii")), *self._headers]
        extra = [
            (name.encode("ascii"), value.encode("latin-1", "replace"))
            for name, value in headers.items()
            if name.lower() not in _OWN_HEADERS
        ]
        return own + extra


def _as_meant(location: str) -> str:
    """Return where a header leads, which was read as Latin-1: letters beyond ASCII are UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


class _Walk:
    """One chain of redirects and what is left of its limits."""

    def __init__(self, limits: FetchLimits) -> None:
        self.limits = limits
        self.seconds_left = limits.seconds
        self.hops: list[Redirect] = []

    def check(self, target: Target, onward: Target) -> None:
        """Raise FetchError when the chain may not go on to `onward`."""
        if any(hop.url == onward.href for hop in self.hops):
            raise _redirect_error(Reason.REDIRECT_LOOP, "back to a URL of the chain", onward)
        if len(self.hops) > self.limits.max_redirects:
            detail = f"more than {self.limits.max_redirects}"
            raise _redirect_error(Reason.REDIRECT_LIMIT, detail, onward)
        downgrade = target.scheme == "https" and onward.scheme == "http"
        if downgrade and not self.limits.allow_downgrade:
            raise _redirect_error(Reason.REDIRECT_REFUSED, "from https to http", onward)


def _redirect_error(reason: Reason, detail: str, onward: Target) -> FetchError:
    return FetchError(reason, detail, scope=Scope.ITEM, transient=False, url=onward.href)


async def _read_answer(response: httpcore2.Response, limits: FetchLimits) -> _Answer:
    headers = header_map(response)
    if response.status in _REDIRECTS and "location" in headers:
        await _drain(response)
        return _Answer(response.status, headers, b"", 0)
    body, wire_bytes = await _read_body(response, limits)
    return _Answer(response.status, headers, body, wire_bytes)


async def _read_body(response: httpcore2.Response, limits: FetchLimits) -> tuple[bytes, int]:
    intake = Intake(response, limits)
    parts: list[bytes] = []
    async with aclosing(response.aiter_stream()) as stream:
        async for piece in stream:
            parts.append(intake.take(piece))
            if intake.is_full:
                return b"".join(parts), intake.wire_bytes
    intake.finish()
    return b"".join(parts), intake.wire_bytes


async def _drain(response: httpcore2.Response) -> None:
    seen = 0
    async with aclosing(response.aiter_stream()) as stream:
        async for piece in stream:
            seen += len(piece)
            if seen > _DRAIN_BYTES:
                return


def tls_context(policy: EgressPolicy) -> ssl.SSLContext:
    """Return how TLS is spoken, and whom it trusts. Raises SettingsError."""
    context = httpcore2.default_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if policy.ca_bundle is None:
        return context
    try:
        context.load_verify_locations(policy.ca_bundle)
    except OSError as error:
        raise SettingsError(
            f"CTISCRAPER_CA_BUNDLE: {fault_of_pem(policy.ca_bundle, error)}; name a PEM file of "
            "further authorities, or unset it if the usual ones do"
        ) from error
    return context
