"""The way to the provider that people log in by, and back with a session."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hmac import compare_digest
from ipaddress import ip_address
from typing import Annotated

import structlog
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.load_balancer import HEADER
from ctiscraper.access.oidc import Provider
from ctiscraper.admission import Admission, Admitted
from ctiscraper.audit_views import ActorKind, Deed
from ctiscraper.db.identities import Identities, SignedOn
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.sign_on import LostForms, UsedStates
from ctiscraper.db.users import Users
from ctiscraper.errors import NotFoundError, SignOnError
from ctiscraper.identity import signature
from ctiscraper.web import auditing
from ctiscraper.web.cookie_names import session_cookie
from ctiscraper.web.deps import Services, WebServices
from ctiscraper.web.entering import AdmissionDep, MyselfDep, client_of, enter, give_cookie
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute, doorman, principal_of
from ctiscraper.web.on_the_way import (
    TARGET_MOST,
    Sent,
    come_back,
    forget_way,
    not_begun,
    send_along,
)
from ctiscraper.web.redirects import local_path
from ctiscraper.web.render import with_query

_log = structlog.get_logger(__name__)

router = Routes(prefix="/oidc", route_class=GuardedRoute)

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
    """To the provider, for whoever asks for it himself: no other site begins a login."""
    if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return RedirectResponse(with_query("/login", {"next": local_path(chosen.next)}), 303)
    return await _sent(request, given, chosen.next)


@router.get("/again")
async def start_again(
    request: Request,
    given: Services,
    myself: MyselfDep,
    chosen: Annotated[StartParameters, Query()],
) -> Response:
    """To the provider, which asks once more who he is."""
    return await _sent(request, given, chosen.next, session=myself.session.hex())


@router.get("/callback")
async def callback(
    request: Request,
    given: Services,
    admission: AdmissionDep,
    chosen: Annotated[CallbackParameters, Query()],
) -> Response:
    """Back from the provider."""
    provider, client = _provider(given.provider), client_of(request)
    with _told(request):
        sent = come_back(request, chosen.state, given.sealer, _now(given))
        await admission.allow_sign_on(client)
        if not await UsedStates(given.database).use(chosen.state):
            raise not_begun()
        identity = await _redeemed(provider, chosen, sent, _callback(request))
        if sent.session:
            answer = await _confirmed(request, admission, identity, sent)
        else:
            answer = await _signed_in(request, identity, sent.target)
    await admission.forgive_sign_on(client)
    forget_way(request, answer)
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


async def _sent(
    request: Request, given: WebServices, target: str, *, session: str = ""
) -> Response:
    """Return the way to the provider. Raises NotFoundError and UnavailableError."""
    provider = _provider(given.provider)
    address, way = await provider.begin(_callback(request), again=bool(session))
    target = local_path(target) if len(target) <= TARGET_MOST else "/"
    sent = Sent(way=way, target=target, begun_at=_now(given), session=session)
    answer = RedirectResponse(address, 303, {"cache-control": "no-store"})
    send_along(request, answer, sent, given.sealer)
    return answer


async def _redeemed(
    provider: Provider, chosen: CallbackParameters, sent: Sent, callback_address: str
) -> Identity:
    """Return whom a provider vouches for. Raises SignOnError and UnavailableError."""
    issuer = provider.sign_on.issuer
    if chosen.iss is not None and not compare_digest(chosen.iss.encode(), issuer.encode()):
        raise SignOnError("this answer is of another provider: begin the login again")
    if chosen.error or not chosen.code:
        word = chosen.error if chosen.error.isidentifier() else "it sent no code"
        raise SignOnError(f"the provider did not let you in ({word}): begin the login again")
    asked_at = sent.begun_at if sent.session else None
    return await provider.redeem(chosen.code, sent.way, callback_address, asked_at=asked_at)


async def _confirmed(
    request: Request, admission: Admission, identity: Identity, sent: Sent
) -> Response:
    """Return the way on of somebody who has shown once more who he is. Raises SignOnError."""
    principal = await principal_of(request)
    if principal is None or principal.session is None or principal.session.hex() != sent.session:
        raise SignOnError("your session has ended meanwhile: log in again")
    database = request.app.state.services.database
    owner = await Identities(database).owner(identity.issuer, identity.subject)
    if owner != principal.user_id:
        raise SignOnError("the provider says that you are somebody else than who is logged in here")
    cookie = await admission.renew(principal.session)
    # What was sent before waits there.
    target = with_query("/sudo", {"next": sent.target})
    answer = RedirectResponse(target, 303, {"cache-control": "no-store"})
    give_cookie(request, answer, cookie)
    return answer


async def _signed_in(request: Request, identity: Identity, target: str) -> Response:
    """Return the way to where somebody wanted to go, with a session. Raises SignOnError."""
    database = request.app.state.services.database
    known_by = {"issuer": identity.issuer, "subject": identity.subject}
    try:
        user = await Identities(database).admit(identity)
    except SignOnError as error:
        # Only who proved to be somebody is noted: others could fill the log.
        nobody = replace(auditing.actor_of(request), kind=ActorKind.NOBODY, name=identity.login)
        refusal = Deed(
            action="user.refuse", object_kind="user", detail={**known_by, "cause": str(error)}
        )
        await auditing.note(request, refusal, by=nobody)
        raise
    finally:
        # A role that was given or taken counts at once.
        doorman(request).forget()
    await _note_login(request, user, known_by)
    sessions = Sessions(database)
    if former := request.cookies.get(session_cookie(request)):
        await sessions.end(session_key(former))
        doorman(request).forget()
    secret = new_session()
    agent = request.headers.get("user-agent", "")
    await sessions.add(session_key(secret), user.user_id, ip=_ip(request), agent=agent)
    # What was sent before, by a session that had ended, waits for him.
    typed = await LostForms(database).take(user.user_id)
    admitted = Admitted(cookie=secret, user_id=user.user_id, name=user.name)
    return enter(request, request.app.state.services, admitted, target=target, typed=typed)


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
    if user.refused_role is not None:
        # Else a slip in the settings, at his next login, would leave nobody who may mend it here.
        _log.warning(
            "sign_on.last_administrator_stays", user_id=user.user_id, role=user.refused_role
        )
        kept = {"role": user.refused_role, "cause": "the last administrator stays one"}
        await auditing.note(request, replace(login, action="user.keep_role", detail=kept), by=by)
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


def _now(given: WebServices) -> int:
    return int(given.database.clock().timestamp())


def _ip(request: Request) -> str | None:
    try:
        return str(ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None
