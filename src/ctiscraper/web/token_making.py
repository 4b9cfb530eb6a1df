"""Tokens made and revoked: what somebody may give away, the same for pages and API."""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError

from ctiscraper.access.tokens import new_token
from ctiscraper.db.tokens import ApiToken, Tokens
from ctiscraper.errors import NotFoundError
from ctiscraper.identity import Permission, Principal, Role
from ctiscraper.web.auditing import pass_over, tell
from ctiscraper.web.guarded import doorman

DAYS_MOST = 365

# What a scope lets a program do, for the person who gives it.


def asking(request: Request) -> Principal:
    """Return who asks."""
    principal = request.state.principal
    assert isinstance(principal, Principal), "the guard lets in nobody else"
    return principal


def may_be_lasting(principal: Principal) -> bool:
    """Return whether somebody may make tokens for more than a year, or that never expire."""
    return principal.role is Role.ADMIN


def grantable(principal: Principal) -> tuple[Permission, ...]:
    """Return the scopes that somebody may give to a token, in the order of their list."""
    return tuple(scope for scope in Permission if scope in principal.permissions)


async def make_token(
    request: Request, tokens: Tokens, *, name: str, scopes: list[Permission], days: int | None
) -> tuple[str, ApiToken]:
    """Return a new token, to be shown once, and what is known of it.

    Raises HTTPException and RequestValidationError for what its maker may not give.
    """
    principal = asking(request)
    beyond = sorted(set(scopes) - principal.permissions)
    if beyond:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"a token may do no more than its maker, who may not do this: {', '.join(beyond)}",
        )
    if (days is None or days > DAYS_MOST) and not may_be_lasting(principal):
        raise RequestValidationError(
            [
                {
                    "loc": ("body", "days"),
                    "msg": "only administrators make tokens that never expire, or live for more "
                    f"than {DAYS_MOST} days; choose a shorter time",
                    "type": "days",
                }
            ]
        )
    secret, key = new_token()
    await tokens.add(
        key,
        name=name.strip(),
        scopes=scopes,
        user_id=principal.user_id,
        days=days,
        maker=principal.token_id,
    )
    made = await tokens.get(key.id)
    tell(request, object_id=made.id, after=_state(made))
    return secret, made


async def revoke_token(request: Request, tokens: Tokens, token_id: str) -> ApiToken:
    """Return a token that lets nobody in from now on.

    Raises NotFoundError for one that is not there, or another's.
    """
    principal = asking(request)
    token = await tokens.get(token_id)
    if not _is_his(token, principal) and not principal.may(Permission.TOKEN_WRITE):
        raise NotFoundError(f"there is no token '{token_id}'")
    revoked = await tokens.revoke(token_id)
    doorman(request).forget()
    if token.revoked_at is None:
        tell(request, object_id=token_id, before=_state(token))
    else:
        pass_over(request)
    return revoked


async def tokens_for(request: Request, tokens: Tokens, *, everybody: bool) -> tuple[ApiToken, ...]:
    """Return the tokens that somebody may see. Raises HTTPException."""
    principal = asking(request)
    if not everybody:
        return await tokens.of(principal.user_id)
    if not principal.may(Permission.TOKEN_WRITE):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"the tokens of others need {Permission.TOKEN_WRITE}"
        )
    return await tokens.all()


def has_ended(token: ApiToken) -> str:
    """Return in a word why a token lets nobody in, nothing while it does."""
    if token.live:
        return ""
    if token.revoked_at is not None:
        return "revoked"
    has_expired = token.expires_at is not None and token.expires_at <= datetime.now(UTC)
    return "expired" if has_expired else "its user is disabled"


def _is_his(token: ApiToken, principal: Principal) -> bool:
    return token.owner_id == principal.user_id


def _state(token: ApiToken) -> dict[str, object]:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "owner": token.owner,
        "expires_at": token.expires_at,
    }
