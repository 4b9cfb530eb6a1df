"""What every exchange must pass: known host, same site, bounded body; and the answer's headers."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctiscraper.web.exchange import shown_path
from ctiscraper.web.problems import fault_answer, problem_answer

_log = structlog.get_logger(__name__)

BODY_MOST = 1_000_000
IMPORT_MOST = 20_000_000
LOOKUP_MOST = 8_000_000
DRAIN_SECONDS = 5.0
IMPORT_PATHS = frozenset({"/api/v1/sources/import", "/sources/import"})
LOOKUP_PATHS = frozenset({"/api/v1/lookup", "/indicators/lookup", "/indicators/lookup.csv"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "object-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'; "
    "require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), "
        "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
    ),
}
# Told where TLS is spoken: this host, and what is below it, is asked over nothing else for a year.
TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"
# As they are sent, which is with every answer.
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_OVER_TLS = (b"strict-transport-security", TRANSPORT_SECURITY.encode())
_REQUEST_ID, _CACHE_CONTROL = b"x-request-id", b"cache-control"
_OURS = frozenset((_REQUEST_ID, _OVER_TLS[0], *(name for name, _ in _RAW_HEADERS)))
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyTooLargeError(Exception):
    """A request body that passes its cap while it is read."""


class Guard:
    """The layer below the access log: refuses what must not be answered and marks what is."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Iterable[str]) -> None:
        self.app = app
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        marked = _Marked(send, scope["state"]["request_id"], over_tls=scope["scheme"] == "https")
        refusal = self._refusal(scope)
        if refusal is not None:
            if refusal.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await _drain(scope, receive)
            await refusal(scope, receive, marked.send)
            return
        capped = _Capped(receive, _cap(scope))
        try:
            await self.app(scope, capped.receive, marked.send)
        except BodyTooLargeError:
            if marked.started:
                raise
            await _too_large(scope)(scope, receive, marked.send)
        except Exception as error:
            # The border of a request: logged in full, answered without details.
            answer = fault_answer(scope, error)
            if marked.started:
                raise
            await answer(scope, receive, marked.send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self.allowed_hosts:
            _tell_refused(scope, "a name that is not served here")
            return problem_answer(
                scope, 421, "This host name is not served here; use the address the program shows."
            )
        if scope["method"] not in _SAFE and not is_same_origin(headers, scope["path"]):
            _tell_refused(scope, "a change that another site asks for")
            return problem_answer(
                scope, 403, "Changes are taken from this program's own pages only."
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > _cap(scope):
            return _too_large(scope)
        return None


async def _drain(scope: Scope, receive: Receive) -> None:
    """Take a body that is little too large to its end.

    A proxy that is cut off while it still sends tells its client of a broken gateway.
    """
    if int(Headers(scope=scope).get("content-length", "0")) > 2 * _cap(scope):
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass


class _Marked:
    """A way out that puts the headers on every answer."""

    def __init__(self, send: Send, request_id: str, *, over_tls: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._over_tls = over_tls
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [pair for pair in message["headers"] if pair[0] not in _OURS]
            if all(name != _CACHE_CONTROL for name, _ in headers):
                headers.append((_CACHE_CONTROL, b"no-store"))
            headers += _RAW_HEADERS
            if self._over_tls:
                headers.append(_OVER_TLS)
            headers.append((_REQUEST_ID, self._request_id.encode()))
            message["headers"] = headers
        await self._send(message)


class _Capped:
    """A way in that counts the body."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise BodyTooLargeError
        return message


def host_name(host: str) -> str:
    """Return a Host header without its port, in lower case; brackets stay."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdecimal() else host.lower()


def is_same_origin(headers: Headers, path: str) -> bool:
    """Return whether a change comes from our own page, or from a program that is no browser.

    Browsers send Sec-Fetch-Site or, older ones, Origin with every unsafe request; without
    either only the JSON API is open. Origin is "null" where a page sends no referrer
    (https://fetch.spec.whatwg.org/#append-a-request-origin-header), as ours do.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or (origin == "null" and site is not None):
        return site is not None or path.startswith("/api/")
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _cap(scope: Scope) -> int:
    if scope["path"] in LOOKUP_PATHS:
        return LOOKUP_MOST
    return IMPORT_MOST if scope["path"] in IMPORT_PATHS else BODY_MOST


def _tell_refused(scope: Scope, cause: str) -> None:
    client = scope.get("client")
    _log.warning(
        "web.refused",
        cause=cause,
        method=scope["method"],
        path=shown_path(scope),
        ip=client[0] if client else None,
    )


def _too_large(scope: Scope) -> Response:
    _tell_refused(scope, "a body that is too large")
    return problem_answer(scope, 413, f"A body may have at most {_cap(scope):,} bytes here.")
