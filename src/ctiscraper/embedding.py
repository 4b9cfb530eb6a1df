"""Vectors of all texts: who makes them, and the work of making them, a little at a time."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np

from ctiscraper.analysis.marking import marking
from ctiscraper.db.passages import (
    MOST_ATTEMPTS,
    RENEW_SECONDS,
    EmbeddedPassage,
    EmbeddedText,
    EmbeddingProgress,
    Passages,
    WaitingText,
    Walk,
)
from ctiscraper.db.vector_index import VectorModel
from ctiscraper.embed.embedder import Embedder
from ctiscraper.embed.weights import Floats
from ctiscraper.errors import ModelError, ModelFault, StorageError
from ctiscraper.loop import alongside, to_its_end
from ctiscraper.models.probe import among
from ctiscraper.models.server import ModelServer
from ctiscraper.types import Tlp

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ctiscraper.embed.passages import Passage

BATCH = 4
"""Texts that are claimed at a time."""

# Who stops meanwhile is ended by force before.
GIVE_BACK_TRIES = 10
GIVE_BACK_SECONDS = 3.0
# After so many a text is worked on by itself: whoever is claimed beside one that ends its process
# pays with it.
_SUSPECT_ATTEMPTS = 2

MOST_PASSAGES = 400
"""Passages of one text; what comes after them is found by its words alone."""

LONGEST_TEXT = 400_000
"""Characters of a text that passages are made of."""

_LONGEST_TITLE = 200
_SERVED_SECONDS = 60.0
_SERVED_AT_ONCE = 32
# A server may have another model by this name meanwhile.
KNOWN_SECONDS = 300.0
# Nobody waits for a server that is away at each page of similar articles.
ASK_AGAIN_SECONDS = 30.0
# Of the model that comes along, fitted to half of the bundled questions (bench/retrieval.py --fit):
# what has nothing to do with a question lies below the one, what does not answer it the other.
_BUILTIN_FLOOR = 0.25
_BUILTIN_SUPPORT = 0.45

# Faults that a text has with any server: asking again would not help it.
_ITS_OWN = frozenset({ModelFault.TOO_LONG, ModelFault.BAD_ANSWER})
# Faults that a text may have caused, of a server that gave vectors just before: behind a gateway
# one that a text has crashed looks as if it were away.
_PERHAPS_ITS_OWN = frozenset(
    {ModelFault.AWAY, ModelFault.BROKE_OFF, ModelFault.TIMEOUT, ModelFault.OUT_OF_MEMORY}
)
_PROBE = "a text"


class BuiltinEmbedder:
    """The model that comes along, loaded when the first text is given."""

    floor = _BUILTIN_FLOOR
    support = _BUILTIN_SUPPORT

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Keep its graph in a folder."""
        self._folder, self._threads = folder, threads
        self._model: Any = None
        self._loading = asyncio.Lock()

    async def identity(self) -> tuple[str, str]:
        """Return name and version, without loading it."""
        module = await asyncio.to_thread(import_module, "ctiscraper.embed.minilm")
        return module.NAME, f"{module.VERSION}/{await _cut_version()}"

    async def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row of length one for each text. Raises SettingsError."""
        async with self._loading:
            if self._model is None:
                # Its libraries cost 60 MB: only who makes vectors has them.
                module = await asyncio.to_thread(import_module, "ctiscraper.embed.minilm")
                self._model = await asyncio.to_thread(
                    module.MiniLM, self._folder, threads=self._threads
                )
            model = self._model
        found: Floats = await asyncio.to_thread(model.embed, texts)
        return found


class ServedEmbedder:
    """A model of vectors at a server of models."""

    # Each model spreads its vectors in its own way: nothing can be said of all.
    floor = 0.0
    support = None

    def __init__(self, server: ModelServer, model: str) -> None:
        self.server, self._model = server, model
        self._version, self._known_until = "", 0.0
        self._begun: tuple[bytes, list[tuple[float, ...]]] = (b"", [])

    async def identity(self) -> tuple[str, str]:
        """Return name and version, the latter by the model's digest where it has one.

        The server is asked again after a while, and until it has the model; where it does not
        answer then, what it had is what was made by it. Raises ModelError.
        """
        now = time.monotonic()
        if not self._version or now >= self._known_until:
            try:
                found = among(await self.server.models(), self._model)
            except ModelError:
                if not self._version:
                    raise
                self._known_until = now + ASK_AGAIN_SECONDS
                return self._model, self._version
            version = f"{((found and found.digest) or '1')[:19]}/{await _cut_version()}"
            if found is None:
                return self._model, version
            self._version, self._known_until = version, now + KNOWN_SECONDS
        return self._model, self._version

    async def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row of length one for each text. Raises ModelError.

        What was broken off last goes on where it was: it has been paid for.
        """
        of_one_model = "\0".join((self._version, *texts))
        key = hashlib.sha256(of_one_model.encode("utf-8", "replace")).digest()
        rows = list(self._begun[1]) if self._begun[0] == key else []
        try:
            for start in range(len(rows), len(texts), _SERVED_AT_ONCE):
                given = texts[start : start + _SERVED_AT_ONCE]
                found = await self.server.embed(self._model, given, seconds=_SERVED_SECONDS)
                rows += _one_each(found.vectors, len(given))
        except ModelError:
            if rows:
                self._begun = (key, rows)
            raise
        if self._begun[0] == key:
            self._begun = (b"", [])
        return _checked(rows)


