"""Logging in and out."""

from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.access.cookies import csrf_token
from ctiscraper.admission import CodeWanted
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.sign_on import SessionForms
from ctiscraper.errors import ConflictError, InputError, TooManyError
from ctiscraper.web.access_forms import CodeForm, LoginForm, PasskeyLoginForm, SudoForm
from ctiscraper.web.auditing import tell, tell_of_entry
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import (
    AdmissionDep,
    MyselfDep,
    client_of,
    enter,
    give_cookie,
    leave,
    resume,
    site_of,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import NO_USERS, GuardedRoute, doorman, principal_of
from ctiscraper.web.login_form import Onward, login_page
from ctiscraper.web.login_refused import owner_of_login, owner_of_passkey, refused
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence
from ctiscraper.web.sudo import is_fresh, sudo_page

_WRONG = "The login or the password is wrong, or this user may not log in."
_WRONG_CODE = "This code is wrong, was used, or has expired: take the next one."
_WRONG_PASSWORD = "This is not your password."  # noqa: S105 - words


class _Next(BaseModel):
    """Where to go on."""

    model_config = ConfigDict(extra="ignore")

    next: str = "/"


async def _set_up(request: Request) -> None:
    """Raise HTTPException while there is nobody who could log in."""
    if not await doorman(request).is_set_up():
        raise HTTPException(503, NO_USERS)


router = Routes(route_class=GuardedRoute)
_asked = [Depends(_set_up)]


@router.get("/login", dependencies=_asked)
async def login(request: Request, asked: Annotated[_Next, Query()]) -> Response:
    """The form; whoever is logged in goes on."""
    if await principal_of(request) is not None:
        return see_other(asked.next)
    return login_page(request, Onward(target=asked.next))


@router.post("/login", dependencies=_asked)
async def log_in(request: Request, given: Services, admission: AdmissionDep) -> Response:
    """Let somebody in, or ask for the code of his app."""
    form = await read_form(request, LoginForm)
    onward = Onward(target=form.next, carried=form.carried, login=form.login)
    try:
        admitted = await admission.by_password(form.login, form.password, client_of(request))
    except TooManyError as error:
        return _too_many(request, error, onward)
    if admitted is None:
        page = login_page(request, onward, status=401, problem=_WRONG)
        owner = owner_of_login(given.database, form.login)
        return refused(request, page, "user.login_refused", owner)
    if isinstance(admitted, CodeWanted):
        return _code_page(request, admitted.step, onward)
    tell_of_entry(request, "user.login", admitted.user_id, admitted.name)
    return enter(request, given, admitted, target=form.next, typed=form.carried)


@router.post("/login/code", dependencies=_asked)
async def log_in_by_code(request: Request, given: Services, admission: AdmissionDep) -> Response:
    """Let somebody in whose password was right."""
    form = await read_form(request, CodeForm)
    onward = Onward(target=form.next, carried=form.carried)
    try:
        admitted = await admission.by_code(form.step, form.code, client_of(request))
    except TooManyError as error:
        return _too_many(request, error, onward)
    except ConflictError as error:
        return login_page(request, onward, status=401, problem=sentence(str(error)))
    if admitted is None:
        user_id = await admission.owner_of_step(form.step)
        tell(request, action="user.code_refused", object_id=user_id, anyway=True)
        return _code_page(request, form.step, onward, problem=_WRONG_CODE)
    tell_of_entry(request, "user.login", admitted.user_id, admitted.name)
    return enter(request, given, admitted, target=form.next, typed=form.carried)


@router.post("/login/passkey/options", dependencies=_asked)
async def passkey_options(request: Request, admission: AdmissionDep) -> Response:
    """What the browser asks its passkeys, as JSON."""
    options = await admission.passkey_options(site_of(request), client_of(request))
    return Response(options, media_type="application/json")


@router.post("/login/passkey", dependencies=_asked)
async def log_in_by_passkey(request: Request, given: Services, admission: AdmissionDep) -> Response:
    """Let in whose passkey this is."""
    form = await read_form(request, PasskeyLoginForm)
    onward = Onward(target=form.next, carried=form.carried)
    try:
        admitted = await admission.by_passkey(form.credential, site_of(request), client_of(request))
    except TooManyError as error:
        return _too_many(request, error, onward)
    except InputError as error:
        page = login_page(request, onward, status=401, problem=sentence(str(error)))
        owner = owner_of_passkey(given.database, form.credential)
        return refused(request, page, "user.passkey_refused", owner)
    tell_of_entry(request, "user.login", admitted.user_id, admitted.name)
    return enter(request, given, admitted, target=form.next, typed=form.carried)


@router.post("/logout")
async def log_out(request: Request, given: Services, myself: MyselfDep) -> Response:
    """End this session."""
    await Sessions(given.database).end(myself.session)
    tell(request, action="user.logout", object_id=myself.user_id)
    return leave(request, "/login")


@router.get("/sudo")
async def sudo(
    request: Request, given: Services, myself: MyselfDep, asked: Annotated[_Next, Query()]
) -> Response:
    """Ask once more who somebody is; whoever has just shown it goes on."""
    if not is_fresh(request):
        return await sudo_page(request, target=asked.next)
    typed = await SessionForms(given.database).take(myself.session)
    again = resume(request, given, typed, user_id=myself.user_id, csrf=request.state.csrf)
    return again or see_other(asked.next)


@router.post("/sudo")
async def sudo_again(
    request: Request, given: Services, admission: AdmissionDep, myself: MyselfDep
) -> Response:
    """Take the password again, and go on where it was asked for."""
    form = await read_form(request, SudoForm)
    cookie = await admission.password_again(myself.user_id, myself.session, form.password)
    if cookie is None:
        tell(request, action="user.sudo_refused", object_id=myself.user_id, anyway=True)
        return await sudo_page(
            request, target=form.next, typed=form.carried, problem=_WRONG_PASSWORD, status=403
        )
    csrf = csrf_token(cookie)
    again = resume(request, given, form.carried, user_id=myself.user_id, csrf=csrf)
    answer = again or see_other(form.next)
    give_cookie(request, answer, cookie)
    return answer


def _too_many(request: Request, error: TooManyError, onward: Onward) -> Response:
    return login_page(
        request,
        onward,
        status=429,
        problem=sentence(str(error)),
        headers={"retry-after": str(error.retry_after)},
    )


def _code_page(request: Request, step: str, onward: Onward, *, problem: str = "") -> Response:
    return render(
        "code.html",
        {"step": step, "target": onward.target, "carried": onward.carried, "problem": problem},
        scope=request.scope,
        status=401 if problem else 200,
        headers={"cache-control": "no-store"},
    )
