"""Tokens as a page: one's own, and for administrators everybody's."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.db.tokens import ApiToken, Tokens
from ctiscraper.web.access_schemas import DAYS, TokenForm, TokenPageFilters
from ctiscraper.web.api.tokens import TokenId, TokensDep
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.permission_words import SCOPE_WORDS
from ctiscraper.web.render import render, with_query
from ctiscraper.web.sudo import Sudo
from ctiscraper.web.token_making import (
    asking,
    grantable,
    has_ended,
    make_token,
    may_be_lasting,
    revoke_token,
    tokens_for,
)

router = Routes(prefix="/tokens", route_class=GuardedRoute)


@router.get("")
async def token_list(
    request: Request,
    tokens: TokensDep,
    overview: OverviewDep,
    filters: Annotated[TokenPageFilters, Query()],
) -> Response:
    """His tokens, and the form that makes one."""
    done = f"{filters.revoked} lets nobody in any more." if filters.revoked else ""
    return await _page(
        request, tokens, overview, form=TokenForm(), everybody=filters.everybody, done=done
    )


@router.post("/make", dependencies=[Sudo])
async def add_token(request: Request, tokens: TokensDep, overview: OverviewDep) -> Response:
    """Make a token and show it, this once."""
    form = await read_form(request, TokenForm)
    problems = []
    if not form.name.strip():
        problems.append("Give it a name that says which program uses it.")
    if not form.scopes:
        problems.append("Tick at least one thing that it may do.")
    if problems:
        return await _page(request, tokens, overview, form=form, problems=problems)
    try:
        secret, made = await make_token(
            request, tokens, name=form.name, scopes=form.scopes, days=form.lifetime
        )
    except RequestValidationError as error:
        said = [str(fault["msg"]) for fault in error.errors()]
        return await _page(request, tokens, overview, form=form, problems=said)
    return await _page(request, tokens, overview, form=TokenForm(), secret=secret, made=made)


@router.post("/{token_id}/revoke")
async def remove_token(request: Request, tokens: TokensDep, token_id: TokenId) -> Response:
    """Let a token be of no use any more."""
    revoked = await revoke_token(request, tokens, token_id)
    others = revoked.owner_id != asking(request).user_id
    told = {"revoked": revoked.name, "everybody": "true" if others else None}
    return RedirectResponse(with_query("/tokens", told), 303)


async def _page(  # noqa: PLR0913 - what a form was sent with is shown again
    request: Request,
    tokens: Tokens,
    overview: OverviewDep,
    *,
    form: TokenForm,
    everybody: bool = False,
    problems: list[str] | None = None,
    done: str = "",
    secret: str = "",
    made: ApiToken | None = None,
) -> Response:
    principal = asking(request)
    chosen = {scope.value for scope in form.scopes}
    return render(
        "tokens.html",
        {
            "pulse": await overview.pulse(),
            "tokens": await tokens_for(request, tokens, everybody=everybody),
            "everybody": everybody,
            "form": form,
            "scopes": [
                (scope.value, *SCOPE_WORDS[scope], scope.value in chosen)
                for scope in grantable(principal)
            ],
            "days": DAYS,
            "lasting": may_be_lasting(principal),
            "has_ended": has_ended,
            "problems": problems or [],
            "done": done,
            "secret": secret,
            "made": made,
        },
        scope=request.scope,
        status=422 if problems else 200,
        headers={"cache-control": "no-store"},
    )
