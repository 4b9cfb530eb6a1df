"""The page that asks who somebody is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from ctiscraper.web.render import render

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """Where a login leads: a page, or what was typed before it; and who said that he logs in."""

    target: str = "/"
    carried: str = ""
    login: str = ""


def login_page(
    request: Request,
    onward: Onward,
    *,
    status: int = 200,
    problem: str = "",
    told: str = "",
    headers: Mapping[str, str] = _NOTHING,
) -> Response:
    """Return the form.

    `told` is "lost" for somebody who was logged in when he began to type, "chosen" for somebody
    with a new password.
    """
    return render(
        "login.html",
        {
            "target": onward.target,
            "carried": onward.carried,
            "login": onward.login,
            "problem": problem,
            "told": told,
        },
        scope=request.scope,
        status=status,
        headers={"cache-control": "no-store", **headers},
    )
