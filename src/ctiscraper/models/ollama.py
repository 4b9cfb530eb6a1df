"""A server that speaks Ollama's own API (https://docs.ollama.com/api)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.http import Client
from ctiscraper.models.answering import Answer, most_bytes, tokens_of
from ctiscraper.models.faults import told, too_long, unreadable
from ctiscraper.models.server import (
    Completion,
    Embedded,
    Ending,
    Model,
    Prompt,
    Pulled,
    leaves,
)
from ctiscraper.models.vectors import checked_vectors
from ctiscraper.models.wire import Missing, Wire

SHORT_SECONDS = 10.0
PULL_SECONDS = 6 * 3600.0
# Somebody may give a name to another model meanwhile.
KNOWN_SECONDS = 300.0
# Ollama tells of each part of a model several times a second while bytes come.
PULL_SILENCE = 120.0
_PULL_BYTES = 64 << 20
_MOST_SHOWN = 32
_INTERNAL = 500

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Version(msgspec.Struct):
    version: str


class _Tag(msgspec.Struct):
    name: str
    digest: str = ""
    size: Count = 0


class _Tags(msgspec.Struct):
    models: list[_Tag] | None = None


class _Shown(msgspec.Struct):
    model_info: dict[str, Any] = {}
    remote_host: str = ""
    remote_model: str = ""


class _Said(msgspec.Struct):
    content: str = ""


class _Line(msgspec.Struct):
    """One line of a chat: a piece of the answer, its end with the counts, or an error."""

    message: _Said | None = None
    done: bool = False
    done_reason: str = ""
    prompt_eval_count: Count = 0
    eval_count: Count = 0
    error: str = ""


class _Step(msgspec.Struct):
    status: str = ""
    completed: Count = 0
    total: Count = 0
    error: str = ""


class _Vectors(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: Count = 0


class Ollama:
    """One Ollama; nothing is asked before the first call."""

    def __init__(self, client: Client, url: str, *, remote: bool, key: str = "") -> None:
        self._client = client
        self._wire = Wire(client, url, name=f"Ollama at {url}", key=key)
        self.is_remote = remote
        self._stays_until: dict[str, float] = {}

    @property
    def name(self) -> str:
        """What people read of it."""
        return self._wire.name

    async def version(self) -> str:
        """Return the version that it says it is. Raises ModelError."""
        found, _ = await self._wire.ask("/api/version", _Version, seconds=SHORT_SECONDS)
        return f"Ollama {told(found.version)}"

    async def models(self) -> tuple[Model, ...]:
        """Return the models that it has, by name. Raises ModelError."""
        found, _ = await self._wire.ask("/api/tags", _Tags, seconds=SHORT_SECONDS)
        tags = sorted(found.models or (), key=lambda tag: tag.name)
        contexts = [await self._context(tag.name) for tag in tags[:_MOST_SHOWN]]
        contexts += [None] * (len(tags) - len(contexts))
        return tuple(
            Model(name=tag.name, digest=tag.digest, size=tag.size, context_tokens=context)
            for tag, context in zip(tags, contexts, strict=True)
        )

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        """Yield how far the fetching of a model is. Raises ModelError."""
        unknown = Missing(model, "its registry has none of this name: see ollama.com/library")
        opened = self._wire.answer(
            "/api/pull",
            seconds=PULL_SECONDS,
            body={"model": model, "stream": True},
            missing=unknown,
            most_bytes=_PULL_BYTES,
        )
        step = _Step()
        async with opened as answer, aclosing(self._wire.lines(answer)) as lines:
            while (line := await self._next(lines)) is not None:
                step = self._wire.read(line, _Step)
                if step.error:
                    raise self._wire.fault(_INTERNAL, step.error, unknown)
                yield Pulled(state=told(step.status), done=step.completed, total=step.total)
        if step.status != "success":
            raise ModelError(
                ModelFault.AWAY, f"{self.name} ended before it had {model!r}: ask it again"
            )

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer; `said` is told each piece. Raises ModelError."""
        began = time.monotonic()
        await self._must_stay(prompt.model, prompt.seconds)
        answer = Answer(self.name, prompt.most_tokens, said)
        try:
            end = await self._talk(prompt, answer)
        except ModelError as error:
            error.raw = self._wire.masked(error.raw or answer.text)
            raise
        context = prompt.context_tokens
        if context is not None and end.prompt_eval_count >= context:
            cut = too_long(prompt.model, f"{end.prompt_eval_count} tokens of {context}")
            cut.begun = True
            cut.tokens = end.prompt_eval_count + (end.eval_count or answer.pieces)
            raise cut
        return Completion(
            text=self._wire.masked(answer.text),
            ending=Ending.CUT_OFF if end.done_reason == "length" else Ending.WHOLE,
            model=prompt.model,
            prompt_tokens=end.prompt_eval_count
            or tokens_of("".join(message.text for message in prompt.messages)),
            answer_tokens=end.eval_count or answer.pieces,
            seconds=time.monotonic() - began,
        )

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts; a text too long is refused, not cut."""
        if not texts:
            return Embedded(model=model, vectors=())
        await self._must_stay(model, seconds)
        body = {"model": model, "input": list(texts), "truncate": False}
        found, _ = await self._wire.ask(
            "/api/embed", _Vectors, seconds=seconds, body=body, missing=_lacking(model)
        )
        vectors = checked_vectors(found.embeddings, len(texts), self.name)
        return Embedded(model=model, vectors=vectors, tokens=found.prompt_eval_count)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _must_stay(self, model: str, seconds: float) -> None:
        """Raise ModelError where a model is another server's, and its name does not say so.

        By its name it is known to everybody whether a text may go there.
        """
        if leaves(self, model):
            return
        now = time.monotonic()
        if now < self._stays_until.get(model, 0.0):
            return
        found, _ = await self._wire.ask(
            "/api/show", _Shown, seconds=seconds, body={"model": model}, missing=_lacking(model)
        )
        if found.remote_host:
            raise ModelError(ModelFault.REFUSED, f"{self.name} {_passed_on(model, found)}")
        self._stays_until[model] = now + KNOWN_SECONDS

    async def _context(self, model: str) -> int | None:
        """Return how many tokens a model can take in, None where the server does not say."""
        try:
            found, _ = await self._wire.ask(
                "/api/show", _Shown, seconds=SHORT_SECONDS, body={"model": model}
            )
        except ModelError:
            return None
        for name, value in found.model_info.items():
            if name.endswith(".context_length") and isinstance(value, int):
                return value
        return None

    async def _talk(self, prompt: Prompt, answer: Answer) -> _Line:
        """Return the last line, the pieces before it gathered."""
        lacking = _lacking(prompt.model)
        opened = self._wire.answer(
            "/api/chat",
            seconds=prompt.seconds,
            body=_asked(prompt, is_remote=leaves(self, prompt.model)),
            missing=lacking,
            most_bytes=most_bytes(prompt.most_tokens),
        )
        async with opened as stream, aclosing(self._wire.lines(stream)) as lines:
            async for line in lines:
                read = self._wire.read(line, _Line)
                if read.error:
                    amidst = answer.pieces > 0
                    raise self._wire.fault(_INTERNAL, read.error, lacking, amidst=amidst)
                if read.message is None and not read.done:
                    raise unreadable(self.name, "a line that says nothing")
                answer.add(read.message.content if read.message else "")
                if read.done:
                    return read
        raise answer.ended_early()

    async def _next(self, lines: AsyncIterator[bytes]) -> bytes | None:
        """Return the next line of a pull, None at the end. Raises ModelError."""
        try:
            async with asyncio.timeout(PULL_SILENCE):
                return await anext(lines, None)
        except TimeoutError as error:
            raise ModelError(
                ModelFault.TIMEOUT, f"{self.name} said nothing for {PULL_SILENCE:g} s"
            ) from error


def _asked(prompt: Prompt, *, is_remote: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_predict": prompt.most_tokens,
        "temperature": prompt.temperature,
        "seed": prompt.seed,
    }
    if prompt.context_tokens is not None:
        options["num_ctx"] = prompt.context_tokens
    asked: dict[str, Any] = {
        "model": prompt.model,
        "messages": [{"role": m.speaker.value, "content": m.text} for m in prompt.messages],
        "stream": True,
        "options": options,
        # A text too long is refused instead of cut in silence, by versions that know these.
        "truncate": False,
        "shift": False,
        "think": False,
    }
    # Ollama makes a grammar of a schema and keeps it from the model. Who answers far away may not.
    schema = prompt.schema if is_remote or prompt.narrow is None else prompt.narrow
    if schema is not None:
        asked["format"] = schema
    return asked


def _passed_on(model: str, shown: _Shown) -> str:
    name = shown.remote_model
    there = f"{name}{'-' if ':' in name else ':'}cloud" if name else "it ends in -cloud"
    return (
        f"passes {told(model)!r} on to {told(shown.remote_host)}, and by this name nobody sees that"
        f" texts leave your network: name it as it is called there ({told(there)}), or use a model"
        " of your own"
    )


def _lacking(model: str) -> Missing:
    return Missing(model, f"`ollama pull {model}` there, or `ctiscraper model pull {model}`")
