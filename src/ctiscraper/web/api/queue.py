"""Items that ended without an article: which, why, and what to do with them."""

from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from ctiscraper.views import QueuePage, ReasonCount
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import EnrichmentsDep, ItemsDep, QueueDep, SourcesDep, after_change
from ctiscraper.web.ended import act
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import (
    AllItems,
    Counted,
    ItemNumbers,
    QueueParameters,
    ReasonParameters,
    ReprocessIn,
)

router = Routes(prefix="/queue", tags=["queue"], route_class=OnceRoute)

_changes = [Depends(after_change)]


@router.get("", response_model=QueuePage, summary="Ended items, newest first")
async def list_items(
    request: Request, items: ItemsDep, parameters: Annotated[QueueParameters, Query()]
) -> Response:
    """Each with its cause and a sample of what the source announced."""
    page = await items.page(
        parameters.state,
        source=parameters.source,
        reason=parameters.reason,
        cursor=parameters.cursor,
        limit=parameters.limit,
    )
    return tagged(request, encoded(page))


@router.get(
    "/reasons", response_model=tuple[ReasonCount, ...], summary="Why items ended, most often first"
)
async def list_reasons(
    request: Request, items: ItemsDep, parameters: Annotated[ReasonParameters, Query()]
) -> Response:
    """Counted over the newest 10,000 items of the state."""
    return tagged(request, encoded(await items.reasons(parameters.state)))


@router.post("/retry", response_model=Counted, dependencies=_changes, summary="Try items once more")
async def retry_items(request: Request, queue: QueueDep, given: ItemNumbers) -> Response:
    """Dead and failed items go back to the queue with all their attempts."""
    count = await queue.retry(given.ids)
    tell(request, items=given.ids, count=count)
    return JsonAnswer({"count": count})


@router.post(
    "/discard", response_model=Counted, dependencies=_changes, summary="Set items aside for good"
)
async def discard_items(request: Request, queue: QueueDep, given: ItemNumbers) -> Response:
    """Dead and failed items become filtered, and stay counted."""
    count = await queue.discard(given.ids)
    tell(request, items=given.ids, count=count)
    return JsonAnswer({"count": count})


@router.post("/release", response_model=Counted, dependencies=_changes, summary="Let items through")
async def release_items(request: Request, queue: QueueDep, given: ItemNumbers) -> Response:
    """Filtered items go back to the queue and pass the gates of their source."""
    count = await queue.release(given.ids)
    tell(request, items=given.ids, count=count)
    return JsonAnswer({"count": count})


@router.post("/all", response_model=Counted, dependencies=_changes, summary="Act on all of a kind")
async def act_on_all(
    request: Request, queue: QueueDep, items: ItemsDep, given: AllItems
) -> Response:
    """Every item of a state, and of a source or a cause; the answer says how many it was."""
    return JsonAnswer({"count": await act(request, queue, items, given)})


@router.post(
    "/reprocess",
    response_model=Counted,
    dependencies=_changes,
    summary="Read stored articles again, or look through them again",
)
async def reprocess_articles(
    request: Request,
    queue: QueueDep,
    enrichments: EnrichmentsDep,
    sources: SourcesDep,
    given: ReprocessIn,
) -> Response:
    """By source, by article, or both, from their kept bytes; nothing is fetched.

    With `only` their texts stay, and what they name is found anew by these extractors, in the
    background; `since` is the time an article is listed under.
    """
    tell(request, **given.model_dump(mode="json", exclude_none=True))
    if given.only is not None:
        if given.source is not None:
            await sources.get(given.source)
        count = await enrichments.queue(
            given.only, since=given.since, source_key=given.source, article_ids=given.articles
        )
        return JsonAnswer({"count": count})
    count = await queue.reprocess(source_key=given.source, article_ids=given.articles)
    return JsonAnswer({"count": count})
