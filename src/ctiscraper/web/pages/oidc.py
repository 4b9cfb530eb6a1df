"""The way to the provider that people log in by, and back with a session."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hmac import compare_digest
from ipaddress import ip_address
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.load_balancer import HEADER
from ctiscraper.access.oidc import Provider, Way
from ctiscraper.audit_views import ActorKind, Deed
from ctiscraper.db.identities import Identities, SignedOn, Ways
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.errors import NotFoundError, SignOnError
from ctiscraper.identity import signature
from ctiscraper.web import auditing
from ctiscraper.web.deps import Services
from ctiscraper.web.guarded import GuardedRoute, doorman, session_cookie
from ctiscraper.web.redirects import local_path

ON_THE_WAY_SECONDS = 600

_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/oidc", route_class=GuardedRoute)

_Word = Annotated[str, Field(max_length=2_000)]


class StartParameters(BaseModel):
    """Where somebody wanted to go."""

    model_config = ConfigDict(extra="ignore")

    next: _Word = "/"


class CallbackParameters(BaseModel):
    """What a provider sends somebody back with."""

    model_config = ConfigDict(extra="ignore")

    state: _Word = ""
    code: _Word = ""
    error: _Word = ""
    iss: _Word | None = None


@router.get("/start")
async def start(
    request: Request, given: Services, chosen: Annotated[StartParameters, Query()]
) -> Response:
    """To the provider."""
    address, way = await _provider(given.provider).begin(_callback(request))
    browser = secrets.token_urlsafe(32)
    await Ways(given.database).remember(way, browser, local_path(chosen.next))
    answer = RedirectResponse(address, 303, {"cache-control": "no-store"})
    answer.set_cookie(
        _cookie(request),
        browser,
        max_age=ON_THE_WAY_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        # He comes back from another site.
        samesite="lax",
    )
    return answer


@router.get("/callback")
async def callback(
    request: Request, given: Services, chosen: Annotated[CallbackParameters, Query()]
) -> Response:
    """Back from the provider."""
    provider = _provider(given.provider)
    browser = request.cookies.get(_cookie(request), "")
    with _told(request):
        sent = await Ways(given.database).take(chosen.state, browser)
        identity = await _redeemed(provider, chosen, sent.way, _callback(request))
    answer = await _signed_in(request, identity, sent.target)
    answer.delete_cookie(
        _cookie(request), secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )
    return answer


@router.get("/balancer")
async def from_balancer(
    request: Request, given: Services, chosen: Annotated[StartParameters, Query()]
) -> Response:
    """Through a load balancer that has had somebody log in."""
    if given.balancer is None:
        raise NotFoundError("there is no load balancer here that has people log in")
    said = request.headers.getlist(HEADER)
    with _told(request):
        if len(said) != 1:
            raise SignOnError(f"this address needs one {HEADER} header of the load balancer")
        identity = await given.balancer.identity(said[0])
    return await _signed_in(request, identity, local_path(chosen.next))


async def _redeemed(
    provider: Provider, chosen: CallbackParameters, way: Way, callback_address: str
) -> Identity:
    """Return whom a provider vouches for. Raises SignOnError and UnavailableError."""
    issuer = provider.sign_on.issuer
    if chosen.iss is not None and not compare_digest(chosen.iss.encode(), issuer.encode()):
        raise SignOnError("this answer is of another provider: begin the login again")
    if chosen.error or not chosen.code:
        word = chosen.error if chosen.error.isidentifier() else "it sent no code"
        raise SignOnError(f"the provider did not let you in ({word}): begin the login again")
    return await provider.redeem(chosen.code, way, callback_address)


async def _signed_in(request: Request, identity: Identity, target: str) -> Response:
    """Return the way to where somebody wanted to go, with a session. Raises SignOnError."""
    database = request.app.state.services.database
    known_by = {"issuer": identity.issuer, "subject": identity.subject}
    try:
        user = await Identities(database).admit(identity)
    except SignOnError:
        # Only who proved to be somebody is noted: others could fill the log.
        nobody = replace(auditing.actor_of(request), kind=ActorKind.NOBODY, name=identity.login)
        await auditing.note(
            request, Deed(action="user.refuse", object_kind="user", detail=known_by), by=nobody
        )
        raise
    finally:
        # A role that was given or taken counts at once.
        doorman(request).forget()
    await _note_login(request, user, known_by)
    sessions, cookie = Sessions(database), session_cookie(request)
    if former := request.cookies.get(cookie):
        await sessions.end(session_key(former))
        doorman(request).forget()
    secret = new_session()
    agent = request.headers.get("user-agent", "")
    await sessions.add(session_key(secret), user.user_id, ip=_ip(request), agent=agent)
    answer = RedirectResponse(target, 303, {"cache-control": "no-store"})
    is_secure = request.url.scheme == "https"
    answer.set_cookie(cookie, secret, secure=is_secure, httponly=True, samesite="lax")
    return answer


async def _note_login(request: Request, user: SignedOn, known_by: dict[str, str]) -> None:
    """Note that somebody came, that he was made, and that his role is another."""
    known = await Users(request.app.state.services.database).get(user.user_id)
    name = signature(known.login, known.name)
    by = replace(auditing.actor_of(request), kind=ActorKind.USER, name=name, user_id=known.id)
    login = Deed(
        action="user.login", object_kind="user", object_id=str(user.user_id), detail=known_by
    )
    role = {"role": user.role}
    if user.is_new:
        await auditing.note(request, replace(login, action="user.make", after=role), by=by)
    elif user.former_role is not user.role:
        former = {"role": user.former_role}
        changed = replace(login, action="user.change", before=former, after=role)
        await auditing.note(request, changed, by=by)
    await auditing.note(request, login, by=by)


@contextmanager
def _told(request: Request) -> Iterator[None]:
    """Say in the log that somebody was not believed."""
    try:
        yield
    except SignOnError as error:
        _log.warning("sign_on.refused", cause=str(error), ip=_ip(request), route=request.url.path)
        raise


def _provider(provider: Provider | None) -> Provider:
    if provider is None:
        raise NotFoundError(
            "people do not log in by a provider here: see CTISCRAPER_OIDC_ISSUER in the settings"
        )
    return provider


def _callback(request: Request) -> str:
    """Return the address of the way back; the host is one of those that are served here."""
    return f"{request.url.scheme}://{request.url.netloc}/oidc/callback"


def _cookie(request: Request) -> str:
    return f"{session_cookie(request)}_oidc"


def _ip(request: Request) -> str | None:
    try:
        return str(ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None
