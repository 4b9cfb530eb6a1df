"""Everybody who may log in, for those who let them."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.accounts import NewUser
from ctiscraper.db.user_access import UserAccess, ended_words
from ctiscraper.errors import ConflictError, InputError
from ctiscraper.identity import Access, Role, User
from ctiscraper.web.access_forms import AccessForm, NewUserForm, RoleForm, StateForm
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import AccountsDep, AdmissionDep, client_of, enter
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute, doorman
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence
from ctiscraper.web.sudo import Sudo
from ctiscraper.web.who import check_not_oneself, require_all_of

router = Routes(prefix="/users", route_class=GuardedRoute)

UserId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_DONE = {
    "role": "The role was changed. Whoever had another has to log in again.",
    "enabled": "This user may log in again.",
    "disabled": "This user was logged out and may not log in any more.",
}
_PARTS: Mapping[Access, str] = {
    Access.SESSIONS: "sessions",
    Access.TOKENS: "tokens",
    Access.FEEDS: "feeds",
    Access.PASSKEYS: "passkeys",
    Access.APP: "app and recovery codes",
    Access.PASSWORD: "password",
}


class _Shown(BaseModel):
    """What has just been done."""

    model_config = ConfigDict(extra="ignore")

    done: str = ""


@router.get("")
async def users(
    request: Request, accounts: AccountsDep, shown: Annotated[_Shown, Query()]
) -> Response:
    """Everybody, and the form for one more."""
    return await _page(request, accounts, done=_DONE.get(shown.done, ""))


@router.post("/add", dependencies=[Sudo])
async def add_user(request: Request, accounts: AccountsDep) -> Response:
    """Let somebody in, and show the link by which he chooses his password."""
    form = await read_form(request, NewUserForm)
    require_all_of(request, form.role)
    try:
        new = await accounts.create(NewUser(login=form.login, name=form.name, role=form.role))
    except (ConflictError, InputError) as error:
        return await _page(request, accounts, form=form, problem=sentence(str(error)))
    tell(request, object_id=new.id, after={"login": new.login, "role": new.role})
    return await _page(request, accounts, link_for=new)


@router.post("/{user_id}/role", dependencies=[Sudo])
async def change_role(
    request: Request,
    given: Services,
    accounts: AccountsDep,
    admission: AdmissionDep,
    user_id: UserId,
) -> Response:
    """Give somebody another role; whoever changes his own gets a new session."""
    form = await read_form(request, RoleForm)
    before = await accounts.users.get(user_id)
    for role in (before.role, form.role):
        require_all_of(request, role)
    try:
        await accounts.users.set_role(user_id, form.role)
    except ConflictError as error:
        return await _page(request, accounts, problem=sentence(str(error)))
    doorman(request).forget()
    tell(request, before={"role": before.role}, after={"role": form.role})
    mine = request.state.principal
    if mine.session is not None and mine.user_id == user_id and before.role is not form.role:
        admitted = await admission.begin(user_id, client_of(request))
        return enter(request, given, admitted, target="/account")
    return see_other("/users?done=role")


@router.post("/{user_id}/state", dependencies=[Sudo])
async def change_state(request: Request, accounts: AccountsDep, user_id: UserId) -> Response:
    """Let somebody in no more, or again."""
    form = await read_form(request, StateForm)
    require_all_of(request, (await accounts.users.get(user_id)).role)
    try:
        if form.state == "disabled":
            await accounts.users.disable(user_id)
        else:
            await accounts.users.enable(user_id)
    except ConflictError as error:
        return await _page(request, accounts, problem=sentence(str(error)))
    doorman(request).forget()
    tell(request, state=form.state)
    return see_other(f"/users?done={form.state}")


@router.post("/{user_id}/password", dependencies=[Sudo])
async def reset_password(request: Request, accounts: AccountsDep, user_id: UserId) -> Response:
    """Show a link by which somebody chooses another password; until then the old one holds."""
    user = await accounts.users.get(user_id)
    require_all_of(request, user.role)
    return await _page(request, accounts, link_for=user)


@router.post("/{user_id}/access/end", dependencies=[Sudo])
async def end_access(
    request: Request, given: Services, accounts: AccountsDep, user_id: UserId
) -> Response:
    """End what is ticked of what lets somebody in; for another password a link is shown."""
    form = await read_form(request, AccessForm)
    user = await accounts.users.get(user_id)
    require_all_of(request, user.role)
    check_not_oneself(request, user_id)
    if not form.part:
        return await _page(request, accounts, problem="Tick at least one thing that is to end.")
    ended = await UserAccess(given.database).end(user_id, form.part)
    doorman(request).forget()
    tell(request, ended=ended_words(ended))
    link_for = user if Access.PASSWORD in ended and user.has_password else None
    return await _page(request, accounts, done=_ended_words(user, ended), link_for=link_for)


def _ended_words(user: User, ended: Mapping[Access, int]) -> str:
    said = [f"{_PARTS[part]}: {count}" for part, count in ended.items()]
    return f"Of {user.name} was ended: {', '.join(said)}."


async def _page(
    request: Request,
    accounts: AccountsDep,
    *,
    form: NewUserForm | None = None,
    problem: str = "",
    done: str = "",
    link_for: User | None = None,
) -> Response:
    link = ""
    if link_for is not None:
        secret = await accounts.password_link(link_for.id)
        link = f"{request.url.scheme}://{request.headers['host']}/password#token={secret}"
    return render(
        "users.html",
        {
            "users": await accounts.users.all(),
            "roles": [role.value for role in Role],
            "accesses": [(part.value, words) for part, words in _PARTS.items()],
            "mine": request.state.principal.user_id,
            "form": form,
            "problem": problem,
            "done": done,
            "link": link,
            "link_for": link_for,
        },
        scope=request.scope,
        status=422 if problem else 200,
        headers={"cache-control": "no-store"},
    )
