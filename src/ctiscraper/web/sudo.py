"""What must not be done by whoever finds a browser open asks for the password again."""

from fastapi import Depends, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.identity import Principal
from ctiscraper.web.carried import carry
from ctiscraper.web.deps import Services
from ctiscraper.web.problems import problem_answer
from ctiscraper.web.render import render, with_query

_API = (
    "This needs a password that was given in the last ten minutes: give it again at /sudo, then "
    "ask again."
)


class SudoNeededError(Exception):
    """The password was given too long ago; `typed` is what was sent, sealed."""

    def __init__(self, typed: str) -> None:
        """Keep what was typed."""
        super().__init__("the password is asked for again")
        self.typed = typed


async def fresh_password(request: Request, given: Services) -> None:
    """Raise SudoNeededError unless the password was given in the last ten minutes.

    A token has no password: what it may do, its maker decided with his.
    """
    principal = request.state.principal
    assert isinstance(principal, Principal)
    if principal.session is None:
        return
    until = principal.sudo_until
    if until is None or until <= given.database.clock():
        raise SudoNeededError(await carry(request, given.sealer))


Sudo = Depends(fresh_password)


def install(app: FastAPI) -> None:
    """Let the password be asked for wherever a route needs it."""

    @app.exception_handler(SudoNeededError)
    async def asked(request: Request, error: SudoNeededError) -> Response:
        if request.url.path.startswith("/api/"):
            return problem_answer(request.scope, 403, _API)
        if request.method == "GET":
            query = request.url.query
            here = f"{request.url.path}?{query}" if query else request.url.path
            return RedirectResponse(with_query("/sudo", {"next": here}), 303)
        return sudo_page(request, typed=error.typed, status=403)


def sudo_page(
    request: Request, *, target: str = "/", typed: str = "", problem: str = "", status: int = 200
) -> Response:
    """Return the page that asks for the password again."""
    return render(
        "sudo.html",
        {"target": target, "carried": typed, "problem": problem},
        scope=request.scope,
        status=status,
        headers={"cache-control": "no-store"},
    )
