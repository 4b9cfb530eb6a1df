"""A server of models whose answers are counted: tokens, calls, and how far one is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.passing import Passing
from ctiscraper.models.server import Completion, Embedded, Prompt

LETTERS_A_TOKEN = 3
# Asked in vain, unless it had begun to answer: the model never saw the text.
_UNASKED = frozenset(
    {
        ModelFault.OFF,
        ModelFault.AWAY,
        ModelFault.BUSY,
        ModelFault.REFUSED,
        ModelFault.MODEL_MISSING,
        ModelFault.OUT_OF_MEMORY,
        ModelFault.TOO_LONG,
        ModelFault.TLP,
    }
)


@dataclass(slots=True)
class Metered(Passing):
    """A server as it is, and what asking it cost so far.

    `estimated` are the tokens of answers that did not come to their end. `said` counts the
    characters of all answers, as they come. `counted` says that the cost may have been told.
    """

    prompt_tokens: int = 0
    answer_tokens: int = 0
    calls: int = 0
    estimated: int = 0
    said: int = field(default=0)
    counted: bool = field(default=False)

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer, counted. Raises ModelError."""
        before = self.said

        def hear(piece: str) -> None:
            self.said += len(piece)
            if said is not None:
                said(piece)

        self.calls += 1
        answer = None
        begun, told = True, 0
        try:
            answer = await self.server.chat(prompt, hear)
        except ModelError as error:
            begun = error.begun or self.said > before or error.fault not in _UNASKED
            told = error.tokens
            raise
        finally:
            if answer is not None:
                self.prompt_tokens += answer.prompt_tokens
                self.answer_tokens += answer.answer_tokens
            elif begun:
                letters = sum(len(one.text) for one in prompt.messages) + self.said - before
                self.estimated += told or letters // LETTERS_A_TOKEN
        return answer

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts, counted. Raises ModelError."""
        self.calls += 1
        most = sum(map(len, texts)) // LETTERS_A_TOKEN
        found, begun = None, True
        try:
            found = await self.server.embed(model, texts, seconds=seconds)
        except ModelError as error:
            begun = error.begun or error.fault not in _UNASKED
            raise
        finally:
            if found is not None:
                # Some servers do not tell.
                self.prompt_tokens += found.tokens or most
            elif begun:
                self.estimated += most
        return found
