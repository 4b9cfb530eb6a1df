"""Articles that models are asked about, as tests of the queue need them."""

import json
from uuid import uuid4

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.model_asking import Asked, Wanted, queue_texts
from ctiscraper.db.model_queue import Claimed, Kept, ModelQueue
from ctiscraper.db.model_spending import Limits, Spent
from ctiscraper.types import SourceSettings
from db import claimed as stored
from db.stage import Stage

SERVER = "http://models.example"
MODEL = "small"
FREE = Limits()


def wanted(*tasks: TaskName, model: str = MODEL, version: str = "1") -> Wanted:
    asked = tasks or (TaskName.SUMMARY,)
    return Wanted(model=model, prompts=tuple((task, version) for task in asked))


async def ask(stage: Stage, *articles: int, what: Wanted | None = None, rank: int = 1) -> list[int]:
    async with stage.database.transaction() as conn:
        return await queue_texts(conn, articles, what or wanted(), Asked(rank=rank))


async def article(
    stage: Stage, name: str, text: str = "The text of it.", settings: SourceSettings | None = None
) -> int:
    return await stored.store(stage, name, text, settings=settings)


async def claim(
    queue: ModelQueue, limits: Limits = FREE, *, seconds: float = 60.0, reaps: bool = True
) -> Claimed | None:
    return await queue.claim(uuid4(), server=SERVER, limits=limits, seconds=seconds, reaps=reaps)


async def claim_one(queue: ModelQueue, limits: Limits = FREE) -> Claimed:
    found = await claim(queue, limits)
    assert found is not None
    return found


def kept(*claims: tuple[str, str, int]) -> Kept:
    """An answer with claims, each with words of the text and where they stand."""
    return Kept(
        claims=json.dumps(
            [
                {
                    "text": said,
                    "quotes": [{"text": words, "start": at, "end": at + len(words)}],
                    "fields": {},
                }
                for said, words, at in claims
            ]
        ),
        prompt_version="1",
        dropped=1,
        hidden=2,
        repaired=False,
        seconds=1.5,
        failed_parts='{"cut_off": 1}',
    )


async def finish(
    queue: ModelQueue, found: Claimed, spent: Spent | None = None, limits: Limits = FREE
) -> bool:
    paid = spent or Spent(prompt_tokens=100, answer_tokens=20, calls=1)
    return await queue.finish(
        found, kept(("It is a text.", "text", 4)), paid, server=SERVER, limits=limits
    )
