"""The reader's choice of light or dark, kept in a cookie so that it needs no script."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import THEME_COOKIE

router = APIRouter(route_class=GuardedRoute)

_YEAR = 365 * 86_400


class ThemeChoice(BaseModel):
    """What the switch sends; `here` is the page to return to."""

    model_config = ConfigDict(extra="forbid")

    theme: Literal["auto", "light", "dark"]
    here: str = "/"


@router.post("/theme")
async def choose_theme(request: Request) -> Response:
    """Keep the choice and return to the page it was made on."""
    choice = await read_form(request, ThemeChoice)
    answer = see_other(choice.here)
    answer.set_cookie(
        THEME_COOKIE, choice.theme, max_age=_YEAR, httponly=True, samesite="strict", path="/"
    )
    return answer
