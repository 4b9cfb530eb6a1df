"""Tokens of programs: listed, made, revoked."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.tokens import ApiToken, Tokens
from ctiscraper.web.access_schemas import TokenIn, TokenListParameters
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.deps import over
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.sudo import Sudo
from ctiscraper.web.token_making import make_token, revoke_token, tokens_for

# An answer that is kept for whoever asks again would keep the secret with it.
router = Routes(prefix="/tokens", tags=["access"], route_class=GuardedRoute)

TokensDep = Annotated[Tokens, Depends(over(Tokens))]
TokenId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,40}$", examples=["k3v9x0q2ab"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken:
    """A new token; `secret` is what a program shows, and is told this once."""

    secret: str
    token: ApiToken


@router.get("", response_model=tuple[ApiToken, ...], summary="Your tokens")
async def list_tokens(
    request: Request, tokens: TokensDep, parameters: Annotated[TokenListParameters, Query()]
) -> Response:
    """Those that live first, then the newest; at most 1,000."""
    found = await tokens_for(request, tokens, everybody=parameters.everybody)
    return tagged(request, encoded(found), about_people=True)


@router.post(
    "", response_model=MadeToken, status_code=201, dependencies=[Sudo], summary="Make a token"
)
async def add_token(request: Request, tokens: TokensDep, given: TokenIn) -> Response:
    """It may do no more than you, belongs to you, and its secret is answered this once.

    A token that makes another gives it no longer life than its own, and takes it along when it is
    revoked. Only administrators make one for more than a year. An `Idempotency-Key` has no meaning
    here: the answer is kept nowhere.
    """
    secret, made = await make_token(
        request, tokens, name=given.name, scopes=given.scopes, days=given.days
    )
    return JsonAnswer(MadeToken(secret=secret, token=made), 201)


@router.delete("/{token_id}", response_model=ApiToken, summary="Revoke a token")
async def remove_token(
    request: Request, tokens: TokensDep, token_id: TokenId, _: Annotated[NoParameters, Query()]
) -> Response:
    """It lets nobody in from now on, nor does what was made by it.

    Revoking it twice changes nothing.
    """
    return JsonAnswer(await revoke_token(request, tokens, token_id))
