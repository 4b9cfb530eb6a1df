"""The watchlist: what the team looks for in every article."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.views import WatchEntry, WatchImport
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import in_steps, pass_over, tell, tell_of_watch
from ctiscraper.web.deps import ActorDep, ScoringDep, after_change
from ctiscraper.web.files import UploadDep, gives, handed_over, takes
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import NoParameters, WatchEntryIn
from ctiscraper.weighing import watch_given

router = Routes(prefix="/watchlist", tags=["watchlist"], route_class=OnceRoute)

EntryId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
Nothing = Annotated[NoParameters, Query()]
_changes = [Depends(after_change)]
_CSV = "text/csv"


@router.get("", response_model=tuple[WatchEntry, ...], summary="Every entry in use")
async def list_watchlist(request: Request, scoring: ScoringDep, _: Nothing) -> Response:
    """By kind and term, each with how many articles of the last 30 days have it."""
    return tagged(request, encoded(await scoring.watchlist.entries()))


@router.post(
    "",
    response_model=WatchEntry,
    status_code=201,
    dependencies=_changes,
    summary="Watch for something",
)
async def add_watchlist_entry(
    request: Request, scoring: ScoringDep, given: WatchEntryIn, actor: ActorDep
) -> Response:
    """The newest 1,000 articles are scored by it before the answer, older ones after it."""
    entry = watch_given(given.kind, given.term, given.weight, given.note)
    made = await scoring.add(entry, actor=actor)
    tell_of_watch(request, made)
    await scoring.rescore()
    location = f"/api/v1/watchlist/{made.id}"
    return JsonAnswer(await scoring.watchlist.get(made.id), 201, {"location": location})


@router.post(
    "/import",
    response_model=WatchImport,
    dependencies=_changes,
    openapi_extra=takes(_CSV, "text/plain"),
    summary="Add the entries of a file",
)
async def import_watchlist(
    request: Request, scoring: ScoringDep, given: UploadDep, actor: ActorDep
) -> Response:
    """The file is the body: a term a line, or a table with `term`. Tells of each row."""
    if given.dry_run:
        pass_over(request)
    with in_steps(request, file=given.name):
        report = await scoring.import_file(
            given.body, name=given.name, actor=actor, dry_run=given.dry_run
        )
    added = report.count("added")
    tell(request, anyway=added > 0, added=added, known=report.count("known"))
    await scoring.rescore()
    return JsonAnswer(report)


@router.get(
    "/export.csv", responses=gives(_CSV), response_class=Response, summary="The entries as CSV"
)
async def export_watchlist(scoring: ScoringDep, _: Nothing) -> Response:
    """A table that `import` reads."""
    return handed_over(await scoring.export(), _CSV, "ctiscraper-watchlist.csv")


@router.get("/{entry_id}", response_model=WatchEntry, summary="One entry")
async def get_watchlist_entry(
    request: Request, scoring: ScoringDep, entry_id: EntryId, _: Nothing
) -> Response:
    """It is `settled` once it was held against every article."""
    return tagged(request, encoded(await scoring.watchlist.get(entry_id)))


@router.delete(
    "/{entry_id}", status_code=204, dependencies=_changes, summary="Watch for it no more"
)
async def remove_watchlist_entry(
    request: Request, scoring: ScoringDep, entry_id: EntryId, actor: ActorDep, _: Nothing
) -> Response:
    """Scores follow; that it was there stays on record."""
    entry = await scoring.watchlist.get(entry_id)
    await scoring.watchlist.remove(entry_id, actor=actor)
    tell_of_watch(request, entry, removed=True)
    await scoring.rescore()
    return Response(status_code=204)
