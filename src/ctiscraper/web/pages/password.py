"""A password chosen by a link that an administrator has made."""

from fastapi import Request
from starlette.responses import Response

from ctiscraper.errors import InputError, NotFoundError
from ctiscraper.web.access_forms import ChosenPasswordForm
from ctiscraper.web.auditing import tell
from ctiscraper.web.entering import AccountsDep, AdmissionDep, client_of
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute, doorman
from ctiscraper.web.login_form import Onward, login_page
from ctiscraper.web.render import render
from ctiscraper.web.search_words import sentence

router = Routes(route_class=GuardedRoute)

_UNLIKE = "The two passwords are not the same."


@router.get("/password")
async def choose_password(request: Request) -> Response:
    """The form; the secret of the link stays in the browser until it is sent."""
    return _page(request)


@router.post("/password")
async def chosen_password(
    request: Request, accounts: AccountsDep, admission: AdmissionDep
) -> Response:
    """Take the password and ask for it."""
    form = await read_form(request, ChosenPasswordForm)
    await admission.allow_link(client_of(request))
    if form.password != form.again:
        return _page(request, form.token, _UNLIKE)
    try:
        user = await accounts.choose_password(
            form.token.strip(), form.password, end_all=form.end_all
        )
    except InputError as error:
        return _page(request, form.token, sentence(str(error)))
    except NotFoundError as error:
        return _page(request, "", sentence(str(error)), status=404)
    doorman(request).forget()
    tell(request, action="user.password_chosen", object_id=user.id, end_all=form.end_all)
    return login_page(request, Onward(login=user.login), told="chosen")


def _page(request: Request, token: str = "", problem: str = "", *, status: int = 422) -> Response:
    return render(
        "password.html",
        {"token": token, "problem": problem},
        scope=request.scope,
        status=status if problem else 200,
        headers={"cache-control": "no-store"},
    )
