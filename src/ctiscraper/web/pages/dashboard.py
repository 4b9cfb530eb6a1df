"""The dashboard: what a morning asks, on one page."""

from fastapi import Request
from starlette.responses import Response

from ctiscraper.web.charts import heat_chart, spark, volume_chart
from ctiscraper.web.dashboard import DashboardDep
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render

router = Routes(prefix="/dashboard", route_class=GuardedRoute)


@router.get("")
async def dashboard(request: Request, found: DashboardDep, overview: OverviewDep) -> Response:
    """What is hot and what is watched, sources that need a look, volumes and techniques."""
    return render(
        "dashboard.html",
        {
            "pulse": await overview.pulse(),
            "board": found,
            "volume": volume_chart(found.volumes),
            "heat": heat_chart(found.tactics),
            "spark": spark,
            "most": max((one.articles for one in found.sources), default=0),
        },
        scope=request.scope,
    )
