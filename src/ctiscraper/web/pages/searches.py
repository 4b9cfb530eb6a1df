"""Saved searches as a page: what is new to each, its name and place, and its feed."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.asking import understand
from ctiscraper.db.overview import Overview
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.errors import ConflictError, CTIScraperError, InputError, SearchSyntaxError
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import OverviewDep, SavedSearchesDep, Services
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render, with_query
from ctiscraper.web.saved import new_feed, person_of, with_news
from ctiscraper.web.saved_schemas import (
    EmptyForm,
    MoveForm,
    SavedSearchIn,
    SearchesPage,
)
from ctiscraper.web.sudo import Sudo

router = Routes(prefix="/searches", route_class=GuardedRoute)

SearchId = Annotated[int, Path(ge=1, le=2**63 - 1)]

_DONE = {
    "saved": "The search is saved.",
    "changed": "The search is changed.",
    "removed": "The search is removed, and its feeds with it.",
    "unfollowed": "The feed has ended: its addresses lead nowhere any more.",
}
_REFUSED = (SearchSyntaxError, ConflictError, InputError)


@router.get("")
async def searches(
    request: Request,
    given: Services,
    overview: OverviewDep,
    chosen: Annotated[SearchesPage, Query()],
) -> Response:
    """All that one keeps, and what others share."""
    done = _DONE.get(chosen.done or "", "")
    return await _page(request, given, overview, {"done": done})


@router.post("")
async def save(
    request: Request, given: Services, saved: SavedSearchesDep, overview: OverviewDep
) -> Response:
    """Keep a search."""
    user_id = person_of(request)
    form = await read_form(request, SavedSearchIn)
    try:
        understand(form.query)
        await saved.add(user_id, form.given())
    except _REFUSED as error:
        return await _refused(request, given, overview, error, {"form": form})
    return _back("saved")


@router.get("/{search_id}")
async def open_search(request: Request, saved: SavedSearchesDep, search_id: SearchId) -> Response:
    """What it finds; that is not new any more."""
    user_id = person_of(request)
    found = await saved.get(user_id, search_id)
    await saved.see(user_id, search_id)
    order = None if found.sort == "newest" else found.sort
    target = with_query("/", {"q": found.query, "order": order})
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


@router.post("/{search_id}/change")
async def change(
    request: Request,
    given: Services,
    saved: SavedSearchesDep,
    overview: OverviewDep,
    search_id: SearchId,
) -> Response:
    """Give one of one's own another name, query or order, or share it."""
    user_id = person_of(request)
    form = await read_form(request, SavedSearchIn)
    try:
        understand(form.query)
        await saved.change(user_id, search_id, lambda _: form.given())
    except _REFUSED as error:
        shown = {"changing": search_id, "form": form}
        return await _refused(request, given, overview, error, shown)
    return _back("changed")


@router.post("/{search_id}/move")
async def move(request: Request, saved: SavedSearchesDep, search_id: SearchId) -> Response:
    """Put one of one's own elsewhere in the list."""
    form = await read_form(request, MoveForm)
    await saved.move(person_of(request), search_id, form.place)
    return RedirectResponse(f"/searches#search-{search_id}", HTTPStatus.SEE_OTHER)


@router.post("/{search_id}/remove")
async def remove(request: Request, saved: SavedSearchesDep, search_id: SearchId) -> Response:
    """Forget one of one's own."""
    await read_form(request, EmptyForm)
    await saved.remove(person_of(request), search_id)
    return _back("removed")


@router.post("/{search_id}/feed", dependencies=[Sudo])
async def follow(
    request: Request,
    given: Services,
    saved: SavedSearchesDep,
    overview: OverviewDep,
    search_id: SearchId,
) -> Response:
    """Show the addresses of a new feed, this once."""
    await read_form(request, EmptyForm)
    made = await new_feed(request, saved, person_of(request), search_id)
    return await _page(request, given, overview, {"made": made, "followed": search_id})


@router.post("/{search_id}/unfollow")
async def unfollow(request: Request, saved: SavedSearchesDep, search_id: SearchId) -> Response:
    """End the feed."""
    await read_form(request, EmptyForm)
    await saved.unfollow(person_of(request), search_id)
    tell(request, action="search.end_feed", object_id=search_id)
    return _back("unfollowed")


async def _refused(
    request: Request,
    given: Services,
    overview: Overview,
    error: CTIScraperError,
    shown: Mapping[str, object],
) -> Response:
    mistake = error if isinstance(error, SearchSyntaxError) else None
    return await _page(
        request, given, overview, {"problem": str(error), "mistake": mistake, **shown}, status=422
    )


async def _page(
    request: Request,
    given: Services,
    overview: Overview,
    shown: Mapping[str, object],
    *,
    status: int = 200,
) -> Response:
    user_id = person_of(request)
    found = await SavedSearches(given.database).of_user(user_id)
    nothing: dict[str, object] = dict.fromkeys(
        ("done", "problem", "mistake", "form", "changing", "made", "followed")
    )
    return render(
        "searches.html",
        {
            **nothing,
            "pulse": await overview.pulse(),
            "searches": await with_news(given.database, user_id, found),
            **shown,
        },
        scope=request.scope,
        status=status,
        # An address with its secret is nothing to keep.
        headers={"cache-control": "no-store"},
    )


def _back(done: str) -> Response:
    return RedirectResponse(with_query("/searches", {"done": done}), HTTPStatus.SEE_OTHER)
