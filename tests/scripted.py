"""A server of models whose answers are written beforehand; it speaks no protocol."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ctiscraper.errors import ModelError
from ctiscraper.models.server import (
    Completion,
    Embedded,
    Ending,
    Model,
    ModelServer,
    Prompt,
    Pulled,
)

Answering = Callable[[Prompt], str | ModelError | Completion]


@dataclass
class Scripted(ModelServer):
    """Answers by a function of the prompt, and keeps every prompt."""

    answering: Answering
    prompts: list[Prompt] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def is_remote(self) -> bool:
        return False

    async def version(self) -> str:
        return "0"

    async def models(self) -> tuple[Model, ...]:
        return ()

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        yield Pulled(state=model)

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        self.prompts.append(prompt)
        made = self.answering(prompt)
        if isinstance(made, ModelError):
            raise made
        if isinstance(made, Completion):
            return made
        if said is not None:
            said(made)
        return completion(made)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        raise NotImplementedError((model, texts, seconds))

    async def close(self) -> None:
        return None


def completion(text: str, ending: Ending = Ending.WHOLE) -> Completion:
    """An answer that took a tenth of a second."""
    return Completion(
        text=text,
        ending=ending,
        model="scripted:1",
        prompt_tokens=100,
        answer_tokens=10,
        seconds=0.1,
    )


def saying(*answers: str | ModelError | Completion) -> Scripted:
    """A server that gives these answers in turn, the last one again and again."""
    left = list(answers)
    return Scripted(lambda _: left.pop(0) if len(left) > 1 else left[0])


def claims(*made: Mapping[str, object]) -> str:
    """An answer that makes these claims."""
    return json.dumps({"claims": list(made)})
