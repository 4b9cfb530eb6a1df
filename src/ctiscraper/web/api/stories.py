"""Stories: the list, one with its timeline, and what people decide of them."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.story_views import StoriesOfArticle, StoryDetail, StoryPage
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import ActorDep, StoriesDep, StoryPagesDep, after_change
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.story_schemas import MergeIn, MoveIn, SplitIn, StoryNumber, StoryParameters

router = Routes(tags=["stories"], route_class=OnceRoute)

Number = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
Nothing = Annotated[NoParameters, Query()]

_changes = [Depends(after_change)]


@router.get("/stories", response_model=StoryPage, summary="Stories, newest first")
async def list_stories(
    request: Request, stories: StoryPagesDep, parameters: Annotated[StoryParameters, Query()]
) -> Response:
    """Those of more than one article, by their last article. Follow `next` for more."""
    page = await stories.page(cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))


@router.get("/stories/{story_id}", response_model=StoryDetail, summary="One story in full")
async def get_story(
    request: Request, stories: StoryPagesDep, story_id: Number, _: Nothing
) -> Response:
    """Who told it first, when the others came, and what each added.

    A number that was merged into another story leads to that one: `id` says which it is.
    """
    return tagged(request, encoded(await stories.story(story_id)))


@router.get(
    "/articles/{article_id}/stories",
    response_model=StoriesOfArticle,
    summary="The story of an article, and those it touches",
)
async def get_stories_of_article(
    request: Request, stories: StoryPagesDep, article_id: Number, _: Nothing
) -> Response:
    """`story` is null while the article stands alone."""
    return tagged(request, encoded(await stories.stories_of(article_id)))


@router.post(
    "/stories/split",
    response_model=StoryNumber,
    dependencies=_changes,
    summary="Give articles of a story one of their own",
)
async def split_story(
    request: Request, stories: StoriesDep, given: SplitIn, actor: ActorDep
) -> Response:
    """No later run joins them with the others again."""
    story = await stories.split(given.articles, actor=actor, reason=given.reason)
    tell(request, articles=given.articles, made=story, reason=given.reason)
    return JsonAnswer({"story": story})


@router.post(
    "/stories/{story_id}/merge",
    response_model=StoryNumber,
    dependencies=_changes,
    summary="Join another story to this one",
)
async def merge_stories(
    request: Request, stories: StoriesDep, story_id: Number, given: MergeIn, actor: ActorDep
) -> Response:
    """The number of the other story leads here from now on."""
    story = await stories.merge(story_id, given.other, actor=actor, reason=given.reason)
    tell(request, other=given.other, reason=given.reason)
    return JsonAnswer({"story": story})


@router.post(
    "/stories/{story_id}/articles",
    response_model=StoryNumber,
    dependencies=_changes,
    summary="Put an article into this story",
)
async def move_article(
    request: Request, stories: StoriesDep, story_id: Number, given: MoveIn, actor: ActorDep
) -> Response:
    """No later run moves it."""
    story = await stories.move(given.article, story_id, actor=actor, reason=given.reason)
    tell(request, article=given.article, reason=given.reason)
    return JsonAnswer({"story": story})


@router.post(
    "/stories/decisions/{decision_id}/undo",
    status_code=204,
    response_class=Response,
    dependencies=_changes,
    summary="Take back a split, merge or move",
)
async def undo_decision(
    request: Request, stories: StoriesDep, decision_id: Number, actor: ActorDep, _: Nothing
) -> Response:
    """Articles go where they were before."""
    await stories.undo(decision_id, actor=actor)
    tell(request, object_id="", decision=decision_id)
    return Response(status_code=204)
