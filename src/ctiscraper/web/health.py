"""Whether this process lives, and whether it can do its work."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from starlette.responses import Response

from ctiscraper.errors import StorageError
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import HealthOut, NoParameters

READY_SECONDS = 1.0

_log = structlog.get_logger(__name__)
router = APIRouter(prefix="/health", tags=["health"], route_class=GuardedRoute)


@router.get("/live", response_model=HealthOut, summary="Whether the process answers")
async def live(_: Annotated[NoParameters, Query()]) -> Response:
    """Needs nothing but the process."""
    return JsonAnswer({"status": "ok"})


@router.get(
    "/ready",
    response_model=HealthOut,
    responses={503: {"model": HealthOut, "description": "The database cannot be worked with"}},
    summary="Whether the database answers within a second, can be written and has its schema",
)
@router.get("", response_model=HealthOut, include_in_schema=False)
async def ready(overview: OverviewDep, _: Annotated[NoParameters, Query()]) -> Response:
    """Tells no version and no cause: those stand in the log."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            obstacle = await overview.obstacle()
    except (StorageError, TimeoutError) as error:
        obstacle = str(error) or "the database does not answer in time"
    if obstacle is None:
        return JsonAnswer({"status": "ok"})
    _log.warning("web.not_ready", cause=obstacle)
    return JsonAnswer({"status": "unavailable"}, 503, {"retry-after": "5"})
