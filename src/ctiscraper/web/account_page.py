"""What somebody sees of himself, whatever he has just changed."""

from starlette.requests import Request
from starlette.responses import Response

from ctiscraper.db.passkeys import Passkeys
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.web.deps import WebServices
from ctiscraper.web.entering import Myself
from ctiscraper.web.render import render
from ctiscraper.web.second_factor import owes_factor

DONE = {
    "name": "Your name was changed.",
    "password": "Your password was changed. Every other session of yours has ended.",
    "all": "Your password was changed. Every other session of yours has ended, and with them your "
    "tokens, feeds and passkeys.",
    "sessions": "It has ended.",
    "totp": "No code is asked for any more.",
    "passkey": "The passkey lets you in from now on.",
    "removed": "The passkey lets nobody in any more.",
}


async def account_page(
    request: Request, given: WebServices, myself: Myself, *, done: str = "", problem: str = ""
) -> Response:
    """Return the page; `done` is the name of what was changed."""
    factors = SecondFactors(given.database)
    return render(
        "account.html",
        {
            "user": await Users(given.database).get(myself.user_id),
            "sessions": await Sessions(given.database).of_user(myself.user_id),
            "current": myself.session,
            "passkeys": await Passkeys(given.database).of_user(myself.user_id),
            "recovery_left": await factors.recovery_left(myself.user_id),
            "owing": owes_factor(request, request.state.principal),
            "done": DONE.get(done, ""),
            "problem": problem,
        },
        scope=request.scope,
        status=422 if problem else 200,
        headers={"cache-control": "no-store"},
    )
