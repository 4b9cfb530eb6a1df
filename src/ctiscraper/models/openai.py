"""A server with OpenAI's routes for models, chats and vectors, whoever made it.

Held to what llama.cpp, vLLM and OpenAI have in common
(https://platform.openai.com/docs/api-reference).
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.http import Client
from ctiscraper.models.answering import Answer, most_bytes, tokens_of
from ctiscraper.models.faults import told
from ctiscraper.models.server import Completion, Embedded, Ending, Model, Prompt, Pulled
from ctiscraper.models.vectors import checked_vectors
from ctiscraper.models.wire import Missing, Wire, words_in

SHORT_SECONDS = 10.0
_INTERNAL = 500
_DATA = b"data:"
_END = b"[DONE]"
# The two names of the bound of an answer: what all know, and what OpenAI's newer models ask for.
_BOUND = "max_tokens"
_NEWER_BOUND = "max_completion_tokens"

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Card(msgspec.Struct):
    id: str
    # vLLM's name for it.
    max_model_len: Count | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: Count = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


class OpenAI:
    """One such server; an address without a path is taken to have its routes under /v1."""

    def __init__(self, client: Client, url: str, *, remote: bool, key: str = "") -> None:
        self._client = client
        base = url if urlsplit(url).path.strip("/") else f"{url}/v1"
        self._wire = Wire(client, base, name=f"the server at {url}", key=key)
        self._bound = _BOUND
        self.is_remote = remote

    @property
    def name(self) -> str:
        """What people read of it."""
        return self._wire.name

    async def version(self) -> str:
        """Return what it calls itself: the routes have no version. Raises ModelError."""
        _, headers = await self._wire.ask("/models", _Cards, seconds=SHORT_SECONDS)
        return f"OpenAI-compatible, {told(headers.get('server', '')) or 'unnamed'}"

    async def models(self) -> tuple[Model, ...]:
        """Return the models that it has, by name. Raises ModelError."""
        found, _ = await self._wire.ask("/models", _Cards, seconds=SHORT_SECONDS)
        cards = sorted(found.data, key=lambda card: card.id)
        return tuple(Model(name=card.id, context_tokens=card.max_model_len) for card in cards)

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        """Raise ModelError: these routes fetch nothing."""
        raise ModelError(
            ModelFault.REFUSED,
            f"{self.name} fetches no models: whoever runs it must give it {model!r}",
            transient=False,
        )
        yield Pulled(state="")  # what makes this a generator

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        """Return the answer; `said` is told each piece. Raises ModelError."""
        began = time.monotonic()
        try:
            return await self._chat(prompt, said, began)
        except ModelError as error:
            # Once it answers, these are the words of a model.
            if error.begun or self._bound == _NEWER_BOUND or _NEWER_BOUND not in error.detail:
                raise
        self._bound = _NEWER_BOUND
        return await self._chat(prompt, said, began)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        """Return the vectors of some texts. Raises ModelError."""
        if not texts:
            return Embedded(model=model, vectors=())
        found, _ = await self._wire.ask(
            "/embeddings",
            _Vectors,
            seconds=seconds,
            body={"model": model, "input": list(texts), "encoding_format": "float"},
            missing=self._lacking(model),
        )
        rows = sorted(found.data, key=lambda row: row.index)
        vectors = checked_vectors([row.embedding for row in rows], len(texts), self.name)
        tokens = found.usage.prompt_tokens if found.usage else 0
        return Embedded(model=model, vectors=vectors, tokens=tokens)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _chat(
        self, prompt: Prompt, said: Callable[[str], None] | None, began: float
    ) -> Completion:
        left = prompt.seconds - (time.monotonic() - began)
        answer = Answer(self.name, prompt.most_tokens, said)
        try:
            reason, usage = await self._talk(prompt, answer, max(left, 0.0))
        except ModelError as error:
            error.raw = self._wire.masked(error.raw or answer.text)
            raise
        return Completion(
            text=self._wire.masked(answer.text),
            ending=Ending.CUT_OFF if reason == "length" else Ending.WHOLE,
            model=prompt.model,
            prompt_tokens=usage.prompt_tokens
            or tokens_of("".join(message.text for message in prompt.messages)),
            answer_tokens=usage.completion_tokens or answer.pieces,
            seconds=time.monotonic() - began,
        )

    async def _talk(self, prompt: Prompt, answer: Answer, seconds: float) -> tuple[str, _Usage]:
        """Return why it ended and what it cost, the pieces gathered."""
        lacking = self._lacking(prompt.model)
        opened = self._wire.answer(
            "/chat/completions",
            seconds=seconds,
            body=self._asked(prompt),
            missing=lacking,
            most_bytes=most_bytes(prompt.most_tokens),
        )
        reason, usage = "", _Usage()
        async with opened as stream, aclosing(self._wire.lines(stream)) as lines:
            async for line in lines:
                event = _event(line)
                if event == _END:
                    break
                if not event:
                    continue
                chunk = self._wire.read(event, _Chunk)
                if chunk.error:
                    words = words_in(chunk.error)
                    raise self._wire.fault(_INTERNAL, words, lacking, amidst=answer.pieces > 0)
                usage = chunk.usage or usage
                for choice in chunk.choices[:1]:
                    reason = self._gathered(choice, answer) or reason
        if not reason:
            raise answer.ended_early()
        return reason, usage

    def _gathered(self, choice: _Choice, answer: Answer) -> str | None:
        answer.add(choice.delta.content or "")
        if choice.delta.refusal or choice.finish_reason == "content_filter":
            why = told(self._wire.masked(choice.delta.refusal or "its filter stopped the answer"))
            raise ModelError(
                ModelFault.REFUSED,
                f"{self.name} will not answer: {why}",
                transient=False,
                raw=answer.text or why,
            )
        return choice.finish_reason

    def _asked(self, prompt: Prompt) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": prompt.model,
            "messages": [{"role": m.speaker.value, "content": m.text} for m in prompt.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            self._bound: prompt.most_tokens,
            "seed": prompt.seed,
        }
        if self._bound == _BOUND:
            # The models that know only the newer bound take no temperature either.
            asked["temperature"] = prompt.temperature
        if prompt.schema is not None:
            shape = {"name": "answer", "strict": True, "schema": prompt.schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": shape}
        return asked

    def _lacking(self, model: str) -> Missing:
        return Missing(model, f"`ctiscraper model list` shows those it has, {model!r} is none")


def _event(line: bytes) -> bytes:
    """Return what a line of an event stream carries, if anything.

    A line that is none of the stream's fields is the error of a server that broke off.
    """
    if line.startswith(_DATA):
        return line.removeprefix(_DATA).strip()
    return line if line.startswith(b"{") else b""
