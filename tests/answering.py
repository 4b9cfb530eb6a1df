"""A server of models that answers as a test tells it, and what asks it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ctiscraper.analyses import ModelUse
from ctiscraper.analysing import Within
from ctiscraper.analysis.analysed import AnalysedText, Analysis, Claim, Quote, TaskName
from ctiscraper.db.model_spending import Limits
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import (
    Completion,
    Embedded,
    Ending,
    Message,
    Model,
    ModelServer,
    Prompt,
    Pulled,
    Speaker,
)
from ctiscraper.types import Tlp

SERVER = "http://models.example"
Answered = Callable[[Prompt], Awaitable[str]]


async def nothing_said(prompt: Prompt) -> str:
    del prompt
    return "{}"


@dataclass
class ScriptedServer:
    """Answers what `answered` gives; `asked` are the prompts, `lacks` models it has not."""

    answered: Answered = nothing_said
    is_remote: bool = False
    has: tuple[str, ...] = ("small", "large")
    lacks: tuple[str, ...] = ()
    fault: ModelError | None = None
    asked: list[Prompt] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    @property
    def name(self) -> str:
        return "scripted"

    async def version(self) -> str:
        if self.fault is not None:
            raise self.fault
        return "scripted 1"

    async def models(self) -> tuple[Model, ...]:
        return tuple(Model(name=name) for name in self.has)

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        yield Pulled(state=f"{model} is here")

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        self.asked.append(prompt)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.fault is not None:
                raise self.fault
            if prompt.model in self.lacks:
                raise ModelError(ModelFault.MODEL_MISSING, f"no {prompt.model}")
            text = await self.answered(prompt)
        finally:
            self.running -= 1
        if said is not None:
            said(text)
        return Completion(
            text=text,
            ending=Ending.WHOLE,
            model=prompt.model,
            prompt_tokens=100,
            answer_tokens=20,
            seconds=0.01,
        )

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        del seconds
        return Embedded(model=model, vectors=tuple((1.0, 0.0) for _ in texts), tokens=len(texts))

    async def close(self) -> None:
        await asyncio.sleep(0)


def version(task: str) -> str:
    return f"{task}-1"


def use(**changes: object) -> ModelUse:
    values: dict[str, object] = {
        "server": SERVER,
        "model": "small",
        "version": version,
        "tasks": (TaskName.SUMMARY,),
        "slots": 2,
        "seconds": 5.0,
        "tlp": Tlp.GREEN,
        "limits": Limits(),
    }
    return ModelUse(**{**values, **changes})  # type: ignore[arg-type]  # a builder


async def first_words(
    server: ModelServer,
    task: TaskName,
    text: AnalysedText,
    *,
    model: str,
    seconds: float,
    within: Within,
) -> Analysis:
    """Ask, and claim the first word of the text whatever was answered."""
    assert within.context_tokens == 8192
    asked = Message(Speaker.USER, text.text)
    answer = await server.chat(
        Prompt(model=model, messages=(asked,), most_tokens=10, seconds=seconds)
    )
    word = text.text.split()[0]
    at = text.text.index(word)
    return Analysis(
        task=task,
        prompt_version=version(task),
        model=model,
        claims=(Claim(text=f"{word}: {answer.text}", quotes=(Quote(word, at, at + len(word)),)),),
        dropped=0,
        hidden=0,
        repaired=False,
        prompt_tokens=answer.prompt_tokens,
        answer_tokens=answer.answer_tokens,
        seconds=answer.seconds,
    )
