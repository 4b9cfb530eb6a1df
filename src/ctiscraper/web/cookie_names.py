"""How cookies are called."""

from starlette.requests import Request


def session_cookie(request: Request) -> str:
    """Return the name of the cookie of a session; without TLS none can be bound to its host."""
    return _bound(request, "ctiscraper")


def choice_cookie(request: Request, choice: str) -> str:
    """Return the name of the cookie of a choice of how pages look."""
    return _bound(request, choice)


def _bound(request: Request, name: str) -> str:
    """Return a name that browsers take over TLS from this host alone (RFC 6265bis, 4.1.3)."""
    return f"__Host-{name}" if request.scope["scheme"] == "https" else name
