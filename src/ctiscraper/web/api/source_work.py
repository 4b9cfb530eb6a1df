"""Work on a source: its settings by version, its past, edits tried dry, and fixes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.collect.manners import Manners
from ctiscraper.mending import Diagnosis
from ctiscraper.rehearsal import Rehearsal
from ctiscraper.source_views import ChangePage, CheckPage, HostStanding, RequestPage
from ctiscraper.sourcing import edited
from ctiscraper.types import SourceSettings, host_of
from ctiscraper.views import SourceDetail
from ctiscraper.web.answers import JsonAnswer, encoded, matches, tagged
from ctiscraper.web.auditing import tell_of_source
from ctiscraper.web.deps import (
    ActorDep,
    MendingDep,
    OverviewDep,
    PastDep,
    RehearsalsDep,
    Services,
    SourcesDep,
    after_change,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.manners import read_manners
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import Key, NoParameters, SourceChange
from ctiscraper.web.source_forms import ManyParameters, RobotsParameters
from ctiscraper.web.versions import IfMatch, version_of, version_tag

router = Routes(prefix="/sources/{key}", tags=["sources"], route_class=OnceRoute)

SourceKey = Annotated[Key, Path()]
Nothing = Annotated[NoParameters, Query()]
Many = Annotated[ManyParameters, Query()]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedSettings:
    """The settings of a source, in the version that an edit names by If-Match."""

    version: int
    settings: SourceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsAnswer:
    """What robots.txt says of an address, the pace that holds, and how its host stands."""

    manners: Manners
    host: HostStanding


@router.get("/settings", response_model=VersionedSettings, summary="Its settings, to be edited")
async def get_settings(
    request: Request, sources: SourcesDep, key: SourceKey, _: Nothing
) -> Response:
    """The ETag is the version: send it back as `If-Match` with what changes."""
    version = await sources.version(key)
    source = await sources.get(key)
    headers = {"etag": version_tag(version), "cache-control": "private, no-cache"}
    if matches(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return JsonAnswer(VersionedSettings(version=version, settings=source.settings), headers=headers)


@router.get("/checks", response_model=CheckPage, summary="Its checks, newest first")
async def list_checks(request: Request, past: PastDep, key: SourceKey, chosen: Many) -> Response:
    """What each asked, what was answered, and what was new."""
    found = await past.checks(key, cursor=chosen.cursor, limit=chosen.limit)
    return tagged(request, encoded(found))


@router.get("/changes", response_model=ChangePage, summary="Its edits, newest first")
async def list_changes(request: Request, past: PastDep, key: SourceKey, chosen: Many) -> Response:
    """Who changed what of its settings, when and why."""
    found = await past.changes(key, cursor=chosen.cursor, limit=chosen.limit)
    return tagged(request, encoded(found))


@router.get("/requests", response_model=RequestPage, summary="What was asked for it")
async def list_requests(request: Request, past: PastDep, key: SourceKey, chosen: Many) -> Response:
    """Every address that it announced, newest first, with what asking brought."""
    found = await past.requests(key, cursor=chosen.cursor, limit=chosen.limit)
    return tagged(request, encoded(found))


@router.get("/robots", response_model=RobotsAnswer, summary="What robots.txt says of an address")
async def get_robots(
    *,
    request: Request,
    given: Services,
    sources: SourcesDep,
    past: PastDep,
    key: SourceKey,
    chosen: Annotated[RobotsParameters, Query()],
) -> Response:
    """By the copy that is held, with the line that decides, Crawl-delay and the gap in force."""
    settings = (await sources.get(key)).settings
    url = chosen.url or settings.feed_url or settings.url
    answer = RobotsAnswer(
        manners=await read_manners(past, given, settings, url), host=await past.host(host_of(url))
    )
    return tagged(request, encoded(answer))


@router.post("/rehearsal", response_model=Rehearsal, summary="Try an edit on the last articles")
async def rehearse(
    sources: SourcesDep, rehearsals: RehearsalsDep, key: SourceKey, given: SourceChange
) -> Response:
    """What would be kept or held back, and read otherwise, by kept pages; nothing is written."""
    source = await sources.get(key)
    found = await rehearsals.rehearse(source.settings, edited(source.settings, given.settings))
    return JsonAnswer(found)


@router.post("/mend", response_model=Diagnosis, summary="Try fixes for a source in trouble")
async def diagnose(
    sources: SourcesDep, mending: MendingDep, key: SourceKey, _: Nothing
) -> Response:
    """Asks the site now and writes nothing; only what works is proposed."""
    return JsonAnswer(await mending.diagnose(await sources.get(key)))


@router.post(
    "/mend/apply",
    response_model=SourceDetail,
    dependencies=[Depends(after_change)],
    summary="Put a fix in place",
)
async def apply_fix(  # noqa: PLR0913 - one parameter for each part that it works with
    *,
    request: Request,
    sources: SourcesDep,
    overview: OverviewDep,
    mending: MendingDep,
    key: SourceKey,
    given: SourceChange,
    actor: ActorDep,
    if_match: IfMatch = None,
) -> Response:
    """It is tried once more first; `POST /sources/{key}/undo` takes it back."""
    source = await sources.get(key)
    settings = await mending.confirm(source, given.settings)
    reason = given.reason or "a fix was proposed"
    await sources.update(key, settings, actor=actor, reason=reason, expected=version_of(if_match))
    tell_of_source(request, key, source.settings, settings, reason=reason)
    return JsonAnswer(await overview.source(key))
