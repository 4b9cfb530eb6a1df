"""The people who may log in."""

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ctiscraper.accounts import NewUser
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.user_access import UserAccess, ended_words
from ctiscraper.identity import Access, Role, User
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import AccountsDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute, doorman
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.sudo import Sudo
from ctiscraper.web.who import check_not_oneself, require_all_of

# No answer is kept for a second asking: some of these hold a secret.
router = Routes(prefix="/users", tags=["users"], route_class=GuardedRoute)

UserId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
Nothing = Annotated[NoParameters, Query()]


class UserIn(BaseModel):
    """Somebody to be let in; he chooses his password by a link."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=200, examples=["j.doe"])]
    name: Annotated[str, Field(max_length=400)] = ""
    role: Role


class UserChange(BaseModel):
    """What is to be another of a user; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=400)] | None = None
    role: Role | None = None
    disabled: bool | None = None


class EndedParameters(BaseModel):
    """What is to end."""

    model_config = ConfigDict(extra="forbid")

    part: Annotated[
        list[Access], Field(max_length=len(Access), description="all of them without any")
    ] = []

    def parts(self) -> tuple[Access, ...]:
        """Return what is to end."""
        return tuple(self.part) or tuple(Access)


class EndedAccess(BaseModel):
    """How many of each there were that let nobody in any more."""

    sessions: int
    tokens: int
    feeds: int
    passkeys: int
    app: int
    password: int


class PasswordLink(BaseModel):
    """An address by which somebody chooses his password, once and within a day."""

    url: str


@router.get("", response_model=tuple[User, ...], summary="Everybody")
async def list_users(request: Request, accounts: AccountsDep, _: Nothing) -> Response:
    """By login; `sessions` are those that go on."""
    return tagged(request, encoded(await accounts.users.all()), about_people=True)


@router.post(
    "", response_model=User, status_code=201, dependencies=[Sudo], summary="Let somebody in"
)
async def add_user(request: Request, accounts: AccountsDep, given: UserIn) -> Response:
    """Without a password yet: ask for a link next."""
    require_all_of(request, given.role)
    made = await accounts.create(NewUser(login=given.login, name=given.name, role=given.role))
    tell(request, object_id=made.id, after={"login": made.login, "role": made.role})
    return JsonAnswer(made, 201, {"location": f"/api/v1/users/{made.id}"})


@router.get("/{user_id}", response_model=User, summary="One user")
async def get_user(
    request: Request, accounts: AccountsDep, user_id: UserId, _: Nothing
) -> Response:
    """Whether he may log in still, or not."""
    return tagged(request, encoded(await accounts.users.get(user_id)), about_people=True)


@router.patch("/{user_id}", response_model=User, dependencies=[Sudo], summary="Change a user")
async def change_user(
    request: Request, accounts: AccountsDep, user_id: UserId, given: UserChange
) -> Response:
    """All of it or nothing; another role, or being disabled, ends his sessions.

    The last administrator stays one. Whoever asks may himself do all that the role before, and
    the new one, may.
    """
    before = await accounts.users.get(user_id)
    for role in filter(None, (before.role, given.role)):
        require_all_of(request, role)
    await accounts.change(user_id, name=given.name, role=given.role, disabled=given.disabled)
    doorman(request).forget()
    after = await accounts.users.get(user_id)
    tell(request, before=_told_of(before), after=_told_of(after))
    return JsonAnswer(after)


def _told_of(user: User) -> dict[str, object]:
    return {"name": user.name, "role": user.role, "disabled": user.disabled_at is not None}


@router.post(
    "/{user_id}/password",
    response_model=PasswordLink,
    dependencies=[Sudo],
    summary="Let a user choose a password",
)
async def make_password_link(
    request: Request, accounts: AccountsDep, user_id: UserId, _: Nothing
) -> Response:
    """The link is told this once; an earlier one is void."""
    require_all_of(request, (await accounts.users.get(user_id)).role)
    secret = await accounts.password_link(user_id)
    host = request.headers["host"]
    return JsonAnswer({"url": f"{request.url.scheme}://{host}/password#token={secret}"})


@router.delete(
    "/{user_id}/sessions", status_code=204, dependencies=[Sudo], summary="Log a user out"
)
async def end_sessions(
    request: Request, services: Services, accounts: AccountsDep, user_id: UserId, _: Nothing
) -> Response:
    """All his sessions end; he may log in again."""
    user = await accounts.users.get(user_id)
    require_all_of(request, user.role)
    await Sessions(services.database).end_all(user.id)
    doorman(request).forget()
    return Response(status_code=204)


@router.delete(
    "/{user_id}/access",
    response_model=EndedAccess,
    dependencies=[Sudo],
    summary="End what lets a user in",
)
async def end_access(
    request: Request,
    services: Services,
    accounts: AccountsDep,
    user_id: UserId,
    given: Annotated[EndedParameters, Query()],
) -> Response:
    """All of it, or each `part`: sessions, tokens, feeds, passkeys, app (with its codes), password.

    Tokens that his tokens have made end with them. He may log in again by what is left; for
    another password make a link.
    """
    user = await accounts.users.get(user_id)
    require_all_of(request, user.role)
    check_not_oneself(request, user_id)
    ended = await UserAccess(services.database).end(user_id, given.parts())
    doorman(request).forget()
    tell(request, ended=ended_words(ended))
    return JsonAnswer({part.value: ended.get(part, 0) for part in Access})
