"""How cookies are called."""

from fastapi import Request


def session_cookie(request: Request) -> str:
    """Return the name of the cookie of a session; without TLS none can be bound to its host."""
    return "__Host-ctiscraper" if request.scope["scheme"] == "https" else "ctiscraper"
