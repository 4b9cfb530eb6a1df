"""The page that questions are asked on."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ctiscraper.errors import InputError, ModelError, QueryError
from ctiscraper.models.server import leaves
from ctiscraper.questions import LONGEST_QUESTION, Answer, mark_of, said_of
from ctiscraper.types import Tier
from ctiscraper.web.asked import (
    MeaningDep,
    QuestionAsked,
    QuestionsDep,
    asking_allowed,
    shown,
    streamed_answer,
    whole_answer,
)
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render

router = Routes(prefix="/ask", route_class=GuardedRoute)

_ALLOWED = [Depends(asking_allowed)]


class _NoFilters(BaseModel):
    """What the page does not know is left aside."""

    model_config = ConfigDict(extra="ignore")


@router.get("")
async def question_page(
    request: Request,
    questions: QuestionsDep,
    meaning: MeaningDep,
    overview: OverviewDep,
    _: Annotated[_NoFilters, Query()],
) -> Response:
    """The empty page."""
    return await _page(request, questions, meaning, overview, None, None)


@router.post("", dependencies=_ALLOWED)
async def answer_page(
    request: Request, questions: QuestionsDep, meaning: MeaningDep, overview: OverviewDep
) -> Response:
    """The page with its answer, for browsers without scripts."""
    asked = await read_form(request, QuestionAsked)
    try:
        answer: Answer | InputError | QueryError = await whole_answer(questions, asked)
    except (InputError, QueryError) as error:
        # The question stays where it was typed.
        answer = error
    return await _page(request, questions, meaning, overview, asked, answer)


@router.post("/stream", dependencies=_ALLOWED)
async def answer_events(request: Request, questions: QuestionsDep) -> Response:
    """The answer while it comes."""
    return streamed_answer(questions, await read_form(request, QuestionAsked))


async def _page(
    request: Request,
    questions: QuestionsDep,
    meaning: MeaningDep,
    overview: OverviewDep,
    asked: QuestionAsked | None,
    given: Answer | InputError | QueryError | None,
) -> Response:
    answer = given if isinstance(given, Answer) else None
    problem, status = _refused(given)
    progress, away = None, ""
    # An answer says itself that the model of vectors is away: nobody need wait for it once more.
    by_meaning = meaning.embedding is not None and not (answer and answer.unmeant)
    if by_meaning:
        try:
            progress = await meaning.progress()
        except ModelError as error:
            away = error.detail
    return render(
        "questions.html",
        {
            "pulse": await overview.pulse(),
            "asked": asked,
            "answer": answer,
            "problem": problem,
            "passages": shown(answer.passages) if answer else (),
            "sentences": answer.sentences if answer else (),
            "said": said_of(answer) if answer else (),
            "progress": progress,
            "away": away,
            "by_meaning": by_meaning,
            "model": questions.model if questions.server is not None else "",
            "made": mark_of(questions.model),
            "is_remote": questions.server is not None and leaves(questions.server, questions.model),
            "longest": LONGEST_QUESTION,
            "sources": await overview.sources(),
            "tiers": list(Tier),
        },
        scope=request.scope,
        status=status,
    )


def _refused(given: object) -> tuple[str, int]:
    """Why a question has no answer, and the status that says so."""
    if isinstance(given, InputError):
        return str(given), int(HTTPStatus.UNPROCESSABLE_ENTITY)
    if isinstance(given, QueryError):
        return str(given), int(HTTPStatus.BAD_REQUEST)
    return "", int(HTTPStatus.OK)
