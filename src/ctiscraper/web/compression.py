"""Pages and their static files, compressed where no other site can measure what that does."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SMALLEST = 1_000
_LEVEL = 5
# What programs ask for is not compressed: theirs is a short way, and their time is ours.
_PLAIN = ("/api/", "/metrics", "/health")
_OWN = frozenset({"same-origin", "none"})


class Compression:
    """The layer that compresses answers to browsers.

    A page holds the token of its session and words of its address: another site that had it
    asked for again and again could tell the token from how small it gets (BREACH). A browser
    says where a request comes from, and only those of our own pages are answered so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._compressed if _is_compressed(scope) else self._plain
        await app(scope, receive, send)


def _is_compressed(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"].startswith(_PLAIN):
        return False
    if scope["path"].startswith("/static/"):
        return True
    return Headers(scope=scope).get("sec-fetch-site") in _OWN
