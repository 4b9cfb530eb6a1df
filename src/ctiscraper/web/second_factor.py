"""Where passwords alone let nobody in: whoever has no app yet sets one up before anything else."""

from http import HTTPStatus

from fastapi import HTTPException, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.identity import Principal

# What he needs for that, or to leave.
OPEN = frozenset(
    {
        "GET /account",
        "POST /account/totp/begin",
        "POST /account/totp/confirm",
        "GET /sudo",
        "POST /sudo",
        "GET /oidc/again",
        "POST /logout",
    }
)
_OWING = "Here a password alone lets nobody in: set up an app for codes under 'Your account' first."


def owes_factor(request: Request, principal: Principal) -> bool:
    """Return whether somebody has to set up an app before he goes on."""
    return principal.owes_factor and request.app.state.services.require_second_factor is True


def to_setting_up(request: Request) -> Response:
    """Return the way to where he sets it up. Raises HTTPException for all but a page."""
    if request.method != "GET" or request.url.path.startswith("/api/"):
        raise HTTPException(HTTPStatus.FORBIDDEN, _OWING)
    return RedirectResponse("/account", HTTPStatus.SEE_OTHER)
