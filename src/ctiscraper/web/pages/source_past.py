"""The past of a source: its checks, its edits, and what was asked of its hosts and why."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.types import host_of
from ctiscraper.web.deps import OverviewDep, PastDep, Services, SourcesDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.manners import read_manners, row_decisions
from ctiscraper.web.render import render
from ctiscraper.web.schemas import Key
from ctiscraper.web.source_forms import PastFilters, RequestFilters

router = Routes(prefix="/sources", route_class=GuardedRoute)

SourceKey = Annotated[Key, Path()]


@router.get("/{key}/history")
async def history(
    request: Request,
    overview: OverviewDep,
    past: PastDep,
    key: SourceKey,
    chosen: Annotated[PastFilters, Query()],
) -> Response:
    """Its checks, or the edits of its settings, newest first."""
    checks = await past.checks(key, cursor=chosen.cursor) if chosen.part == "checks" else None
    changes = await past.changes(key, cursor=chosen.cursor) if checks is None else None
    found = await overview.source(key)
    return render(
        "source_history.html",
        {
            "pulse": await overview.pulse(),
            "source": found,
            "overview": found.overview,
            "part": chosen.part,
            "chosen": chosen,
            "checks": checks.checks if checks else (),
            "changes": changes.changes if changes else (),
            "older": checks.next if checks else changes.next if changes else None,
        },
        scope=request.scope,
    )


@router.get("/{key}/requests")
async def requests(  # noqa: PLR0913 - one parameter for each part that it works with
    *,
    request: Request,
    given: Services,
    overview: OverviewDep,
    past: PastDep,
    sources: SourcesDep,
    key: SourceKey,
    chosen: Annotated[RequestFilters, Query()],
) -> Response:
    """What was asked for a source and when, and what robots.txt says of each address."""
    source = await sources.get(key)
    settings = source.settings
    found = await past.requests(key, cursor=chosen.cursor)
    first = settings.feed_url or settings.url
    return render(
        "source_requests.html",
        {
            "pulse": await overview.pulse(),
            "source": source,
            "chosen": chosen,
            "rows": found.requests,
            "older": found.next,
            "decisions": await row_decisions(past, given, settings, found.requests),
            "manners": await read_manners(past, given, settings, first),
            "host": await past.host(host_of(first)),
            "asked": await read_manners(past, given, settings, chosen.url) if chosen.url else None,
        },
        scope=request.scope,
    )
