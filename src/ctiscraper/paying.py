"""A server of models whose cost is counted beside that of analyses, within the budget of a day."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from ctiscraper.db.model_spending import Limits, Spending, Spent
from ctiscraper.errors import ModelError, ModelFault, StorageError
from ctiscraper.models.meter import LETTERS_A_TOKEN, Metered
from ctiscraper.models.passing import Passing
from ctiscraper.models.server import Completion, Embedded, Prompt

_LEFT = "; vectors of texts leave half of a day's tokens to analyses and questions"

log = structlog.get_logger()


@dataclass(slots=True)
class Paid(Passing):
    """A server as it is; what asking it costs is of no source, and is told with all other cost.

    Where the tokens of a day are spent it is not asked: ModelError, over budget. Vectors of texts,
    of which there are always more, may take half of them.
    """

    spending: Spending
    limits: Limits

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer, paid for. Raises ModelError and StorageError."""
        letters = sum(len(one.text) for one in prompt.messages)
        estimate = letters // LETTERS_A_TOKEN + prompt.most_tokens
        async with self._paid(prompt.model, estimate, self.limits) as metered:
            return await metered.chat(prompt, said)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts, paid for. Raises ModelError and StorageError."""
        estimate = sum(map(len, texts)) // LETTERS_A_TOKEN
        # One text is what somebody searches for: it is small, and he waits.
        limits = self.limits if len(texts) == 1 else _half_of(self.limits)
        async with self._paid(model, estimate, limits) as metered:
            return await metered.embed(model, texts, seconds=seconds)

    @asynccontextmanager
    async def _paid(self, model: str, estimate: int, limits: Limits) -> AsyncIterator[Metered]:
        over = await self.spending.day_over(estimate, limits)
        if over is not None:
            left = "" if limits.day == self.limits.day else _LEFT
            raise ModelError(ModelFault.OVER_BUDGET, over.detail + left, transient=over.today)
        metered = Metered(self.server)
        try:
            yield metered
        finally:
            # Whoever goes away before the end has cost something too.
            await asyncio.shield(self._pay(model, metered))

    async def _pay(self, model: str, metered: Metered) -> None:
        spent = spent_of(metered)
        try:
            await self.spending.pay(model, spent, self.limits)
        except StorageError as error:
            # The answer is there: that it could not be counted is no reason to lose it.
            log.warning("cost_not_counted", model=model, tokens=spent.tokens, detail=error.detail)


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
