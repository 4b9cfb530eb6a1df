"""Questions over the collection."""

from typing import Any

from fastapi import Depends
from starlette.responses import Response, StreamingResponse

from ctiscraper.questions import Answer
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.asked import (
    QuestionAsked,
    QuestionsDep,
    asking_allowed,
    streamed_answer,
    whole_answer,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute

router = Routes(prefix="/questions", tags=["questions"], route_class=GuardedRoute)

_ALLOWED = [Depends(asking_allowed)]
_BUSY: dict[int | str, dict[str, Any]] = {429: {"description": "Too many questions a moment ago"}}


@router.post(
    "",
    response_model=Answer,
    responses=_BUSY,
    dependencies=_ALLOWED,
    summary="Ask the collection",
)
async def ask_question(questions: QuestionsDep, asked: QuestionAsked) -> Response:
    """Each sentence cites one of `passages`, counted from 1, and quotes it literally.

    `state` is `answered`; `refused` where nothing in the collection answers; `passages` where no
    model is asked; or `failed`, and `fault` says why. An answer that broke off is `answered`, with
    the sentences that came until then, and `fault` says why: one in one piece may take 45 s, and a
    slow model is better asked by the stream. No question is stored.
    """
    answer = await whole_answer(questions, asked)
    return JsonAnswer(answer, headers={"cache-control": "no-store"})


@router.post(
    "/stream",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Events up to `answer`", "content": {"text/event-stream": {}}},
        **_BUSY,
    },
    dependencies=_ALLOWED,
    summary="Ask the collection, and be answered while the answer comes",
)
async def stream_answer(questions: QuestionsDep, asked: QuestionAsked) -> Response:
    """Server-sent events: `passages`, each `sentence` once it is proved, then `answer`.

    `fault` comes in place of `answer` where there is none.
    """
    return streamed_answer(questions, asked)
