"""The passkeys of oneself."""

from fastapi import Request
from starlette.responses import Response

from ctiscraper.db.passkeys import Passkeys
from ctiscraper.errors import ConflictError, InputError
from ctiscraper.web.access_forms import PasskeyForm, PasskeyRemoval
from ctiscraper.web.account_page import account_page
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import Services
from ctiscraper.web.entering import AdmissionDep, MyselfDep, site_of
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.redirects import see_other
from ctiscraper.web.search_words import sentence
from ctiscraper.web.sudo import Sudo

router = Routes(prefix="/account/passkeys", route_class=GuardedRoute)


@router.post("/options")
async def new_passkey_options(
    request: Request, admission: AdmissionDep, myself: MyselfDep
) -> Response:
    """What the browser makes a passkey of, as JSON."""
    options = await admission.new_passkey_options(site_of(request), myself.user_id)
    return Response(options, media_type="application/json")


@router.post("/add", dependencies=[Sudo])
async def add_passkey(
    request: Request, given: Services, admission: AdmissionDep, myself: MyselfDep
) -> Response:
    """Let a passkey in from now on."""
    form = await read_form(request, PasskeyForm)
    name = " ".join(form.name.split()) or "Passkey"
    try:
        await admission.add_passkey(myself.user_id, form.credential, site_of(request), name=name)
    except (InputError, ConflictError) as error:
        return await account_page(request, given, myself, problem=sentence(str(error)))
    tell(request, action="account.add_passkey", object_id=myself.user_id, name=name)
    return see_other("/account?done=passkey")


@router.post("/remove", dependencies=[Sudo])
async def remove_passkey(request: Request, given: Services, myself: MyselfDep) -> Response:
    """Let a passkey in no more."""
    form = await read_form(request, PasskeyRemoval)
    await Passkeys(given.database).remove(myself.user_id, bytes.fromhex(form.passkey))
    tell(request, action="account.remove_passkey", object_id=myself.user_id)
    return see_other("/account?done=removed")
