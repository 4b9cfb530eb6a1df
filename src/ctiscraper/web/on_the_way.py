"""What is remembered of somebody who was sent to the provider: by his own browser, sealed.

Nothing of it is kept here, so that those who only set out take no room from others.
"""

from hmac import compare_digest

import msgspec
from fastapi import Request
from starlette.responses import Response

from ctiscraper.access.oidc import Way
from ctiscraper.access.sealing import Sealer, SealError
from ctiscraper.db.sign_on import ON_THE_WAY_SECONDS
from ctiscraper.errors import SignOnError
from ctiscraper.web.cookie_names import session_cookie

# A cookie has room for 4,096 bytes.
TARGET_MOST = 2_000
_PURPOSE = "sign on"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on his way since `begun_at`; `target` is where he wanted to go.

    `session` is the key of the session for which he is asked once more who he is, in hexadecimal.
    """

    way: Way
    target: str
    begun_at: int
    session: str = ""


def send_along(request: Request, answer: Response, sent: Sent, sealer: Sealer) -> None:
    """Let the browser remember a way."""
    answer.set_cookie(
        _cookie(request),
        sealer.seal_text(_PURPOSE, msgspec.json.encode(sent)),
        max_age=ON_THE_WAY_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        # He comes back from another site.
        samesite="lax",
    )


def come_back(request: Request, state: str, sealer: Sealer, now: int) -> Sent:
    """Return what is known of somebody who comes back.

    Raises SignOnError for a state that is made up, too old, or another browser's.
    """
    try:
        sealed = request.cookies.get(_cookie(request), "")
        sent = msgspec.json.decode(sealer.open_text(_PURPOSE, sealed), type=Sent)
    except (SealError, msgspec.MsgspecError) as error:
        raise not_begun() from error
    is_his = compare_digest(sent.way.state.encode(), state.encode())
    if not is_his or now - sent.begun_at > ON_THE_WAY_SECONDS:
        raise not_begun()
    return sent


def forget_way(request: Request, answer: Response) -> None:
    """Let the browser forget it."""
    answer.delete_cookie(
        _cookie(request), secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )


def not_begun() -> SignOnError:
    """Return the error for a way that nobody is on."""
    return SignOnError("this login was not begun here, took too long or was used: begin it again")


def _cookie(request: Request) -> str:
    return f"{session_cookie(request)}_oidc"
