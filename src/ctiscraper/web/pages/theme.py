"""The reader's choice of light or dark, kept in a cookie so that it needs no script."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import RedirectResponse, Response

from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
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
    answer = RedirectResponse(local_path(choice.here), 303)
    answer.set_cookie(
        THEME_COOKIE, choice.theme, max_age=_YEAR, httponly=True, samesite="strict", path="/"
    )
    return answer


def local_path(path: str) -> str:
    """Return a path of this program, the start page for anything else."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() and path.isascii() else "/"
