"""Sources: how they stand, each with its settings and past, and what changes them."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.errors import StaleError
from ctiscraper.sourcing import ImportReport, Preview, edited
from ctiscraper.views import SourceDetail, SourceOverview
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import in_steps, pass_over, tell, tell_of_source
from ctiscraper.web.deps import (
    ActorDep,
    OverviewDep,
    PastDep,
    SourcesDep,
    SourcingDep,
    after_change,
    recheck_allowed,
)
from ctiscraper.web.files import UploadDep, gives, handed_over, takes
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.problems import MeanwhileError
from ctiscraper.web.schemas import (
    Key,
    NoParameters,
    ReasonGiven,
    SourceChange,
    SourceIn,
    SourceProposal,
)
from ctiscraper.web.versions import IfMatch, version_of, version_tag

router = Routes(prefix="/sources", tags=["sources"], route_class=OnceRoute)

SourceKey = Annotated[Key, Path()]
Nothing = Annotated[NoParameters, Query()]
_changes = [Depends(after_change)]
_OPML = "text/x-opml"


@router.get("", response_model=tuple[SourceOverview, ...], summary="Every source in use")
async def list_sources(request: Request, overview: OverviewDep, _: Nothing) -> Response:
    """Premium first, then by name."""
    return tagged(request, encoded(await overview.sources()))


@router.post(
    "",
    response_model=SourceDetail,
    status_code=201,
    dependencies=_changes,
    summary="Add a source",
)
async def add_source(
    request: Request,
    sourcing: SourcingDep,
    overview: OverviewDep,
    given: SourceIn,
    actor: ActorDep,
) -> Response:
    """Only `url` is needed; the key is made from it, the feed found at the first check."""
    settings = await sourcing.propose(given.url, **given.settings)
    source = await sourcing.add(settings, actor=actor, reason=given.reason)
    tell_of_source(request, source.settings.key, None, source.settings, reason=given.reason)
    detail = await overview.source(source.settings.key)
    location = f"/api/v1/sources/{source.settings.key}"
    return JsonAnswer(detail, 201, {"location": location})


@router.post("/preview", response_model=Preview, summary="What a source would bring")
async def preview_source(
    request: Request, sourcing: SourcingDep, given: SourceProposal
) -> Response:
    """Asks the site now, keeps nothing: its feed and its five newest articles."""
    settings = await sourcing.propose(given.url, **given.settings)
    tell(request, url=given.url)
    return JsonAnswer(await sourcing.preview(settings))


@router.post(
    "/import",
    response_model=ImportReport,
    dependencies=_changes,
    openapi_extra=takes(_OPML, "application/yaml"),
    summary="Add the sources of an OPML or catalogue file",
)
async def import_sources(
    request: Request, sourcing: SourcingDep, given: UploadDep, actor: ActorDep
) -> Response:
    """The file is the body, at most 20 MB. The answer tells what became of each row."""
    if given.dry_run:
        pass_over(request)
    with in_steps(request, file=given.name):
        report = await sourcing.import_file(
            given.body, name=given.name, actor=actor, dry_run=given.dry_run
        )
    tell(request, added=report.count("added"), known=report.count("known"))
    return JsonAnswer(report)


@router.get(
    "/export.opml", responses=gives(_OPML), response_class=Response, summary="Sources as OPML"
)
async def export_sources(sourcing: SourcingDep, _: Nothing) -> Response:
    """Other readers take it; our own settings stand in a namespace of ours."""
    return handed_over(await sourcing.export_opml(), _OPML, "ctiscraper-sources.opml")


@router.get(
    "/export.yaml",
    responses=gives("application/yaml"),
    response_class=Response,
    summary="Sources as a catalogue file",
)
async def export_catalogue(sourcing: SourcingDep, _: Nothing) -> Response:
    """What `POST /sources/import` and the command line take."""
    body = await sourcing.export_catalog()
    return handed_over(body, "application/yaml", "ctiscraper-sources.yaml")


@router.get("/{key}", response_model=SourceDetail, summary="One source with its past")
async def get_source(
    request: Request, overview: OverviewDep, key: SourceKey, _: Nothing
) -> Response:
    """Its settings, the last 50 checks, the last 20 edits, and its accounts."""
    return tagged(request, encoded(await overview.source(key)))


@router.patch(
    "/{key}", response_model=SourceDetail, dependencies=_changes, summary="Change settings"
)
async def change_source(  # noqa: PLR0913 - one parameter for each part that it works with
    *,
    request: Request,
    sources: SourcesDep,
    overview: OverviewDep,
    past: PastDep,
    key: SourceKey,
    given: SourceChange,
    actor: ActorDep,
    if_match: IfMatch = None,
) -> Response:
    """Only the settings that are sent change; null takes one back to its default.

    With `If-Match`, the tag that `GET /sources/{key}/settings` gave, nothing is written over
    another's change: 409 tells what that was.
    """
    source = await sources.get(key)
    settings = edited(source.settings, given.settings)
    seen = version_of(if_match)
    try:
        await sources.update(key, settings, actor=actor, reason=given.reason, expected=seen)
    except StaleError as error:
        raise MeanwhileError(str(error), await past.changes_since(key, error.seen)) from error
    tell_of_source(request, key, source.settings, settings, reason=given.reason)
    return _as_changed(await overview.source(key))


@router.post(
    "/{key}/undo", response_model=SourceDetail, dependencies=_changes, summary="Undo the last edit"
)
async def undo_change(  # noqa: PLR0913 - one parameter for each part that it works with
    *,
    request: Request,
    sources: SourcesDep,
    overview: OverviewDep,
    past: PastDep,
    key: SourceKey,
    given: ReasonGiven,
    actor: ActorDep,
    if_match: IfMatch = None,
) -> Response:
    """Its settings are again what they were before; undone again, the edit comes back."""
    seen = version_of(if_match)
    before = await sources.get(key)
    try:
        await sources.undo(key, actor=actor, reason=given.reason, expected=seen)
    except StaleError as error:
        raise MeanwhileError(str(error), await past.changes_since(key, error.seen)) from error
    after = await sources.get(key)
    tell_of_source(request, key, before.settings, after.settings, reason=given.reason)
    return _as_changed(await overview.source(key))


@router.delete("/{key}", status_code=204, dependencies=_changes, summary="Stop collecting a source")
async def remove_source(
    request: Request,
    sources: SourcesDep,
    key: SourceKey,
    given: Annotated[ReasonGiven, Query()],
    actor: ActorDep,
) -> Response:
    """Its articles stay."""
    source = await sources.get(key)
    await sources.remove(key, actor=actor, reason=given.reason)
    tell_of_source(request, key, source.settings, None, reason=given.reason)
    return Response(status_code=204)


@router.post(
    "/{key}/check",
    status_code=202,
    response_class=Response,
    dependencies=[Depends(recheck_allowed), *_changes],
    summary="Check it now",
)
async def check_source(sources: SourcesDep, key: SourceKey, _: Nothing) -> Response:
    """It is asked as soon as its host may be; ten times a minute at most, and not while paused."""
    await sources.check_now(key)
    return Response(status_code=202)


def _as_changed(detail: SourceDetail) -> Response:
    return JsonAnswer(detail, headers={"etag": version_tag(detail.version)})
