"""The outermost layer: each exchange has an id, a line in the log and a span in its trace."""

import re
import time
from collections.abc import Mapping
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from ctiscraper.tracing import Span, resume, span

_log = structlog.get_logger(__name__)

_FAULT = 500
_HEALTH = "/health"
_FEED = re.compile(r"(?i)^(/+feeds/+)[^.]*(.*)")
# The only headers of a stranger that say something of the trace.
_TRACE_HEADERS = ("x-amzn-trace-id", "traceparent", "tracestate")
UNMATCHED = "(none)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Access:
    """Names each request, and tells how it was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        with bound_contextvars(request_id=request_id):
            if _is_probe(scope):
                await self._tell(scope, receive, send, Span())
                return
            known = {"http.request.method": scope["method"], "url.path": shown_path(scope)}
            with (
                resume(_carrier(Headers(scope=scope))),
                span(_method(scope), kind="server", request_id=request_id, **known) as at,
            ):
                await self._tell(scope, receive, send, at)

    async def _tell(self, scope: Scope, receive: Receive, send: Send, at: Span) -> None:
        began = time.perf_counter()
        answer = _Answer(send)
        try:
            await self.app(scope, receive, answer.send)
        finally:
            route = route_of(scope)
            at.rename(f"{_method(scope)} {route}")
            at.set(**{"http.route": route, "http.response.status_code": answer.status})
            if answer.status is None or answer.status >= _FAULT:
                at.fail()
            level = "debug" if _is_probe(scope) and answer.is_well else "info"
            getattr(_log, level)(
                "request",
                method=scope["method"],
                route=route,
                path=shown_path(scope),
                status=answer.status,
                bytes=answer.size,
                ms=round((time.perf_counter() - began) * 1000, 1),
            )


class _Answer:
    """A way out that notes what was answered; `status` is None until something was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.size = 0

    @property
    def is_well(self) -> bool:
        """Whether the answer tells of no fault."""
        return self.status is not None and self.status < _FAULT

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)


def route_of(scope: Scope) -> str:
    """Return the pattern of the route that answered, of which there are few."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    root = scope.get("root_path", "")
    return f"{root}/*" if root else UNMATCHED


def shown_path(scope: Scope) -> str:
    """Return the path that was asked for, without the secret that lets in to a feed."""
    path: str = scope["path"]
    return _FEED.sub(r"\1[redacted]\2", path)


def _method(scope: Scope) -> str:
    """Return the method for the name of a span, of which there must be few."""
    method: str = scope["method"]
    return method if method in _METHODS else "_OTHER"


def _is_probe(scope: Scope) -> bool:
    """Return whether a supervisor asks, which it does every few seconds."""
    path: str = scope["path"]
    return path == _HEALTH or path.startswith(f"{_HEALTH}/")


def _carrier(headers: Headers) -> Mapping[str, str]:
    return {name: headers[name] for name in _TRACE_HEADERS if name in headers}
