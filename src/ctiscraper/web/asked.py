"""Questions as pages and API take them, and answers as they are handed on while they come."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
import structlog
from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import StreamingResponse

from ctiscraper.citing import CitedSentence
from ctiscraper.db.nearest import Nearest
from ctiscraper.db.retrieving import RetrievedPassage
from ctiscraper.errors import CTIScraperError
from ctiscraper.identity import Principal
from ctiscraper.loop import end_task
from ctiscraper.meaning import Meaning
from ctiscraper.questions import LONGEST_QUESTION, Answer, Listener, Questions, said_of
from ctiscraper.types import Tier
from ctiscraper.views import ArticleQuery
from ctiscraper.web.allowance import Allowance
from ctiscraper.web.deps import Services
from ctiscraper.web.schemas import Key, Moment

QUESTIONS_A_MINUTE = 12
HEARTBEAT_SECONDS = 10.0
# What stands in front gives up on who says nothing for a minute: a balancer of AWS does.
WHOLE_SECONDS = 45.0
_HEADERS = {
    "cache-control": "no-store",
    # Nginx passes on at once what it would gather otherwise.
    "x-accel-buffering": "no",
}
_encoder = msgspec.json.Encoder()
log = structlog.get_logger()


class QuestionAsked(BaseModel):
    """A question, and which articles may answer it."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_QUESTION,
            examples=["How do attackers get past multi-factor authentication?"],
        ),
    ]
    source: Key | None = Field(None, description="articles of one source alone")
    tier: Tier | None = Field(None, description="articles of one tier alone")
    since: Moment | None = Field(None, description="listed at this time or later")
    until: Moment | None = Field(None, description="listed before this time")
    passages_only: bool = Field(default=False, description="ask no model")

    @field_validator("source", "tier", "since", "until", mode="before")
    @classmethod
    def _left_open(cls, value: object) -> object:
        return None if value == "" else value

    def query(self) -> ArticleQuery:
        """Return which articles may answer."""
        return ArticleQuery(source=self.source, tier=self.tier, since=self.since, until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageOut:
    """A passage as a page shows it."""

    number: int
    article: int
    title: str
    source: str
    listed_at: datetime
    text: str


async def meaning_of(given: Services) -> Meaning:
    """Return what searches by meaning here."""
    return given.meaning or Meaning(given.database, None, Nearest())


MeaningDep = Annotated[Meaning, Depends(meaning_of)]


async def questions_of(given: Services, meaning: MeaningDep) -> Questions:
    """Return what answers questions here."""
    return given.questions or Questions(meaning=meaning)


QuestionsDep = Annotated[Questions, Depends(questions_of)]


async def asking_allowed(request: Request) -> None:
    """Raise HTTPException when whoever asks has asked too many questions a moment ago."""
    allowance, principal = request.app.state.questions, request.state.principal
    assert isinstance(allowance, Allowance)
    assert isinstance(principal, Principal), "no question is for anyone"
    wait = allowance.take((principal.user_id, principal.token_id))
    if wait:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{allowance.most} questions a minute are answered at most; ask again in {wait:.0f} s",
            {"retry-after": f"{wait:.0f}"},
        )


async def whole_answer(questions: Questions, asked: QuestionAsked) -> Answer:
    """Return an answer in one piece, or as far as it is in the time that there is for that.

    Raises InputError and QueryError.
    """
    return await questions.ask(
        asked.question,
        asked.query(),
        passages_only=asked.passages_only,
        within=WHOLE_SECONDS,
    )


def streamed_answer(questions: Questions, asked: QuestionAsked) -> StreamingResponse:
    """Return an answer as server-sent events: `passages`, each `sentence`, then `answer`."""
    return StreamingResponse(
        _events(questions, asked), headers=_HEADERS, media_type="text/event-stream"
    )


async def _events(questions: Questions, asked: QuestionAsked) -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def passages(found: tuple[RetrievedPassage, ...]) -> None:
        queue.put_nowait(_event("passages", shown(found)))

    def sentence(one: CitedSentence) -> None:
        queue.put_nowait(_event("sentence", one))

    async def work() -> None:
        try:
            answer = await questions.ask(
                asked.question,
                asked.query(),
                passages_only=asked.passages_only,
                listener=Listener(passages=passages, sentence=sentence),
            )
            queue.put_nowait(_event("answer", {**_end(answer), "said": said_of(answer)}))
        except CTIScraperError as error:
            log.warning("question_failed", detail=str(error))
            queue.put_nowait(_event("fault", {"detail": str(error)}))
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(work())
    try:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    event = await queue.get()
            except TimeoutError:
                yield b": still at it\n\n"
                continue
            if event is None:
                return
            yield event
    finally:
        # Whoever closed the page wants no answer any more: the model is let go.
        await end_task(task)


def shown(found: tuple[RetrievedPassage, ...]) -> list[PassageOut]:
    """Return passages as a page shows them."""
    return [
        PassageOut(
            number=number,
            article=one.article.id,
            title=one.article.title,
            source=one.article.source.name,
            listed_at=one.article.listed_at,
            text=" ".join(one.text.split()),
        )
        for number, one in enumerate(found, 1)
    ]


def _end(answer: Answer) -> dict[str, object]:
    return {
        "state": answer.state,
        "dropped": answer.dropped,
        "withheld": answer.withheld,
        "hidden": answer.hidden,
        "fault": answer.fault,
        "unmeant": answer.unmeant,
        "model": answer.model,
        "prompt": answer.prompt,
        "seconds": answer.seconds,
    }


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + _encoder.encode(data) + b"\n\n"
