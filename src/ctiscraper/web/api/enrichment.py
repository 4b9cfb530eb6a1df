"""Articles that could not be looked through for what they name: which, why, and once more."""

from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from ctiscraper.entity_views import FailedPage
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import RecordsDep, after_change
from ctiscraper.web.entity_schemas import FailedNumbers, FailureParameters
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import Counted

router = Routes(prefix="/enrichment", tags=["queue"], route_class=OnceRoute)


@router.get("/failures", response_model=FailedPage, summary="Articles not looked through, and why")
async def list_failures(
    request: Request, records: RecordsDep, parameters: Annotated[FailureParameters, Query()]
) -> Response:
    """The latest failures first; what waits is told by `/api/v1/operations`."""
    page = await records.failures(cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))


@router.post(
    "/retry",
    response_model=Counted,
    dependencies=[Depends(after_change)],
    summary="Look through them once more",
)
async def retry_failures(request: Request, records: RecordsDep, given: FailedNumbers) -> Response:
    """In the background, with all their attempts."""
    count = await records.retry(given.articles)
    tell(request, articles=given.articles, count=count)
    return JsonAnswer({"count": count})
