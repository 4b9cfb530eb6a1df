"""The reader's choices of how pages look, kept in cookies so that they need no script."""

from collections.abc import Mapping
from typing import Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.web.cookie_names import choice_cookie
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.redirects import see_other
from ctiscraper.web.render import BY_CHOICE, DENSITY_CHOICE, THEME_CHOICE

router = Routes(route_class=GuardedRoute)

_YEAR = 365 * 86_400


class ThemeChoice(BaseModel):
    """What the switch sends; `here` is the page to return to."""

    model_config = ConfigDict(extra="forbid")

    theme: Literal["auto", "light", "dark"]
    here: str = "/"


class ViewChoice(BaseModel):
    """What the switches of the list send; `here` is the page to return to."""

    model_config = ConfigDict(extra="forbid")

    density: Literal["comfortable", "compact"] | None = None
    by: Literal["article", "story"] | None = None
    here: str = "/"


@router.post("/theme")
async def choose_theme(request: Request) -> Response:
    """Keep the choice and return to the page it was made on."""
    choice = await read_form(request, ThemeChoice)
    return _kept(request, choice.here, {THEME_CHOICE: choice.theme})


@router.post("/view")
async def choose_view(request: Request) -> Response:
    """Keep how dense the list is, or by what, and return to it."""
    choice = await read_form(request, ViewChoice)
    return _kept(request, choice.here, {DENSITY_CHOICE: choice.density, BY_CHOICE: choice.by})


def _kept(request: Request, here: str, choices: Mapping[str, str | None]) -> Response:
    answer = see_other(here)
    for name, value in choices.items():
        if value is not None:
            answer.set_cookie(
                choice_cookie(request, name),
                value,
                max_age=_YEAR,
                path="/",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="strict",
            )
    return answer
