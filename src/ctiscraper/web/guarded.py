"""Every route asks first who is there, and whether he may."""

from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from contextlib import suppress
from hmac import compare_digest
from http import HTTPStatus
from inspect import get_annotations
from typing import Any, cast
from urllib.parse import parse_qs, urlencode

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import RedirectResponse, Response

from ctiscraper.access.cookies import csrf_token, session_key
from ctiscraper.access.load_balancer import HEADER
from ctiscraper.access.tokens import TokenKey, read_token
from ctiscraper.db.sign_on import LostForms
from ctiscraper.db.token_use import TokenUse
from ctiscraper.errors import StorageError
from ctiscraper.identity import Permission, Principal
from ctiscraper.web import auditing
from ctiscraper.web.carried import carry
from ctiscraper.web.cookie_names import session_cookie
from ctiscraper.web.doorman import Doorman
from ctiscraper.web.exchange import route_of
from ctiscraper.web.forms import CSRF_FIELD, FIELDS_MOST
from ctiscraper.web.known_browser import last_user_of
from ctiscraper.web.login_form import Onward, login_page
from ctiscraper.web.multipart import MULTIPART, read_parts
from ctiscraper.web.permission_words import not_allowed
from ctiscraper.web.rules import PUBLIC_MOUNTS, RULES, Public
from ctiscraper.web.second_factor import OPEN, owes_factor, to_setting_up
from ctiscraper.web.token_rate import MOST, TokenRate

_log = structlog.get_logger(__name__)

CSRF_HEADER = "x-csrf-token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"
NO_USERS = (
    "Nobody may log in yet: open the address that 'ctiscraper up' has shown in its terminal, or "
    "make the first user with 'ctiscraper user create --admin LOGIN'."
)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
# What such a function is annotated with.
_ALONE = {"request": Request, "return": Response}


class GuardedRoute(APIRoute):
    """A route whose rule in `rules` is held to before anything of it runs."""

    def get_route_handler(self) -> Handler:
        """Return the handler behind its guard."""
        handler = self.unguarded()

        async def guarded(request: Request) -> Response:
            refused = await _refusal(request)
            if refused is not None:
                return refused
            try:
                answer = await handler(request)
            except (Exception, CancelledError):
                # What was changed before is changed all the same.
                await auditing.settle(request, None)
                raise
            await auditing.settle(request, answer)
            return answer

        return guarded

    def unguarded(self) -> Handler:
        """Return the handler itself.

        A function that takes the request alone and answers it needs nothing to be made ready.
        """
        if get_annotations(self.endpoint, eval_str=True) == _ALONE and not self.dependencies:
            return cast("Handler", self.endpoint)
        return super().get_route_handler()


async def _refusal(request: Request) -> Response | None:
    """Return the way to the login if nobody is there, None when the request may go on.

    A form that was typed before a session ended comes back with the login.

    Raises HTTPException for what is not allowed.
    """
    name = f"{request.method} {route_of(request.scope)}"
    rule = RULES[name]
    if rule is Public.ANYONE:
        return None
    # That the database is away must be seen then above all.
    principal = await principal_of(request, without_database=rule is Permission.OPERATIONS_READ)
    request.state.principal = principal
    if principal is None:
        return await _stranger(request)
    if principal.token_id is not None:
        await _check_rate(request, principal, principal.token_id)
    if rule not in principal.permissions:
        _tell_refused(request, f"it needs {rule}", principal)
        raise HTTPException(HTTPStatus.FORBIDDEN, not_allowed(principal, rule))
    if principal.session is not None and request.method not in _SAFE:
        await _check_csrf(request, principal)
    if owes_factor(request, principal) and name not in OPEN:
        return to_setting_up(request)
    return None


async def principal_of(request: Request, *, without_database: bool = False) -> Principal | None:
    """Return who asks; what he shows is wrong, or belongs to nobody any more, is None."""
    key = key_of(request)
    if key is None:
        return None
    return await doorman(request).admit(key, without_database=without_database)


def key_of(request: Request) -> bytes | TokenKey | None:
    """Return the session or token that a request shows, None when it shows none."""
    given = request.headers.get("authorization")
    if given is not None:
        scheme, _, credentials = given.partition(" ")
        return read_token(credentials.strip()) if scheme.lower() == "bearer" else None
    if secret := request.cookies.get(session_cookie(request)):
        request.state.csrf = csrf_token(secret)
        return session_key(secret)
    return None


