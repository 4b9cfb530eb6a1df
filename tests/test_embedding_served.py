"""Vectors by a server of models: which model it has by a name, and what it broke off."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from ctiscraper import embedding
from ctiscraper.db.passages import Passages
from ctiscraper.embedding import Embedding, ServedEmbedder
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import Embedded, Model
from db.conftest import stage as stage  # noqa: PLC0414 - a fixture
from db.stage import Stage


@dataclass
class Server:
    """Gives each text a vector of its length and its first letter, as long as it may."""

    digest: str = "sha256:0123456789abcdef"
    has: tuple[str, ...] = ("nomic:latest",)
    may: int = 1_000
    asked: list[str] = field(default_factory=list)
    looks: int = 0
    away: bool = False
    name: str = "a server"
    is_remote: bool = False

    async def models(self) -> tuple[Model, ...]:
        self.looks += 1
        if self.away:
            raise ModelError(ModelFault.AWAY, "nobody answers")
        return tuple(Model(name=name, digest=self.digest) for name in self.has)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        assert seconds > 0
        if len(texts) > self.may:
            raise ModelError(ModelFault.OVER_BUDGET, "the day is spent")
        self.may -= len(texts)
        self.asked += texts
        vectors = tuple((float(len(text)), float(ord(text[0]))) for text in texts)
        return Embedded(model=model, vectors=vectors)


def embedder_of(server: Server) -> ServedEmbedder:
    return ServedEmbedder(server, "nomic")  # type: ignore[arg-type]  # what it is asked for here


async def test_a_model_that_comes_later_is_known_by_its_own_digest() -> None:
    server = Server(has=())
    embedder = embedder_of(server)
    assert await embedder.identity() == ("nomic", "1/1")
    server.has = ("nomic:latest",)
    for _ in range(3):
        assert await embedder.identity() == ("nomic", "sha256:0123456789ab/1")
    assert server.looks == 2


async def test_another_model_by_the_same_name_is_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    work = Embedding(Passages(stage.database), embedder_of(server))
    first = await work.model()
    assert await work.known() == first
    server.digest = "sha256:fedcba9876543210"
    assert await work.known() == first, "it is asked every few minutes"
    monkeypatch.setattr(embedding, "KNOWN_SECONDS", 0.0)
    work.embedder = embedder_of(server)
    assert await work.known() is None, "nothing was made by it yet"
    second = await work.model()
    assert (second.version, first.version) == ("sha256:fedcba987654/1", "sha256:0123456789ab/1")
    assert await work.known() == second


async def test_a_text_that_a_budget_breaks_off_goes_on_where_it_was() -> None:
    server = Server(may=70)
    embedder = embedder_of(server)
    texts = [f"{chr(97 + at % 26)}{'x' * at}" for at in range(100)]
    for _ in range(3):
        with pytest.raises(ModelError, match="the day is spent"):
            await embedder.embed(texts)
    assert server.asked == texts[:64]
    server.may = 1_000
    assert (await embedder.embed(["a probe"])).shape == (1, 2)
    found = await embedder.embed(texts)
    assert server.asked == [*texts[:64], "a probe", *texts[64:]]
    whole = await embedder_of(Server()).embed(texts)
    assert np.array_equal(found, whole)
    await embedder.embed(texts)
    assert len(server.asked) == 201, "what was given is not kept"


async def test_what_a_server_made_is_known_while_it_is_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "KNOWN_SECONDS", 0.0)
    server = Server()
    work = Embedding(Passages(stage.database), embedder_of(server))
    made = await work.model()
    server.away = True
    looks = server.looks
    for _ in range(3):
        assert await work.known() == made
    assert server.looks == looks + 1, "it is let be for a while"
    monkeypatch.setattr(embedding, "ASK_AGAIN_SECONDS", 0.0)
    work.embedder = embedder_of(server)
    with pytest.raises(ModelError, match="nobody answers"):
        await work.known()


async def test_vectors_of_two_models_are_never_put_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding, "KNOWN_SECONDS", 0.0)
    server = Server(may=40)
    embedder = embedder_of(server)
    texts = [f"text {at}" for at in range(40)]
    server.may = 32
    await embedder.identity()
    with pytest.raises(ModelError, match="the day is spent"):
        await embedder.embed(texts)
    server.may, server.digest = 1_000, "sha256:fedcba9876543210"
    await embedder.identity()
    await embedder.embed(texts)
    assert server.asked == [*texts[:32], *texts]
