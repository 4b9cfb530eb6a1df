"""Operations: what waits, who works, how it goes, and what is amiss."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from ctiscraper.tasks.watch import OperationsReport
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.deps import OperationsDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import NoParameters

router = Routes(prefix="/operations", tags=["operations"], route_class=GuardedRoute)


@router.get("", response_model=OperationsReport, summary="The work as it stands, and what is amiss")
async def get_operations(report: OperationsDep, _: Annotated[NoParameters, Query()]) -> Response:
    """May be two seconds old; sums over a day and of ended items half a minute or more.

    How old those are `summed_seconds` tells, null where they could not be made and so say nothing;
    `sums_fault` is what kept the last try from its end.

    A database that does not answer is told here too: then there is no `work`.
    """
    return JsonAnswer(report)
