"""Who asks, as routes are given him."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from ctiscraper.identity import Permission, Principal
from ctiscraper.views import ArticleQuery


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
        raise HTTPException(HTTPStatus.FORBIDDEN, f"you may not do this: it needs {permission}")
