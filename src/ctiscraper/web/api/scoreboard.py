"""The scoreboard: which source is worth what."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.story_views import Scoreboard
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.deps import ScoresDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.story_schemas import ScoreParameters

router = Routes(prefix="/scoreboard", tags=["sources"], route_class=GuardedRoute)


@router.get("", response_model=Scoreboard, summary="How sources compare over a period")
async def get_scoreboard(
    request: Request, scores: ScoresDep, parameters: Annotated[ScoreParameters, Query()]
) -> Response:
    """Stories told first and by how much, entities no other source has, and repetitions."""
    found = await scores.scoreboard(since=parameters.since, until=parameters.until)
    return tagged(request, encoded(found))
