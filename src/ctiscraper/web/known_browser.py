"""A browser that people have logged in with before: it says so itself, sealed."""

import secrets

import msgspec
from fastapi import Request
from starlette.responses import Response

from ctiscraper.access.sealing import SealError
from ctiscraper.admission import Browser
from ctiscraper.web.cookie_names import session_cookie
from ctiscraper.web.deps import WebServices

KNOWN_SECONDS = 180 * 86_400
# A browser that more people share forgets whoever came before these.
_USERS_MOST = 8
_PURPOSE = "browser"


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """The browser's own name, and who logged in with it, the last first, each until when."""

    name: str
    users: tuple[tuple[int, int], ...]


def browser_of(request: Request) -> Browser | None:
    """Return who has logged in with this browser before, the last first; None for a new one."""
    known = _read(request)
    if known is None:
        return None
    now = _now(request)
    return Browser(name=known.name, users=tuple(one for one, until in known.users if until > now))


def last_user_of(request: Request) -> int | None:
    """Return who has logged in with this browser last, None where nobody knows."""
    browser = browser_of(request)
    return browser.users[0] if browser is not None and browser.users else None


def remember_browser(request: Request, answer: Response, user_id: int) -> None:
    """Let the browser say from now on that this user has logged in with it."""
    known = _read(request) or _Known(name=secrets.token_urlsafe(16), users=())
    others = [one for one in known.users if one[0] != user_id]
    users = ((user_id, _now(request) + KNOWN_SECONDS), *others)[:_USERS_MOST]
    content = msgspec.json.encode(_Known(name=known.name, users=users))
    answer.set_cookie(
        _cookie(request),
        _given(request).sealer.seal_text(_PURPOSE, content),
        max_age=KNOWN_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _read(request: Request) -> _Known | None:
    given = request.cookies.get(_cookie(request))
    if given is None:
        return None
    try:
        content = _given(request).sealer.open_text(_PURPOSE, given)
        return msgspec.json.decode(content, type=_Known)
    except (SealError, msgspec.MsgspecError):
        return None


def _now(request: Request) -> int:
    return int(_given(request).database.clock().timestamp())


def _given(request: Request) -> WebServices:
    given = request.app.state.services
    assert isinstance(given, WebServices)
    return given


def _cookie(request: Request) -> str:
    return f"{session_cookie(request)}_known"
