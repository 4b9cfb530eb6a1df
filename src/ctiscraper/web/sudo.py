"""What must not be done by whoever finds a browser open asks once more who he is."""

from fastapi import Depends, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.db.identities import Identities
from ctiscraper.db.sign_on import SessionForms
from ctiscraper.db.users import Users
from ctiscraper.identity import Principal
from ctiscraper.web.carried import carry
from ctiscraper.web.deps import Services, WebServices
from ctiscraper.web.on_the_way import TARGET_MOST
from ctiscraper.web.problems import problem_answer
from ctiscraper.web.render import render, with_query

_API = (
    "This needs a password that was given, or a login by the provider that was confirmed, in the "
    "last ten minutes: do so at /sudo, then ask again."
)


class SudoNeededError(Exception):
    """Somebody has shown too long ago who he is; `typed` is what was sent, sealed."""

    def __init__(self, typed: str) -> None:
        """Keep what was typed."""
        super().__init__("the password is asked for again")
        self.typed = typed


async def fresh_password(request: Request, given: Services) -> None:
    """Raise SudoNeededError unless he has shown in the last ten minutes who he is.

    A token has no password: what it may do, its maker decided with his.
    """
    principal = request.state.principal
    assert isinstance(principal, Principal)
    if principal.session is not None and not is_fresh(request):
        raise SudoNeededError(await carry(request, given.sealer, principal.user_id))


def is_fresh(request: Request) -> bool:
    """Return whether somebody has just shown who he is."""
    principal, given = request.state.principal, request.app.state.services
    assert isinstance(principal, Principal)
    assert isinstance(given, WebServices)
    until = principal.sudo_until
    return until is not None and until > given.database.clock()


Sudo = Depends(fresh_password)


def install(app: FastAPI) -> None:
    """Let somebody be asked who he is wherever a route needs it."""

    @app.exception_handler(SudoNeededError)
    async def asked(request: Request, error: SudoNeededError) -> Response:
        if request.url.path.startswith("/api/"):
            return problem_answer(request.scope, 403, _API)
        if request.method == "GET":
            query = request.url.query
            here = f"{request.url.path}?{query}" if query else request.url.path
            return RedirectResponse(with_query("/sudo", {"next": here}), 303)
        return await sudo_page(request, typed=error.typed, status=403)


async def sudo_page(
    request: Request, *, target: str = "/", typed: str = "", problem: str = "", status: int = 200
) -> Response:
    """Return the page that asks once more who somebody is, in the ways that he has.

    What he has typed waits for him also while he is with his provider.
    """
    given, principal = request.app.state.services, request.state.principal
    assert isinstance(given, WebServices)
    assert isinstance(principal, Principal)
    assert principal.session is not None, "a token is asked for nothing"
    assert principal.user_id is not None, "a session is somebody's"
    provider = given.provider
    by_provider = provider is not None and await Identities(given.database).knows(
        provider.sign_on.issuer, principal.user_id
    )
    if by_provider:
        await SessionForms(given.database).keep(principal.session, typed)
    user = await Users(given.database).get(principal.user_id)
    return render(
        "sudo.html",
        {
            "target": target,
            "carried": typed,
            "problem": problem,
            "by_password": user.has_password,
            "by_provider": by_provider,
            "by_passkey": bool(user.passkeys),
            "onward": target if len(target) <= TARGET_MOST else "/",
        },
        scope=request.scope,
        status=status,
        headers={"cache-control": "no-store"},
    )
