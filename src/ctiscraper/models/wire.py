"""The exchanges with one server of models: JSON there and back, bounded, its faults named."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import msgspec

from ctiscraper.errors import FetchError, ModelError, ModelFault
from ctiscraper.http import Client, FetchLimits, Streamed
from ctiscraper.models.faults import as_told, on_the_way, told, unreadable
from ctiscraper.redaction import MASK

Read = TypeVar("Read")

# A list of models or vectors; an answer has a bound of its own.
MOST_BYTES = 16 << 20
MOST_ASKED = 8 << 20
MOST_LINE = 1 << 20
_MOST_FAULT = 64 * 1024
_SHOWN = 200
_OK = range(200, 300)
_JSON = "application/json"
# What a server that has begun to answer cannot be.
_OF_THE_SERVER = frozenset({ModelFault.BUSY, ModelFault.MODEL_MISSING})


class Missing(msgspec.Struct, frozen=True):
    """The model that an exchange is about, and what to do where a server lacks it."""

    model: str
    way_out: str


NOTHING = Missing("", "")


class Wire:
    """One server: where it is, and what it asks for."""

    def __init__(self, client: Client, url: str, *, name: str, key: str = "") -> None:
        self._client = client
        self._url = url.rstrip("/")
        self.name = name
        self._key = key
        self._headers = {"Accept": "application/json, application/x-ndjson, text/event-stream"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    async def ask(
        self,
        path: str,
        shape: type[Read],
        *,
        seconds: float,
        body: object = None,
        missing: Missing = NOTHING,
    ) -> tuple[Read, dict[str, str]]:
        """Return a whole answer of that shape, and its headers. Raises ModelError."""
        async with self.answer(path, seconds=seconds, body=body, missing=missing) as answer:
            return self.read(await answer.body(), shape), answer.headers

    @asynccontextmanager
    async def answer(
        self,
        path: str,
        *,
        seconds: float,
        body: object = None,
        missing: Missing = NOTHING,
        most_bytes: int = MOST_BYTES,
    ) -> AsyncIterator[Streamed]:
        """Yield a good answer, its body still to be read. Raises ModelError."""
        sent = None if body is None else self._written(body)
        headers = self._headers if sent is None else {**self._headers, "Content-Type": _JSON}
        limits = FetchLimits(max_bytes=most_bytes, seconds=seconds)
        opened = self._client.streamed(self._url + path, limits=limits, headers=headers, body=sent)
        begun = False
        try:
            async with opened as answer:
                if answer.status not in _OK:
                    raise await self._refusal(answer, missing)
                begun = True
                yield answer
        except FetchError as error:
            named = self._named(error, seconds)
            named.begun = begun
            raise named from error
        except ModelError as error:
            error.begun = error.begun or begun
            raise

    async def lines(self, answer: Streamed) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer that are not empty. Raises FetchError, ModelError."""
        held = bytearray()
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                held += piece
                *whole, held = held.split(b"\n")
                if len(held) > MOST_LINE:
                    raise unreadable(self.name, f"a line of more than {MOST_LINE} bytes")
                for line in filter(None, (line.strip() for line in whole)):
                    yield bytes(line)
        if held := held.strip():
            yield bytes(held)

    def read(self, data: bytes, shape: type[Read]) -> Read:
        """Return JSON as what it should be. Raises ModelError."""
        try:
            return msgspec.json.decode(data, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            start = self.masked(data[:_SHOWN].decode("utf-8", "replace"))
            why = f"what is not as agreed ({told(str(error))}): {told(start) or 'nothing'}"
            raise unreadable(self.name, why, start) from error

    def fault(
        self, status: int, words: str, missing: Missing, *, amidst: bool = False
    ) -> ModelError:
        """Return what a server's own words of an error mean, without our key in them.

        Those said `amidst` an answer may repeat it: they tell nothing of the server or its models.
        """
        masked = self.masked(words)
        found = as_told(
            status, masked, model=missing.model, server=self.name, way_out=missing.way_out
        )
        if amidst and found.fault in _OF_THE_SERVER:
            why = f"{self.name} failed amidst its answer: {told(masked)}"
            return ModelError(ModelFault.BROKE_OFF, why)
        return found

    def masked(self, words: str) -> str:
        """Return a server's words without our key, should it repeat it."""
        return words.replace(self._key, MASK) if self._key else words

    def _named(self, error: FetchError, seconds: float) -> ModelError:
        error.detail = self.masked(error.detail)
        return on_the_way(error, self.name, seconds)

    def _written(self, body: object) -> bytes:
        data = msgspec.json.encode(body)
        if len(data) > MOST_ASKED:
            raise ModelError(
                ModelFault.TOO_LONG,
                f"{len(data)} bytes are more than the {MOST_ASKED} that a model is given",
                transient=False,
            )
        return data

    async def _refusal(self, answer: Streamed, missing: Missing) -> ModelError:
        """Return what an answer with a bad status says; a long or broken one says nothing."""
        held = b""
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                held += piece
                if len(held) > _MOST_FAULT:
                    break
        return self.fault(answer.status, words_of(held), missing)


def words_of(data: bytes) -> str:
    """Return the message in the body of an error."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")
    return words_in(document.get("error", document) if isinstance(document, dict) else document)


def words_in(found: object) -> str:
    """Return the words of an error, whichever way they are wrapped."""
    if isinstance(found, dict):
        parts = [found.get(name) for name in ("message", "code", "type", "detail")]
        return " ".join(part for part in parts if isinstance(part, str))
    return found if isinstance(found, str) else str(found)
