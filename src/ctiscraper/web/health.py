"""Whether this process lives, and whether it can do its work."""

import asyncio
import time
from typing import Annotated

import structlog
from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.errors import StorageError
from ctiscraper.operations import Obstacle
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.deps import OverviewDep, Services, degraded_parts
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import HealthOut, NoParameters

READY_SECONDS = 1.0

# Looks that take longer than who asked waited; the next is told what they saw.
_looks: set[asyncio.Task[tuple[str, ...]]] = set()
_log = structlog.get_logger(__name__)
router = Routes(prefix="/health", tags=["health"], route_class=GuardedRoute)


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
async def ready(
    request: Request,
    overview: OverviewDep,
    given: Services,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Names what is not as it should be: `redis`, `storage` or `clock` while pages are served.

    With 503 it is `database`, or `migrations` that are to be run first. Tells no version, no cause
    and no number: those stand in the log and on the operations page. What is degraded may be some
    seconds old, and is left out while it is not known yet.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(READY_SECONDS):
            obstacle = await overview.obstacle()
    except (StorageError, TimeoutError) as error:
        cause = str(error) or "the database does not answer in time"
        obstacle = Obstacle(part="database", cause=cause)
    if obstacle is None:
        left = READY_SECONDS - (time.monotonic() - began)
        parts = await _degraded(request, given, left)
        return JsonAnswer({"status": "degraded", "degraded": parts} if parts else {"status": "ok"})
    _log.warning("web.not_ready", cause=obstacle.cause)
    body = {"status": "unavailable", "degraded": [obstacle.part]}
    return JsonAnswer(body, 503, {"retry-after": "5"})


async def _degraded(request: Request, given: Services, seconds: float) -> tuple[str, ...]:
    """Return which parts are degraded, none while that cannot be told in time."""
    look = asyncio.create_task(degraded_parts(request, given))
    _looks.add(look)
    look.add_done_callback(_looks.discard)
    done, _ = await asyncio.wait({look}, timeout=max(0.0, seconds))
    return look.result() if done else ()
