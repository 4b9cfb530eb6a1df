"""Saved searches, and the feeds that they are followed by."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.asking import understand
from ctiscraper.views import SavedSearch
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import SavedSearchesDep, Services
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.saved import new_feed, person_of, with_news
from ctiscraper.web.saved_schemas import FeedAddresses, SavedSearchChange, SavedSearchIn
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.sudo import Sudo

SearchId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[3])]
Nothing = Annotated[NoParameters, Query()]

router = Routes(prefix="/searches", tags=["searches"], route_class=OnceRoute)
# Never asked for by key: what is kept to answer again would hold the secret of an address.
_feeds = Routes(prefix="/searches", tags=["searches"], route_class=GuardedRoute)


@router.get("", response_model=tuple[SavedSearch, ...], summary="The searches that you keep or see")
async def list_searches(
    request: Request, given: Services, saved: SavedSearchesDep, _: Nothing
) -> Response:
    """Your own in your order, then those that others share.

    `new` counts what came since you looked, of the newest 1,000 articles; with `more` it is at
    least so much.
    """
    user_id = person_of(request)
    found = await with_news(given.database, user_id, await saved.of_user(user_id))
    return tagged(request, encoded(found))


@router.post("", response_model=SavedSearch, status_code=201, summary="Keep a search")
async def add_search(request: Request, saved: SavedSearchesDep, given: SavedSearchIn) -> Response:
    """One that cannot be understood is answered with 422 and the `position` of the mistake."""
    user_id = person_of(request)
    understand(given.query)
    made = await saved.add(user_id, given.given())
    return JsonAnswer(encoded(made), 201, {"location": f"/api/v1/searches/{made.id}"})


@router.get("/{search_id}", response_model=SavedSearch, summary="One saved search")
async def get_search(
    request: Request, given: Services, saved: SavedSearchesDep, search_id: SearchId, _: Nothing
) -> Response:
    """Return it with what is new to it."""
    user_id = person_of(request)
    found = await saved.get(user_id, search_id)
    [one] = await with_news(given.database, user_id, (found,))
    return tagged(request, encoded(one))


@router.patch("/{search_id}", response_model=SavedSearch, summary="Change one of your searches")
async def change_search(
    request: Request, saved: SavedSearchesDep, search_id: SearchId, given: SavedSearchChange
) -> Response:
    """Its name, query or order, whether it is shared, and its `place` in your list."""
    user_id = person_of(request)
    if given.query is not None:
        understand(given.query)
    changed = await saved.change(user_id, search_id, given.given)
    if given.place is not None:
        await saved.move(user_id, search_id, given.place)
    return JsonAnswer(encoded(changed))


@router.delete("/{search_id}", status_code=204, summary="Forget one of your searches")
async def remove_search(
    request: Request, saved: SavedSearchesDep, search_id: SearchId, _: Nothing
) -> Response:
    """Every feed of it ends."""
    await saved.remove(person_of(request), search_id)
    return Response(status_code=204)


@router.post("/{search_id}/seen", status_code=204, summary="Say that you looked at its articles")
async def see_search(
    request: Request, saved: SavedSearchesDep, search_id: SearchId, _: Nothing
) -> Response:
    """What is stored until now is not new to you any more."""
    await saved.see(person_of(request), search_id)
    return Response(status_code=204)


@_feeds.post(
    "/{search_id}/feed",
    response_model=FeedAddresses,
    status_code=201,
    dependencies=[Sudo],
    summary="Make the addresses of a feed, or new ones",
)
async def make_feed(
    request: Request, saved: SavedSearchesDep, search_id: SearchId, _: Nothing
) -> Response:
    """They are shown this once; those from before lead nowhere any more.

    What a token makes leads nowhere once that is revoked or has expired.
    """
    made = await new_feed(request, saved, person_of(request), search_id)
    return JsonAnswer(made.model_dump_json().encode(), 201)


@_feeds.delete("/{search_id}/feed", status_code=204, summary="End your feed of a search")
async def end_feed(
    request: Request, saved: SavedSearchesDep, search_id: SearchId, _: Nothing
) -> Response:
    """Its addresses lead nowhere any more."""
    await saved.unfollow(person_of(request), search_id)
    tell(request, action="search.end_feed", object_id=search_id)
    return Response(status_code=204)


router.noted.extend(_feeds.noted)
