"""Who asks, as routes are given him."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from ctiscraper.errors import ConflictError
from ctiscraper.identity import Permission, Principal, Role
from ctiscraper.views import ArticleQuery
from ctiscraper.web.permission_words import not_allowed


def who_asks(request: Request) -> Principal:
    """Return who asks for a route that is not for anyone."""
    principal = request.state.principal
    assert isinstance(principal, Principal), "its route is not for anyone"
    return principal


async def _who(request: Request) -> Principal:
    return who_asks(request)


Who = Annotated[Principal, Depends(_who)]


async def _reader(who: Who) -> Principal:
    """Return who asks, if that is a user or his token. Raises HTTPException."""
    if who.user_id is None:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "this token is nobody's, so it has read and starred nothing: use one of a user",
        )
    return who


Reader = Annotated[Principal, Depends(_reader)]


def of_reader(query: ArticleQuery, who: Principal) -> ArticleQuery:
    """Return a query as this one means it: what he has read and starred, what is given to him."""
    return replace(query, reader=who.user_id)


def require(who: Principal, permission: Permission) -> None:
    """Raise HTTPException when this one may not do a part of what its route does."""
    if not who.may(permission):
        raise HTTPException(HTTPStatus.FORBIDDEN, not_allowed(who, permission))


def require_all_of(request: Request, role: Role) -> None:
    """Raise HTTPException unless whoever asks may himself do all that this role may.

    Whoever decides over a user can come in as him: he must not become more than he is.
    """
    who = request.state.principal
    assert isinstance(who, Principal), "users are not for anyone"
    if not who.may_all_of(role):
        asking = f"the role {who.role}" if who.token_id is None else "this token"
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"{asking} may do less than the role {role}, so not this with it"
        )


def check_not_oneself(request: Request, user_id: int) -> None:
    """Raise ConflictError for somebody who would end what he himself comes in by."""
    if request.state.principal.user_id == user_id:
        raise ConflictError(
            "this is you: change your password under your account, and let it end all else there"
        )