async def _stranger(request: Request) -> Response:
    given = request.app.state.services
    if given.provider is given.balancer is None and not await doorman(request).is_set_up():
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, NO_USERS)
    if request.url.path.startswith("/api/") or "authorization" in request.headers:
        _tell_refused(request, "no token, or none that lets anybody in", None)
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "This needs a token: send 'Authorization: Bearer cti_…'. One that was sent is wrong, "
            "has expired or was revoked.",
            {"www-authenticate": "Bearer"},
        )
    if request.method not in _SAFE:
        user_id = last_user_of(request)
        typed = await carry(request, given.sealer, user_id)
        if typed and user_id is not None and (given.provider or given.balancer):
            # Who comes by a provider cannot bring it along.
            await LostForms(given.database).keep(user_id, typed)
        return login_page(
            request, Onward(carried=typed), status=HTTPStatus.UNAUTHORIZED, told="lost"
        )
    query = request.url.query
    here = f"{request.url.path}?{query}" if query else request.url.path
    target = urlencode({"next": here})
    if given.balancer is not None and HEADER in request.headers:
        return RedirectResponse(f"/oidc/balancer?{target}", HTTPStatus.SEE_OTHER)
    return RedirectResponse(f"/login?{target}", HTTPStatus.SEE_OTHER)


async def _check_rate(request: Request, principal: Principal, token_id: str) -> None:
    """Raise HTTPException for a token that asks too often."""
    rate = request.app.state.token_rate
    assert isinstance(rate, TokenRate)
    told = rate.to_share(token_id)
    if told is not None:
        # Without the database each process counts by itself.
        with suppress(StorageError):
            shared = await TokenUse(request.app.state.services.database).share(token_id, told)
            if shared is not None:
                rate.heard(token_id, told, shared)
    if seconds := rate.wait(token_id):
        _tell_refused(request, "the token asks too often", principal)
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"a token may ask {MOST} times a minute; wait {seconds} s",
            {"retry-after": str(seconds)},
        )


async def _check_csrf(request: Request, principal: Principal) -> None:
    """Raise HTTPException unless a change carries the token of its session."""
    given = request.headers.get(CSRF_HEADER)
    content_type = request.headers.get("content-type", "")
    if given is None and content_type.startswith(_FORM):
        given = _field(await request.body(), CSRF_FIELD)
    elif given is None and content_type.startswith(MULTIPART):
        given = (await read_parts(request)).values.get(CSRF_FIELD)
    if given is None or not compare_digest(given.encode(), request.state.csrf.encode()):
        _tell_refused(request, "the form is of another session", principal)
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "This form is of another session: load its page again, and send it from there.",
        )


def _field(body: bytes, name: str) -> str | None:
    try:
        sent = parse_qs(body.decode(), max_num_fields=FIELDS_MOST)
    except ValueError:
        return None
    return sent.get(name, [None])[-1]


def doorman(request: Request) -> Doorman:
    """Return who lets in."""
    given = request.app.state.doorman
    assert isinstance(given, Doorman)
    return given


def check_rules(app: FastAPI) -> None:
    """Raise RuntimeError for a route that no rule names, or one that does not hold to it."""
    found: set[str] = set()
    faults: list[str] = []
    for route in iter_route_contexts(app.routes):
        if not getattr(route, "methods", None):
            if route.path not in PUBLIC_MOUNTS:
                faults.append(f"{route.path} is mounted without a rule")
            continue
        for method in route.methods or ():
            name = f"{method} {route.path}"
            found.add(name)
            if name not in RULES:
                faults.append(f"{name} has no rule")
            elif not isinstance(route.original_route, GuardedRoute):
                faults.append(f"{name} is not guarded")
    faults += [f"{name} has a rule but is no route" for name in RULES.keys() - found]
    if faults:
        raise RuntimeError("; ".join(sorted(faults)))


def _tell_refused(request: Request, cause: str, principal: Principal | None) -> None:
    """Say in the log what was kept from whom; who shows a token that is none says which it was."""
    shown = key_of(request) if principal is None else None
    _log.warning(
        "access.refused",
        cause=cause,
        method=request.method,
        route=route_of(request.scope),
        ip=request.client.host if request.client else None,
        user_id=principal.user_id if principal else None,
        token_id=principal.token_id if principal else getattr(shown, "id", None),
    )
