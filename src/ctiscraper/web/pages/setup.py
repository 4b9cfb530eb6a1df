"""The first visit: whoever started the program makes the first administrator."""

from fastapi import HTTPException, Request
from starlette.responses import Response

from ctiscraper.errors import InputError
from ctiscraper.identity import Role, signature
from ctiscraper.web.access_forms import SetupForm
from ctiscraper.web.auditing import tell, tell_of_entry
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import AccountsDep, AdmissionDep, client_of, enter
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute, doorman
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence

router = Routes(route_class=GuardedRoute)

_DONE = "The set-up is done, and is not offered again."
_WRONG = (
    "This address is wrong, was used or is older than half an hour: start the program again, and "
    "open the one that it shows then."
)
_UNLIKE = "The two passwords are not the same."


@router.get("/setup")
async def setup(request: Request) -> Response:
    """The form, while there is nobody."""
    await _check_open(request)
    return _page(request)


@router.post("/setup")
async def finish_setup(
    request: Request, given: Services, accounts: AccountsDep, admission: AdmissionDep
) -> Response:
    """Make the first administrator and log him in."""
    await _check_open(request)
    form = await read_form(request, SetupForm)
    client = client_of(request)
    await admission.allow_link(client)
    if form.password != form.again:
        return _page(request, form, _UNLIKE)
    try:
        user_id = await accounts.set_up(
            form.token.strip(), login=form.login, name=form.name, password=form.password
        )
    except InputError as error:
        return _page(request, form, sentence(str(error)))
    if user_id is None:
        await _check_open(request)
        return _page(request, form, _WRONG, status=403)
    login = form.login.strip().lower()
    tell_of_entry(request, "user.setup", user_id, signature(login, form.name.strip()))
    tell(request, after={"login": login, "role": Role.ADMIN})
    return enter(request, given, await admission.begin(user_id, client), target="/")


async def _check_open(request: Request) -> None:
    """Raise HTTPException once there is somebody."""
    if await doorman(request).is_set_up():
        raise HTTPException(410, _DONE)


def _page(
    request: Request, form: SetupForm | None = None, problem: str = "", *, status: int = 422
) -> Response:
    return render(
        "setup.html",
        {"form": form, "problem": problem},
        scope=request.scope,
        status=status if problem else 200,
        headers={"cache-control": "no-store"},
    )
