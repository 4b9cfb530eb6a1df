"""Pages of the installation: its data packs, what it keeps how long, and its settings."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.types import Tier
from ctiscraper.web.deps import OverviewDep, PacksDep, Services
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.installation import RetentionDep, read_packs
from ctiscraper.web.render import render
from ctiscraper.web.schemas import NoParameters

router = Routes(route_class=GuardedRoute)

Nothing = Annotated[NoParameters, Query()]


@router.get("/operations/packs")
async def packs_page(
    request: Request, overview: OverviewDep, packs: PacksDep, _: Nothing
) -> Response:
    """Which data packs are in use, in which version and under which licence."""
    rows = await read_packs(packs)
    context = {"pulse": await overview.pulse(), "packs": rows}
    return render("packs.html", context, scope=request.scope)


@router.get("/operations/retention")
async def retention_page(
    request: Request, overview: OverviewDep, report: RetentionDep, _: Nothing
) -> Response:
    """What is kept how long, how much there is, and what the next run would remove."""
    context = {"pulse": await overview.pulse(), "report": report, "tiers": list(Tier)}
    return render("retention.html", context, scope=request.scope)


@router.get("/settings")
async def settings_page(
    request: Request, overview: OverviewDep, given: Services, _: Nothing
) -> Response:
    """Every setting of the server, and where its value comes from."""
    context = {"pulse": await overview.pulse(), "settings": given.shown_settings}
    return render("settings.html", context, scope=request.scope)
