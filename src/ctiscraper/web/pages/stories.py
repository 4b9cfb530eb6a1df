"""Stories: the list, one with its timeline, and the forms that split and merge them."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import (
    ActorDep,
    OverviewDep,
    StoriesDep,
    StoryPagesDep,
    after_change,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.kind_words import shown
from ctiscraper.web.render import render
from ctiscraper.web.story_forms import MergeForm, MoveForm, SplitForm, StoryFilters
from ctiscraper.web.story_words import later, next_words, why_words

router = Routes(prefix="/stories", route_class=GuardedRoute)

StoryId = Annotated[int, Path(ge=1, le=2**63 - 1)]
DecisionId = Annotated[int, Path(ge=1, le=2**63 - 1)]

_changes = [Depends(after_change)]
_WORDS = {
    "entity_words": shown,
    "later": later,
    "next_words": next_words,
    "why_words": why_words,
}


@router.get("")
async def story_list(
    request: Request,
    stories: StoryPagesDep,
    overview: OverviewDep,
    filters: Annotated[StoryFilters, Query()],
) -> Response:
    """Stories of more than one article, the newest first."""
    return render(
        "stories.html",
        {
            "pulse": await overview.pulse(),
            "page": await stories.page(cursor=filters.cursor),
            "filters": filters,
            **_WORDS,
        },
        scope=request.scope,
    )


@router.get("/{story_id}")
async def story(
    request: Request, stories: StoryPagesDep, overview: OverviewDep, story_id: StoryId
) -> Response:
    """One story; a number that was merged into another leads there."""
    found = await stories.story(story_id)
    if found.id != story_id:
        return RedirectResponse(f"/stories/{found.id}", 303)
    return render(
        "story.html",
        {"pulse": await overview.pulse(), "story": found, **_WORDS},
        scope=request.scope,
    )


@router.post("/{story_id}/split", dependencies=_changes)
async def split_story(
    request: Request, stories: StoriesDep, story_id: StoryId, actor: ActorDep
) -> Response:
    """Give the ticked articles a story of their own, and show it."""
    form = await read_form(request, SplitForm)
    if not form.articles:
        fault = {"loc": ("body", "articles"), "msg": "tick at least one article", "type": "missing"}
        raise RequestValidationError([fault])
    made = await stories.split(form.articles, actor=actor, reason=form.reason)
    tell(request, articles=form.articles, made=made, reason=form.reason)
    return RedirectResponse(f"/stories/{made}?from={story_id}", 303)


@router.post("/{story_id}/merge", dependencies=_changes)
async def merge_stories(
    request: Request, stories: StoriesDep, story_id: StoryId, actor: ActorDep
) -> Response:
    """Join another story to this one."""
    form = await read_form(request, MergeForm)
    kept = await stories.merge(story_id, form.other, actor=actor, reason=form.reason)
    tell(request, other=form.other, reason=form.reason)
    return RedirectResponse(f"/stories/{kept}", 303)


@router.post("/{story_id}/articles", dependencies=_changes)
async def move_article(
    request: Request, stories: StoriesDep, story_id: StoryId, actor: ActorDep
) -> Response:
    """Put an article into this story."""
    form = await read_form(request, MoveForm)
    kept = await stories.move(form.article, story_id, actor=actor, reason=form.reason)
    tell(request, article=form.article, reason=form.reason)
    return RedirectResponse(f"/stories/{kept}", 303)


@router.post("/{story_id}/decisions/{decision_id}/undo", dependencies=_changes)
async def undo_decision(
    request: Request,
    stories: StoriesDep,
    story_id: StoryId,
    decision_id: DecisionId,
    actor: ActorDep,
) -> Response:
    """Take a decision back; articles go where they were before."""
    await stories.undo(decision_id, actor=actor)
    tell(request, object_id="", decision=decision_id)
    return RedirectResponse(f"/stories/{story_id}", 303)
