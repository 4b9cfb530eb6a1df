"""A server of models whose cost is counted beside that of analyses, within the budget of a day."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from ctiscraper.analysis.parts import estimated_tokens
from ctiscraper.db.model_spending import Limits, Over, Reserved, Spending, Spent
from ctiscraper.errors import ModelError, ModelFault, StorageError
from ctiscraper.models.meter import Metered
from ctiscraper.models.passing import Passing
from ctiscraper.models.server import Completion, Embedded, Prompt

_LEFT = "; vectors of texts leave half of a day's tokens to analyses and questions"

# What stands around a text that a model is given, in tokens.
_AROUND = 4
# Beside its deadline a question waits for a slot, and is counted.
_HELD_LONGER = 120.0

log = structlog.get_logger()


@dataclass(slots=True)
class Paid(Passing):
    """A server as it is; what asking it costs is of no source, and is told with all other cost.

    What a question may take is held back until its end. Where the tokens of a day are spent it is
    not asked: ModelError, over budget. With `leaves_half` its vectors may take half of them: they
    are those of texts, of which there are always more, and nobody waits for them.
    """

    spending: Spending
    limits: Limits
    leaves_half: bool = False

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer, paid for. Raises ModelError and StorageError."""
        # Some servers show the schema to their model.
        schema = [json.dumps(prompt.schema)] if prompt.schema is not None else []
        most = _most_of([*(one.text for one in prompt.messages), *schema]) + prompt.most_tokens
        asked = _Asked(prompt.model, most, prompt.seconds)
        async with self._paid(asked, self.limits) as metered:
            return await metered.chat(prompt, said)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts, paid for. Raises ModelError and StorageError."""
        asked = _Asked(model, _most_of(texts), seconds)
        limits = _half_of(self.limits) if self.leaves_half else self.limits
        async with self._paid(asked, limits) as metered:
            return await metered.embed(model, texts, seconds=seconds)

    @asynccontextmanager
    async def _paid(self, asked: "_Asked", limits: Limits) -> AsyncIterator[Metered]:
        held = await self.spending.reserve(
            asked.model, asked.most, limits, seconds=asked.seconds + _HELD_LONGER
        )
        if isinstance(held, Over):
            left = "" if limits.day == self.limits.day else _LEFT
            raise ModelError(ModelFault.OVER_BUDGET, held.detail + left, transient=held.today)
        metered = Metered(self.server)
        try:
            yield metered
        finally:
            # Whoever goes away before the end has cost something too.
            await asyncio.shield(self._pay(held, asked.model, metered))

    async def _pay(self, held: Reserved, model: str, metered: Metered) -> None:
        spent = spent_of(metered)
        try:
            await self.spending.settle(held, model, spent, self.limits)
        except StorageError as error:
            # The answer is there: that it could not be counted is no reason to lose it.
            log.warning("cost_not_counted", model=model, tokens=spent.tokens, detail=error.detail)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a model: the most tokens that it may take, and its deadline in seconds."""

    model: str
    most: int
    seconds: float


def spent_of(metered: Metered) -> Spent:
    """Return what asking a server cost so far."""
    return Spent(
        prompt_tokens=metered.prompt_tokens,
        answer_tokens=metered.answer_tokens,
        calls=metered.calls,
        estimated=metered.estimated,
    )


def _half_of(limits: Limits) -> Limits:
    return replace(limits, day=max(1, limits.day // 2)) if limits.day else limits


def _most_of(texts: Sequence[str]) -> int:
    return sum(estimated_tokens(text) + _AROUND for text in texts)
