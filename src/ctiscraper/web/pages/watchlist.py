"""The watchlist as a page: what is looked for, and how often it was found."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.errors import CatalogError, ConflictError
from ctiscraper.web.auditing import in_steps, tell, tell_of_watch
from ctiscraper.web.deps import ActorDep, OverviewDep, ScoringDep, after_change
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render, with_query
from ctiscraper.web.schemas import WatchFileForm, WatchForm, WatchPageFilters
from ctiscraper.weighing import DEFAULT_WATCH_WEIGHT, WatchKind, watch_given

router = Routes(prefix="/watchlist", route_class=GuardedRoute)

EntryId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_changes = [Depends(after_change)]


@router.get("")
async def watchlist(
    request: Request,
    scoring: ScoringDep,
    overview: OverviewDep,
    chosen: Annotated[WatchPageFilters, Query()],
) -> Response:
    """Every entry, and the form for one more."""
    return await _page(request, scoring, overview, done=_done(chosen))


@router.post("/add", dependencies=_changes)
async def add_entry(
    request: Request, scoring: ScoringDep, overview: OverviewDep, actor: ActorDep
) -> Response:
    """Watch for something, then show the list again."""
    form = await read_form(request, WatchForm)
    try:
        given = watch_given(form.kind, form.term, form.weight, form.note)
        made = await scoring.add(given, actor=actor)
        tell_of_watch(request, made)
    except CatalogError as error:
        return await _page(request, scoring, overview, form=form, problems=error.problems)
    except ConflictError as error:
        return await _page(request, scoring, overview, form=form, problems=[str(error)])
    await scoring.rescore()
    return RedirectResponse(with_query("/watchlist", {"added": 1}), 303)


@router.post("/import", dependencies=_changes)
async def import_entries(
    request: Request, scoring: ScoringDep, overview: OverviewDep, actor: ActorDep
) -> Response:
    """Watch for all that was pasted; rows that are wrong are shown, and the others taken."""
    form = await read_form(request, WatchFileForm)
    try:
        with in_steps(request):
            report = await scoring.import_file(form.lines.encode(), name="the list", actor=actor)
    except CatalogError as error:
        return await _page(request, scoring, overview, lines=form.lines, problems=error.problems)
    added = report.count("added")
    tell(request, anyway=added > 0, added=added, known=report.count("known"))
    await scoring.rescore()
    bad = [f"line {row.row}: {row.detail}" for row in report.rows if row.outcome == "bad"]
    if bad:
        return await _page(request, scoring, overview, lines=form.lines, problems=bad)
    counts = {"added": added, "known": report.count("known")}
    return RedirectResponse(with_query("/watchlist", counts), 303)


@router.post("/{entry_id}/remove", dependencies=_changes)
async def remove_entry(
    request: Request, scoring: ScoringDep, entry_id: EntryId, actor: ActorDep
) -> Response:
    """Watch for something no more."""
    entry = await scoring.watchlist.get(entry_id)
    await scoring.watchlist.remove(entry_id, actor=actor)
    tell_of_watch(request, entry, removed=True)
    await scoring.rescore()
    return RedirectResponse(with_query("/watchlist", {"removed": 1}), 303)


async def _page(  # noqa: PLR0913 - what a form was sent with is shown again
    request: Request,
    scoring: ScoringDep,
    overview: OverviewDep,
    *,
    form: WatchForm | None = None,
    lines: str = "",
    problems: list[str] | None = None,
    done: str = "",
) -> Response:
    return render(
        "watchlist.html",
        {
            "pulse": await overview.pulse(),
            "entries": await scoring.watchlist.entries(),
            "kinds": [kind.value for kind in WatchKind],
            "form": form,
            "weight": form.weight if form else DEFAULT_WATCH_WEIGHT,
            "lines": lines,
            "problems": problems or [],
            "done": done,
        },
        scope=request.scope,
        status=422 if problems else 200,
    )


def _done(chosen: WatchPageFilters) -> str:
    if chosen.removed:
        return "It is watched for no more."
    if chosen.added is None:
        return ""
    entries = "1 entry" if chosen.added == 1 else f"{chosen.added:,} entries"
    known = f"; {chosen.known:,} were there already" if chosen.known else ""
    return f"{entries} added{known}. The newest articles are scored by it, older ones follow."
