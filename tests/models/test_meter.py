"""What asking costs is counted at the answers themselves, and estimated where none came."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from answering import ScriptedServer
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.meter import Metered
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.server import Embedded, Message, Prompt, Speaker
from evil_model import LONG, Reply, error, evil_server, ollama_says
from loopback import reply
from models_at import client_of

ASKED = Prompt(model="m", messages=(Message(Speaker.USER, "x" * 300),), most_tokens=10, seconds=1.0)


def _said(words: str) -> bytes:
    return json.dumps({"message": {"content": words}}).encode() + b"\n"


async def test_every_answer_is_counted() -> None:
    metered = Metered(ScriptedServer())
    for _ in range(3):
        await metered.chat(ASKED)
    assert (metered.prompt_tokens, metered.answer_tokens, metered.calls) == (300, 60, 3)
    assert (metered.estimated, metered.said) == (0, 6)


@pytest.mark.parametrize(
    ("fault", "estimated"),
    [
        (ModelFault.TIMEOUT, 100),
        (ModelFault.BROKE_OFF, 100),
        (ModelFault.AWAY, 0),
        (ModelFault.MODEL_MISSING, 0),
    ],
)
async def test_what_may_have_been_read_is_estimated(fault: ModelFault, estimated: int) -> None:
    metered = Metered(ScriptedServer(fault=ModelError(fault)))
    with pytest.raises(ModelError):
        await metered.chat(ASKED)
    assert (metered.estimated, metered.prompt_tokens, metered.calls) == (estimated, 0, 1)


@pytest.mark.parametrize(
    ("begun", "tokens", "estimated"), [(True, 0, 100), (True, 612, 612), (False, 0, 0)]
)
async def test_what_had_begun_counts_whatever_it_ended_with(
    begun: bool, tokens: int, estimated: int
) -> None:
    told = ModelError(ModelFault.TOO_LONG)
    told.begun, told.tokens = begun, tokens
    metered = Metered(ScriptedServer(fault=told))
    with pytest.raises(ModelError):
        await metered.chat(ASKED)
    assert metered.estimated == estimated


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        # What the server counted itself, what was said before it broke off, and what never began.
        (ollama_says("a", prompt=512), 513, 513),
        (reply(_said("so far ") * 30), 170, 170),
        (reply(_said("so") + b'{"error":"signal: killed"}\n'), 100, 101),
        (error(500, "runner exploded"), 100, 100),
        (error(400, LONG), 0, 0),
        (error(404, "model 'm' not found"), 0, 0),
        (reply(b"Bad Gateway", status=502), 0, 0),
        (reply(b"Gateway Timeout", status=504), 100, 100),
    ],
    ids=[
        "cut in silence",
        "broke off",
        "killed",
        "failed",
        "refused as too long",
        "no model",
        "gateway",
        "waited in vain",
    ],
)
async def test_what_a_real_server_had_begun_counts(answer: Reply, least: int, most: int) -> None:
    async with evil_server() as evil:
        evil.answer = answer
        metered = Metered(Ollama(client_of(evil.url), evil.url, remote=False))
        with pytest.raises(ModelError):
            await metered.chat(replace(ASKED, seconds=10.0, context_tokens=512))
        assert least <= metered.estimated <= most
        await metered.close()


@dataclass
class Vectors(ScriptedServer):
    """A server that fails to give vectors, or does not tell what they cost."""

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        del model, seconds
        if self.fault is not None:
            raise self.fault
        return Embedded(model="m", vectors=((1.0,),) * len(texts))


@pytest.mark.parametrize(
    ("fault", "told", "estimated"),
    [
        (None, 40, 0),
        (ModelFault.TIMEOUT, 0, 40),
        (ModelFault.BROKE_OFF, 0, 40),
        (ModelFault.AWAY, 0, 0),
        (ModelFault.BUSY, 0, 0),
    ],
)
async def test_vectors_whose_cost_nobody_tells_are_estimated(
    fault: ModelFault | None, told: int, estimated: int
) -> None:
    metered = Metered(Vectors(fault=ModelError(fault) if fault else None))
    with suppress(ModelError):
        await metered.embed("m", ["x" * 60, "y" * 60], seconds=1)
    assert (metered.prompt_tokens, metered.estimated, metered.calls) == (told, estimated, 1)


async def test_the_rest_is_the_servers_own() -> None:
    server = ScriptedServer(is_remote=True)
    metered = Metered(server)
    assert (metered.name, metered.is_remote) == ("scripted", True)
    assert await metered.version() == "scripted 1"
    assert [one.name for one in await metered.models()] == ["small", "large"]
    assert (await metered.embed("m", ["a", "b"], seconds=1)).tokens == 2
    assert metered.prompt_tokens == 2
    assert [step.state async for step in metered.pull("m")] == ["m is here"]
    await metered.close()
