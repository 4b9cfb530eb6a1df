"""A try of a server says what is wrong with it, or what it cost."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.probe import among, probed
from ctiscraper.models.server import Model
from evil_model import EvilServer, evil_server, ollama_says
from loopback import Asked, reply
from models_at import client_of
from small_model import CONTEXT, SMALL_MODEL


@pytest_asyncio.fixture
async def evil() -> AsyncIterator[EvilServer]:
    async with evil_server() as running:
        yield running


async def test_a_real_one_answers_as_the_schema_wants(small_model: str) -> None:
    server = Ollama(client_of(small_model), small_model, remote=False)
    found = await probed(server, SMALL_MODEL, seconds=60)
    assert (found.version, found.model, found.remote) == ("Ollama 0.12.6", SMALL_MODEL, False)
    assert found.context_tokens == CONTEXT
    assert 0 < found.answer_tokens <= 64
    assert found.seconds > 0
    with pytest.raises(ModelError, match="`ollama pull nobody:1b` there") as caught:
        await probed(server, "nobody:1b", seconds=60)
    assert caught.value.fault is ModelFault.MODEL_MISSING
    with pytest.raises(ModelError, match="set CTISCRAPER_MODEL") as caught:
        await probed(server, "", seconds=60)
    await server.close()


@pytest.mark.parametrize("text", ["Yes!", '{"hostile": "very"}', '{"hostile": true, "x": 1}', "{}"])
async def test_a_model_that_keeps_to_no_schema_is_of_no_use(evil: EvilServer, text: str) -> None:
    replies = {
        "/api/version": reply(b'{"version": "0.1.0"}'),
        "/api/tags": reply(b'{"models": [{"name": "loose:latest"}]}'),
        "/api/chat": ollama_says(text),
    }

    async def route(request: Asked, writer: object) -> None:
        writer.write(replies.get(request.path, reply(b"{}", status=404)))  # type: ignore[attr-defined]  # a stream

    evil.answer = route
    server = Ollama(client_of(evil.url), evil.url, remote=False)
    with pytest.raises(ModelError, match="JSON schema") as caught:
        await probed(server, "loose", seconds=20)
    assert (caught.value.fault, caught.value.raw) == (ModelFault.BAD_ANSWER, text)
    await server.close()


def test_latest_need_not_be_said() -> None:
    models = (Model(name="a:latest"), Model(name="b:1b"))
    assert among(models, "a") == among(models, "a:latest") == models[0]
    assert among(models, "b:1b") == models[1]
    assert among(models, "b") is None
