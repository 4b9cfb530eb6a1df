"""A server of models that cannot hold up whoever asks it: slots, deadlines and a breaker."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.breaker import Breaker
from ctiscraper.models.server import Completion, Embedded, Model, ModelServer, Prompt, Pulled
from ctiscraper.models.slots import PATIENCE, Slots
from ctiscraper.tracing import span

# What a server does to everyone who asks it, and not to one text or one model.
_SERVERS_OWN = frozenset({ModelFault.AWAY, ModelFault.BROKE_OFF, ModelFault.TIMEOUT})
# The exchange has its deadline; this is for what it does beside waiting.
_GRACE = 1.0
_SHORT = 15.0


class Guarded:
    """The same server, asked by at most so many at a time, within a time for the whole.

    Every fault is a ModelError. An open breaker answers at once, for the server; with `breaks`
    false there is none, for whoever asks as the queue in the database says.
    """

    def __init__(
        self,
        server: ModelServer,
        *,
        slots: int,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        breaker: Breaker | None = None,
        breaks: bool = True,
    ) -> None:
        self._server = server
        # Apart, so that a search by meaning does not wait for an analysis.
        self._chats = Slots(server.name, slots, patience=patience)
        self._embeddings = Slots(server.name, slots, patience=patience)
        self._breaker = (breaker or Breaker(clock)) if breaks else None
        self._last = ""

    @property
    def name(self) -> str:
        """What people read of it."""
        return self._server.name

    @property
    def is_remote(self) -> bool:
        """Whether what it is told leaves this machine and its private network."""
        return self._server.is_remote

    async def version(self) -> str:
        """Return what the server says it is. Raises ModelError."""
        async with self._in_time(_SHORT):
            return await self._server.version()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that it has. Raises ModelError."""
        async with self._in_time(_SHORT * 4):
            return await self._server.models()

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        """Yield how far the fetching of a model is; it takes no slot. Raises ModelError."""
        async with aclosing(self._server.pull(model)) as steps:  # type: ignore[type-var]  # generators, all of them
            async for step in steps:
                yield step

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer; `said` is told each piece as it comes. Raises ModelError."""
        failed: ModelError
        with span("chat", kind="client", **{"gen_ai.request.model": prompt.model}) as at:
            try:
                async with self._chats.one(), self._in_time(prompt.seconds):
                    done = await self._server.chat(prompt, said)
            except ModelError as error:
                # Its words may be of an article that is not for whoever keeps traces.
                at.fail(error.fault)
                failed = error
            else:
                at.set(
                    **{
                        "gen_ai.usage.input_tokens": done.prompt_tokens,
                        "gen_ai.usage.output_tokens": done.answer_tokens,
                    }
                )
                return done
        raise failed

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts. Raises ModelError."""
        async with self._embeddings.one(), self._in_time(seconds):
            return await self._server.embed(model, texts, seconds=seconds)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()

    @asynccontextmanager
    async def _in_time(self, seconds: float) -> AsyncIterator[None]:
        """Hold what is done within its time, unless the breaker is open. Raises ModelError."""
        if self._breaker is not None and (wait := self._breaker.wait()) > 0:
            raise ModelError(
                ModelFault.AWAY, f"{self.name} is let alone for {wait:.0f} s more: {self._last}"
            )
        counted = False
        try:
            async with asyncio.timeout(seconds + _GRACE):
                yield
            counted = self._tell(well=True)
        except TimeoutError as error:
            words = f"{self.name} gave no whole answer within {seconds:g} s"
            late = ModelError(ModelFault.TIMEOUT, words)
            counted = self._count(late)
            raise late from error
        except ModelError as error:
            counted = self._count(error)
            raise
        finally:
            if not counted and self._breaker is not None:
                # Whoever asked gave up, which says nothing of the server.
                self._breaker.forget()

    def _count(self, error: ModelError) -> bool:
        """Return whether an error tells how the server is."""
        if error.fault is ModelFault.BUSY:
            return False
        self._last = error.detail
        return self._tell(well=error.fault not in _SERVERS_OWN)

    def _tell(self, *, well: bool) -> bool:
        if self._breaker is not None:
            self._breaker.tell(well=well)
        return True
