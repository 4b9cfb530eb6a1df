"""The work as it stands: what waits, who works, which hosts rest, and what is amiss."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.operations import COUNTED_MOST, OURS_AWAY
from ctiscraper.tasks.findings import Verdict
from ctiscraper.web.deps import OperationsDep, OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render
from ctiscraper.web.schemas import OperationsPageFilters

router = Routes(prefix="/operations", route_class=GuardedRoute)


@router.get("")
async def operations(
    request: Request,
    report: OperationsDep,
    overview: OverviewDep,
    chosen: Annotated[OperationsPageFilters, Query()],
) -> Response:
    """What is amiss in words, then the figures; it stands up when the database does not."""
    reachable = report.database.reachable
    return render(
        "operations.html",
        {
            "pulse": await overview.pulse() if reachable else None,
            "report": report,
            "work": report.work,
            "amiss": [f for f in report.findings if f.verdict is not Verdict.OK],
            "well": [f for f in report.findings if f.verdict is Verdict.OK],
            "most": COUNTED_MOST,
            "ours_away": OURS_AWAY,
            "every": chosen.every,
        },
        scope=request.scope,
        status=200 if reachable else 503,
    )
