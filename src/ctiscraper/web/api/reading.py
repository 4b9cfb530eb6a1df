"""What a reader has read and starred, and what the team makes of articles."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.articles import Articles
from ctiscraper.errors import InputError
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Change, PersonRef, ReaderStanding, Tagged, Undone, Visit
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.deps import ArticlesDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.reader_deps import ReadingDep, TriageDep, after_triage, found_by
from ctiscraper.web.schemas import ArticleFilters, NoParameters
from ctiscraper.web.triage_schemas import ReadingChangeIn, TagParameters, TriageChangeIn
from ctiscraper.web.who import Reader, Who

router = Routes(tags=["triage"], route_class=OnceRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
ChangeId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
Nothing = Annotated[NoParameters, Query()]
_changes = [Depends(after_triage)]


@router.get("/reading", response_model=Visit, summary="What came since your last visit")
async def get_reading(request: Request, reading: ReadingDep, who: Reader, _: Nothing) -> Response:
    """A visit ends when the list was not looked at for half an hour; asking here is none."""
    assert who.user_id is not None, "a reader is a user"
    return tagged(request, encoded(await reading.present(who.user_id)))


@router.get(
    "/articles/{article_id}/standing",
    response_model=ReaderStanding,
    summary="What an article is to you and to the team",
)
async def get_standing(
    request: Request,
    articles: ArticlesDep,
    triage: TriageDep,
    who: Who,
    article_id: ArticleId,
    _: Nothing,
) -> Response:
    """Whether it is read, new and starred; its state, assignee and tags."""
    await articles.get(article_id)
    found = await triage.standings(who.user_id, [article_id])
    return tagged(request, encoded(found[article_id]))


@router.post(
    "/reading/changes",
    response_model=Change,
    status_code=201,
    dependencies=_changes,
    summary="Read, unread, star or take stars",
)
async def change_reading(
    articles: ArticlesDep, reading: ReadingDep, who: Reader, given: ReadingChangeIn
) -> Response:
    """For half an hour the change can be undone. A `search` asks for `article:read` too."""
    ids, capped = await _meant(articles, who, given.articles, given.search)
    if given.read is not None:
        change = await reading.mark(who, ids, read=given.read, capped=capped)
    else:
        change = await reading.star(who, ids, starred=given.starred is True, capped=capped)
    return JsonAnswer(change, 201)


@router.post(
    "/reading/changes/{change_id}/undo",
    response_model=Undone,
    dependencies=_changes,
    summary="Take back a change of what you read or starred",
)
async def undo_reading(
    reading: ReadingDep, who: Reader, change_id: ChangeId, _: Nothing
) -> Response:
    """Once, and within half an hour; by whoever made it."""
    return JsonAnswer(await reading.undo(who, change_id))


@router.post(
    "/triage/changes",
    response_model=Change,
    status_code=201,
    dependencies=_changes,
    summary="Set the state, the assignee or a tag",
)
async def change_triage(
    articles: ArticlesDep, triage: TriageDep, who: Who, given: TriageChangeIn
) -> Response:
    """For half an hour the change can be undone. A `search` asks for `article:read` too."""
    ids, capped = await _meant(articles, who, given.articles, given.search)
    if given.state is not None:
        change = await triage.set_state(who, ids, given.state, capped=capped)
    elif given.tag is not None:
        change = await triage.tag(who, ids, given.tag, capped=capped)
    elif given.untag is not None:
        change = await triage.untag(who, ids, given.untag, capped=capped)
    elif "assignee" in given.model_fields_set:
        change = await triage.assign(who, ids, given.assignee, capped=capped)
    else:
        raise InputError("a state, a tag or an assignee is named by its value")
    return JsonAnswer(change, 201)


@router.post(
    "/triage/changes/{change_id}/undo",
    response_model=Undone,
    dependencies=_changes,
    summary="Take back a change of the team's articles",
)
async def undo_triage(triage: TriageDep, who: Who, change_id: ChangeId, _: Nothing) -> Response:
    """What somebody changed since stays as he left it, and is counted in `left`."""
    return JsonAnswer(await triage.undo(who, change_id))


@router.get("/triage/tags", response_model=tuple[Tagged, ...], summary="The team's tags")
async def list_tags(
    request: Request, triage: TriageDep, parameters: Annotated[TagParameters, Query()]
) -> Response:
    """The most frequent first."""
    found = await triage.tags(parameters.beginning, limit=parameters.limit)
    return tagged(request, encoded(found))


@router.get(
    "/triage/people",
    response_model=tuple[PersonRef, ...],
    summary="Those to whom articles may be given",
)
async def list_people(request: Request, triage: TriageDep, _: Nothing) -> Response:
    """Everybody who may annotate, by name."""
    return tagged(request, encoded(await triage.people()))


async def _meant(
    articles: Articles, who: Principal, numbers: list[int] | None, search: ArticleFilters | None
) -> tuple[Sequence[int], bool]:
    """Return which articles are meant, and whether a search has more than are changed at once."""
    if search is None:
        return numbers or [], False
    query = search.query()
    if query.days is not None:
        raise InputError("of a list by score articles are named one by one")
    return await found_by(articles, query, who)
