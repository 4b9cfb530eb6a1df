"""What the pages of logging in have in common: who asks, from where, and his cookie."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from ctiscraper.access.cookies import csrf_token, session_key
from ctiscraper.access.passkeys import Site
from ctiscraper.accounts import Accounts
from ctiscraper.admission import Admission, Admitted, Client
from ctiscraper.errors import ConflictError
from ctiscraper.identity import Principal
from ctiscraper.web.carried import carried
from ctiscraper.web.cookie_names import session_cookie
from ctiscraper.web.deps import Services
from ctiscraper.web.guarded import doorman
from ctiscraper.web.known_browser import browser_of, remember_browser
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import render
from ctiscraper.web.security import host_name

SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Myself:
    """Somebody who is logged in."""

    user_id: int
    session: bytes
    name: str


async def _accounts(given: Services) -> Accounts:
    return Accounts(given.database, given.passwords)


async def _admission(given: Services) -> Admission:
    return Admission(given.database, passwords=given.passwords, sealer=given.sealer)


async def _myself(request: Request) -> Myself:
    principal = request.state.principal
    assert isinstance(principal, Principal)
    if principal.user_id is None or principal.session is None:
        raise ConflictError("this belongs to somebody who is logged in, and not to a token")
    return Myself(principal.user_id, principal.session, principal.name)


AccountsDep = Annotated[Accounts, Depends(_accounts)]
AdmissionDep = Annotated[Admission, Depends(_admission)]
MyselfDep = Annotated[Myself, Depends(_myself)]


def client_of(request: Request) -> Client:
    """Return where somebody logs in from."""
    earlier = request.cookies.get(session_cookie(request))
    return Client(
        ip=request.client.host if request.client else None,
        agent=request.headers.get("user-agent", ""),
        earlier=session_key(earlier) if earlier else None,
        browser=browser_of(request),
    )


def site_of(request: Request) -> Site:
    """Return the site as a browser names it."""
    host = request.headers["host"].lower()
    return Site(host=host_name(host), origin=f"{request.url.scheme}://{host}")


def enter(
    request: Request, given: Services, admitted: Admitted, *, target: str, typed: str = ""
) -> Response:
    """Return the answer that logs somebody in: the way on, or what he typed before, to be sent."""
    csrf = csrf_token(admitted.cookie)
    answer = resume(request, given, typed, user_id=admitted.user_id, csrf=csrf)
    if answer is None:
        answer = see_other(target)
    give_cookie(request, answer, admitted.cookie)
    remember_browser(request, answer, admitted.user_id)
    return answer


def give_cookie(request: Request, answer: Response, cookie: str) -> None:
    """Let the browser keep what its session is known by from now on."""
    doorman(request).forget()
    answer.set_cookie(
        session_cookie(request),
        cookie,
        max_age=SESSION_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def resume(
    request: Request, given: Services, typed: str, *, user_id: int, csrf: str
) -> Response | None:
    """Return the page with what this user typed, to be sent again; None where nothing was."""
    form = carried(request, typed, given.sealer, user_id) if typed else None
    if form is None:
        return None
    return render(
        "resume.html",
        {"form": form, "csrf": csrf},
        scope=request.scope,
        headers={"cache-control": "no-store"},
    )


def leave(request: Request, target: str) -> Response:
    """Return the answer that takes the cookie of a session that has ended."""
    doorman(request).forget()
    answer = see_other(target)
    # Not the cookies: they say what pages look like, and whose browser this is.
    answer.headers["clear-site-data"] = '"cache", "storage"'
    answer.delete_cookie(
        session_cookie(request),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer
