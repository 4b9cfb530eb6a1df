"""The installation: its data packs, what it keeps how long, and its settings."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.shown_settings import ShownSetting
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.deps import PacksDep, Services
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.installation import PackRow, RetentionDep, RetentionReport, read_packs
from ctiscraper.web.schemas import NoParameters

router = Routes(tags=["operations"], route_class=GuardedRoute)

Nothing = Annotated[NoParameters, Query()]


@router.get("/packs", response_model=tuple[PackRow, ...], summary="The data packs that are kept")
async def list_packs(request: Request, packs: PacksDep, _: Nothing) -> Response:
    """Those of a name together, the one in use first; the command line updates them."""
    return tagged(request, encoded(await read_packs(packs)))


@router.get("/retention", response_model=RetentionReport, summary="What is kept how long")
async def get_retention(request: Request, report: RetentionDep, _: Nothing) -> Response:
    """And about how much there is, and what the next run would remove."""
    return tagged(request, encoded(report))


@router.get("/settings", response_model=tuple[ShownSetting, ...], summary="Settings of the server")
async def list_settings(request: Request, given: Services, _: Nothing) -> Response:
    """Each with where its value comes from; of secrets only whether they are set."""
    return tagged(request, encoded(given.shown_settings))
