"""The forms of oneself: name, password, sessions and second factor."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.access.cookies import csrf_token, session_key
from ctiscraper.access.totp import address_of, picture_of
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.errors import InputError
from ctiscraper.web.access_forms import ConfirmForm, NameForm, PasswordForm, SessionForm
from ctiscraper.web.account_page import account_page
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import AccountsDep, AdmissionDep, Myself, MyselfDep, give_cookie
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute, doorman
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence
from ctiscraper.web.sudo import Sudo

router = Routes(prefix="/account", route_class=GuardedRoute)

_WRONG_PASSWORD = "This is not your password."  # noqa: S105 - words
_UNLIKE = "The two new passwords are not the same."
_WRONG_CODE = "This code is wrong or was used: take the next one that the app shows."
_BEGUN_ELSEWHERE = "Begin anew: this app was set up in another window."


class _Shown(BaseModel):
    """What has just been done."""

    model_config = ConfigDict(extra="ignore")

    done: str = ""


@router.get("")
async def account(
    request: Request, given: Services, myself: MyselfDep, shown: Annotated[_Shown, Query()]
) -> Response:
    """Everything of oneself."""
    return await account_page(request, given, myself, done=shown.done)


@router.post("/name")
async def change_name(
    request: Request, given: Services, accounts: AccountsDep, myself: MyselfDep
) -> Response:
    """Be called by another name."""
    form = await read_form(request, NameForm)
    try:
        name = await accounts.rename(myself.user_id, form.name)
    except InputError as error:
        return await account_page(request, given, myself, problem=sentence(str(error)))
    doorman(request).forget()
    tell(request, action="account.name", object_id=myself.user_id)
    tell(request, before={"name": myself.name}, after={"name": name})
    return see_other("/account?done=name")


@router.post("/password")
async def change_password(
    request: Request,
    given: Services,
    accounts: AccountsDep,
    admission: AdmissionDep,
    myself: MyselfDep,
) -> Response:
    """Take another password; the other sessions end."""
    form = await read_form(request, PasswordForm)
    if form.password != form.again:
        return await account_page(request, given, myself, problem=_UNLIKE)
    cookie = await admission.password_again(myself.user_id, myself.session, form.current)
    if cookie is None:
        # A guess here is one like any other.
        tell(request, action="user.sudo_refused", object_id=myself.user_id, anyway=True)
        return await account_page(request, given, myself, problem=_WRONG_PASSWORD)
    myself = replace(myself, session=session_key(cookie))
    request.state.csrf = csrf_token(cookie)
    try:
        await accounts.set_password(
            myself.user_id, form.password, keep=myself.session, end_all=form.end_all
        )
    except InputError as error:
        answer = await account_page(request, given, myself, problem=sentence(str(error)))
    else:
        tell(request, action="account.password", object_id=myself.user_id, end_all=form.end_all)
        answer = see_other(f"/account?done={'all' if form.end_all else 'password'}")
    give_cookie(request, answer, cookie)
    return answer


@router.post("/sessions/end", dependencies=[Sudo])
async def end_session(request: Request, given: Services, myself: MyselfDep) -> Response:
    """End one session, or all but this one."""
    form = await read_form(request, SessionForm)
    sessions = Sessions(given.database)
    if form.session is None:
        await sessions.end_all(myself.user_id, keep=myself.session)
    else:
        await sessions.end_of(myself.user_id, bytes.fromhex(form.session))
    doorman(request).forget()
    tell(request, action="account.end_sessions", object_id=myself.user_id)
    return see_other("/account?done=sessions")


@router.post("/totp/begin", dependencies=[Sudo])
async def begin_totp(
    request: Request, given: Services, admission: AdmissionDep, myself: MyselfDep
) -> Response:
    """Show a new secret, for the app to take."""
    secret = await admission.begin_totp(myself.user_id)
    return await _totp_page(request, given, myself, secret)


@router.post("/totp/confirm", dependencies=[Sudo])
async def confirm_totp(
    request: Request, given: Services, admission: AdmissionDep, myself: MyselfDep
) -> Response:
    """Ask for the app's codes from now on, and show the recovery codes this once."""
    form = await read_form(request, ConfirmForm)
    app = await SecondFactors(given.database).totp(myself.user_id)
    if app is None or app.confirmed:
        return await account_page(request, given, myself, problem=_BEGUN_ELSEWHERE)
    codes = await admission.confirm_totp(myself.user_id, form.code)
    if codes is None:
        secret = admission.opened_totp(myself.user_id, app.secret)
        return await _totp_page(request, given, myself, secret, problem=_WRONG_CODE)
    doorman(request).forget()
    tell(request, action="account.add_totp", object_id=myself.user_id)
    return render(
        "recovery.html",
        {"codes": codes},
        scope=request.scope,
        headers={"cache-control": "no-store"},
    )


@router.post("/totp/remove", dependencies=[Sudo])
async def remove_totp(request: Request, given: Services, myself: MyselfDep) -> Response:
    """Ask for no code any more."""
    await SecondFactors(given.database).remove_totp(myself.user_id)
    doorman(request).forget()
    tell(request, action="account.remove_totp", object_id=myself.user_id)
    return see_other("/account?done=totp")


async def _totp_page(
    request: Request, given: Services, myself: Myself, secret: str, *, problem: str = ""
) -> Response:
    user = await Users(given.database).get(myself.user_id)
    picture = picture_of(address_of(secret, user.login))
    return render(
        "totp.html",
        {
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            "picture": Markup(picture),  # noqa: S704 - drawn by us, of squares alone
            "problem": problem,
        },
        scope=request.scope,
        status=422 if problem else 200,
        headers={"cache-control": "no-store"},
    )
