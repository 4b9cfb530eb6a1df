"""What a morning asks, and what stands out of any kind."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from ctiscraper.dashboard_views import Dashboard, Trends
from ctiscraper.db.trends import DAY, HOT_KINDS, SEVEN_DAYS, TrendBoard
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.dashboard import DashboardDep
from ctiscraper.web.deps import Services
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.recent import Recent
from ctiscraper.web.schemas import NoParameters

router = Routes(tags=["dashboard"], route_class=GuardedRoute)

TrendKind = Literal[
    "actor", "malware", "ransomware", "tool", "technique", "cve", "vendor", "product", "sector",
    "country",
]  # fmt: skip
_HOURS = {"24h": DAY, "7d": SEVEN_DAYS}


class TrendParameters(BaseModel):
    """Of which kinds and in which window what stands out is asked for."""

    model_config = ConfigDict(extra="forbid")

    kind: list[TrendKind] = Field(
        default=[], max_length=10, description="these kinds; those of the dashboard when none"
    )
    window: Literal["24h", "7d"] = Field("7d", description="the last day or the last seven")
    limit: int = Field(10, ge=1, le=50)

    def kinds(self) -> Sequence[str]:
        """Return the kinds in one order."""
        return sorted(set(self.kind)) or HOT_KINDS


@router.get("/dashboard", response_model=Dashboard, summary="What a morning asks")
async def get_dashboard(
    request: Request, found: DashboardDep, _: Annotated[NoParameters, Query()]
) -> Response:
    """May be 15 seconds old, trends five minutes.

    Without the right to read of sources these parts are empty.
    """
    return tagged(request, encoded(found))


@router.get("/trends", response_model=Trends, summary="What stands out")
async def get_trends(
    request: Request,
    given: Services,
    parameters: Annotated[TrendParameters, Query()],
) -> Response:
    """Things that more articles name than usually do, held against the eight weeks before.

    `score` is in standard deviations of a count; below 3, in fewer than three articles or by
    one source alone nothing is listed.
    """
    kinds, hours = parameters.kinds(), _HOURS[parameters.window]

    async def make() -> bytes:
        [found] = await TrendBoard(given.database).trends(kinds, [hours], limit=parameters.limit)
        return encoded(found)

    kept = request.app.state.trends
    assert isinstance(kept, Recent)
    return tagged(request, await kept.get(("trends", *kinds, hours, parameters.limit), make))
