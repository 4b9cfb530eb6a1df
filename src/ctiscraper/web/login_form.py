"""The page that asks who somebody is."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from ctiscraper.web.render import render


def login_page(  # noqa: PLR0913 - what the form was sent with is shown again
    request: Request,
    *,
    status: int = 200,
    target: str = "/",
    carried: str = "",
    login: str = "",
    problem: str = "",
    lost: bool = False,
    chosen: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the form.

    `lost` says that somebody was logged in when he began to type, `chosen` that his password is
    a new one.
    """
    return render(
        "login.html",
        {
            "next": target,
            "carried": carried,
            "login": login,
            "problem": problem,
            "lost": lost,
            "chosen": chosen,
        },
        scope=request.scope,
        status=status,
        headers={"cache-control": "no-store", **(headers or {})},
    )