def _is_its_own(error: ModelError) -> bool:
    """Whether a text has a fault whenever it is asked about."""
    refused = error.fault is ModelFault.REFUSED and not error.transient
    return refused or error.fault in _ITS_OWN


async def _cut_version() -> str:
    module = await asyncio.to_thread(import_module, "ctiscraper.embed.passages")
    return str(module.VERSION)


def _one_each(rows: Sequence[tuple[float, ...]], count: int) -> Sequence[tuple[float, ...]]:
    if len(rows) != count:
        raise ModelError(ModelFault.BAD_ANSWER, "the vectors are not one for each text")
    return rows


def _checked(rows: Sequence[Sequence[float]]) -> Floats:
    """Return the vectors of a server with length one. Raises ModelError for what are none."""
    if len({len(row) for row in rows}) > 1 or not all(rows):
        raise ModelError(ModelFault.BAD_ANSWER, "the vectors are not one for each text")
    matrix = np.array(rows, np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(matrix).all() or not lengths.all():
        raise ModelError(ModelFault.BAD_ANSWER, "a vector has no length")
    return np.asarray(matrix / lengths, np.float32)


@dataclass(slots=True)
class Embedding:
    """The work of one process: texts without passages get theirs, the newest first.

    `seeker` is the same model for what somebody searches for, where that has rights of its own.
    """

    passages: Passages
    embedder: Embedder
    seeker: Embedder | None = None
    owner: UUID = field(default_factory=uuid4)
    _walk: Walk = field(default_factory=Walk)
    _model: VectorModel | None = None
    _tokenizer: "Tokenizer | None" = None
    # Whether the last that it was given had its vectors.
    _is_well: bool = False

    async def model(self) -> VectorModel:
        """Return the model as the database knows it. Raises ModelError and SettingsError."""
        name, version = await self.embedder.identity()
        found = await self._known(name, version)
        if found is None:
            probe = await self.embedder.embed([_PROBE])
            found = await self.passages.model(name, version, probe.shape[1])
        self._model = found
        return found

    async def embed_some(self, *, limit: int = BATCH) -> int:
        """Return how many texts were given their passages; 0 where a look found none.

        A look goes one step further back; `is_over` tells when it has seen all texts. What a
        process held that was killed is another's after a minute. A text that made the server fail
        is put off, and others go on.

        Raises ModelError, SettingsError and StorageError.
        """
        model = await self.model()
        texts = await self.passages.claim(model, self.owner, self._walk, limit=limit)
        if not texts:
            return 0
        suspects = [text for text in texts if text.attempts >= _SUSPECT_ATTEMPTS]
        chosen = suspects[:1] or texts
        async with alongside(self._renew(model, texts)):
            await self._embed_all(model, texts, chosen)
        return len(chosen)

    async def _embed_all(
        self, model: VectorModel, texts: Sequence[WaitingText], chosen: Sequence[WaitingText]
    ) -> None:
        """Give the chosen ones of these passages; the others, and what is cut off, go back."""
        done = 0
        try:
            if others := [text for text in texts if text not in chosen]:
                await self.passages.give_back(model, self.owner, others)
            for text in chosen:
                made = await self._embed(text)
                if made is None:
                    done += await self.passages.put_off(model, self.owner, text)
                else:
                    done += await self.passages.keep(model, self.owner, made)
        finally:
            if done < len(texts):
                await to_its_end(self._give_back(model, texts))

    async def _give_back(self, model: VectorModel, texts: Sequence[WaitingText]) -> None:
        """Give texts back, also after an outage: none of them is to pay for that."""
        for _ in range(GIVE_BACK_TRIES - 1):
            try:
                return await self.passages.give_back(model, self.owner, texts)
            except StorageError:
                await asyncio.sleep(GIVE_BACK_SECONDS)
        return await self.passages.give_back(model, self.owner, texts)

    async def _renew(self, model: VectorModel, texts: Sequence[WaitingText]) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            # What cannot be renewed now may be at the next time, or is another's then.
            with contextlib.suppress(StorageError):
                await self.passages.renew(model, self.owner, texts)

    @property
    def is_over(self) -> bool:
        """Whether the last look was at the oldest texts."""
        return self._walk.below == 0

    async def embed_all(
        self, *, most: int | None = None, told: Callable[[int], None] | None = None
    ) -> int:
        """Give all texts their passages, or `most` of them; return how many. Raises as above."""
        done = 0
        while most is None or done < most:
            room = BATCH if most is None else min(BATCH, most - done)
            found = await self.embed_some(limit=room)
            done += found
            if told is not None and found:
                told(done)
            if not found and self.is_over:
                break
        else:
            return done
        while await self.passages.tidy(await self.model()):
            pass
        return done

    async def known(self) -> VectorModel | None:
        """Return the model as the database knows it, None where it has made nothing yet."""
        return await self._known(*await self.embedder.identity())

    async def _known(self, name: str, version: str) -> VectorModel | None:
        held = self._model
        if held is not None and (held.name, held.version) == (name, version):
            return held
        return await self.passages.known(name, version)

    async def progress(self) -> EmbeddingProgress | None:
        """Return how far it is, None where no text was ever looked at by this model."""
        found = await self.known()
        return None if found is None else await self.passages.progress(found)

    async def _embed(self, text: WaitingText) -> EmbeddedText | None:
        """Return the passages of a text with their vectors, None where it is to be put off."""
        if text.attempts > MOST_ATTEMPTS:
            return EmbeddedText(text=text, failure="its passages ended their process each time")
        if self._is_withheld(text):
            return EmbeddedText(text=text, withheld=marking(text.title, text.text))
        found = (await self._cut(text.text[:LONGEST_TEXT]))[:MOST_PASSAGES]
        if not found:
            return EmbeddedText(text=text)
        title = " ".join(text.title.split())[:_LONGEST_TITLE]
        await self._see_that_it_is_well()
        try:
            vectors = await self.embedder.embed(
                [f"{title}\n{text.text[one.start : one.end]}" for one in found]
            )
        except ModelError as error:
            self._is_well = False
            if not _is_its_own(error) and not await self._is_perhaps_its_own(error):
                raise
            if not _is_its_own(error) and text.attempts < MOST_ATTEMPTS:
                return None
            return EmbeddedText(text=text, failure=str(error))
        return EmbeddedText(
            text=text,
            passages=[
                EmbeddedPassage(start=one.start, end=one.end, vector=vector)
                for one, vector in zip(found, vectors, strict=True)
            ],
        )

    async def _is_perhaps_its_own(self, error: ModelError) -> bool:
        """Whether a text may have caused a fault. Raises ModelError where others have it too."""
        if error.fault is ModelFault.REFUSED:
            # What stands before a server may refuse the words of one text, but no text a key.
            await self._see_that_it_is_well()
            return True
        return error.fault in _PERHAPS_ITS_OWN

    async def _see_that_it_is_well(self) -> None:
        """Raise ModelError where even a few words have no vector: that is no fault of a text."""
        if not self._is_well:
            await self.embedder.embed([_PROBE])
            self._is_well = True

    def _is_withheld(self, text: WaitingText) -> bool:
        """Whether a text is marked so that it may not go to the model, by the whole of it."""
        ceiling = self.passages.ceiling
        if ceiling is Tlp.RED:
            return False
        return marking(text.title, text.text, least=text.tlp).exceeds(ceiling)

    async def _cut(self, text: str) -> "list[Passage]":
        module: Any = await asyncio.to_thread(import_module, "ctiscraper.embed.passages")
        if self._tokenizer is None:
            minilm = await asyncio.to_thread(import_module, "ctiscraper.embed.minilm")
            self._tokenizer = await asyncio.to_thread(minilm.open_tokenizer)
        found: list[Passage] = await asyncio.to_thread(module.passages_of, self._tokenizer, text)
        return found
