"""The scoreboard: which source is worth what, side by side."""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.story_views import SourceScore
from ctiscraper.web.deps import OverviewDep, ScoreboardDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render
from ctiscraper.web.source_forms import SCORE_DAYS, ScoreFilters

router = Routes(prefix="/sources", route_class=GuardedRoute)

_Key = Callable[[SourceScore], tuple[float, str]]


def _by(value: Callable[[SourceScore], float | None], *, least: bool = False) -> _Key:
    """Return what sorts by a value, the best first; what has none comes last."""

    def key(score: SourceScore) -> tuple[float, str]:
        found = value(score)
        if found is None:
            return float("inf"), score.source.name.lower()
        return found if least else -found, score.source.name.lower()

    return key


_SORTS: Mapping[str, _Key] = {
    "first": _by(lambda s: s.first),
    "alone": _by(lambda s: s.unique),
    "fresh": _by(lambda s: s.fresh_hours, least=True),
    "repeats": _by(lambda s: s.duplicate_share, least=True),
    "failures": _by(lambda s: s.failed_share),
    "score": _by(lambda s: s.score),
    "articles": _by(lambda s: s.articles),
    "name": _by(lambda _: 0.0),
}


@router.get("/scoreboard")
async def scoreboard(
    request: Request,
    overview: OverviewDep,
    board: ScoreboardDep,
    chosen: Annotated[ScoreFilters, Query()],
) -> Response:
    """Who tells first and alone, how soon, how often again, how well it answers, and its scores."""
    return render(
        "scoreboard.html",
        {
            "pulse": await overview.pulse(),
            "board": board,
            "sources": sorted(board.sources, key=_SORTS[chosen.sort]),
            "chosen": chosen,
            "choices": SCORE_DAYS,
        },
        scope=request.scope,
    )
