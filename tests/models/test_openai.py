"""OpenAI's routes, as llama.cpp speaks them with a real small model."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.openai import OpenAI
from ctiscraper.models.server import Ending, Model
from evil_model import EvilServer, evil_server, openai_says
from loopback import reply
from models_at import client_of, said_to
from small_model import SMALL_MODEL

SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture
async def server(small_model: str) -> AsyncIterator[OpenAI]:
    made = OpenAI(client_of(small_model), small_model, remote=False)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def evil() -> AsyncIterator[EvilServer]:
    async with evil_server() as running:
        yield running


def openai_at(evil: EvilServer, path: str = "", key: str = "") -> OpenAI:
    """The product's way to it."""
    return OpenAI(client_of(evil.url), evil.url + path, remote=True, key=key)


async def test_it_says_what_it_is_and_has(server: OpenAI, small_model: str) -> None:
    assert server.name == f"the server at {small_model}"
    assert await server.version() == "OpenAI-compatible, uvicorn"
    assert await server.models() == (Model(name=SMALL_MODEL),)


async def test_a_schema_is_followed_and_pieces_come_as_they_are_said(server: OpenAI) -> None:
    pieces: list[str] = []
    prompt = said_to(SMALL_MODEL, "Is water wet?", schema=SCHEMA, most_tokens=32)
    done = await server.chat(prompt, pieces.append)
    assert set(json.loads(done.text)) == {"yes"}
    assert "".join(pieces) == done.text
    assert len(pieces) > 1
    assert done.ending is Ending.WHOLE
    assert done.prompt_tokens > 4
    assert 0 < done.answer_tokens < 33


async def test_an_answer_past_its_bound_is_said_to_be_cut(server: OpenAI) -> None:
    done = await server.chat(said_to(SMALL_MODEL, "Count from one to ten.", most_tokens=3))
    assert (done.ending, done.answer_tokens) == (Ending.CUT_OFF, 3)


async def test_what_is_missing_or_too_long_is_named(server: OpenAI) -> None:
    with pytest.raises(ModelError) as caught:
        await server.chat(said_to("nobody:1b", "?"))
    assert caught.value.fault is ModelFault.MODEL_MISSING
    assert "ctiscraper model list" in caught.value.detail
    with pytest.raises(ModelError) as caught:
        await server.chat(said_to(SMALL_MODEL, "word " * 9_000))
    assert caught.value.fault is ModelFault.TOO_LONG


async def test_vectors_come_one_for_each_text(server: OpenAI) -> None:
    assert (await server.embed(SMALL_MODEL, [], seconds=5)).vectors == ()
    found = await server.embed(SMALL_MODEL, ["one", "two", "three"], seconds=60)
    assert [len(vector) for vector in found.vectors] == [576] * 3
    assert found.tokens >= 3


async def test_it_fetches_no_models(server: OpenAI) -> None:
    with pytest.raises(ModelError, match="fetches no models") as caught:
        _ = [step async for step in server.pull(SMALL_MODEL)]
    assert caught.value.fault is ModelFault.REFUSED


async def test_the_key_goes_with_each_question_and_a_path_stays(evil: EvilServer) -> None:
    for path, asked in (("", "/v1/models"), ("/v1", "/v1/models"), ("/a/b", "/a/b/models")):
        evil.answer = reply(b'{"data": [{"id": "x", "max_model_len": 900}]}')
        server = openai_at(evil, path, key="sk-1")
        assert await server.models() == (Model(name="x", context_tokens=900),)
        assert evil.asked[-1].path == asked
        assert evil.asked[-1].headers["authorization"] == "Bearer sk-1"
        await server.close()
    assert server.is_remote


async def test_a_model_that_wants_the_newer_bound_gets_it(evil: EvilServer) -> None:
    words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    evil.answer = reply(json.dumps({"error": {"message": words}}).encode(), status=400)
    server = openai_at(evil)
    with pytest.raises(ModelError):
        await server.chat(said_to("x", "?"))
    old, new = map(json.loads, evil.bodies)
    assert (old["max_tokens"], new["max_completion_tokens"]) == (24, 24)
    assert "max_tokens" not in new
    evil.answer = openai_says("a", "b")
    assert (await server.chat(said_to("x", "?"))).text == "ab"
    assert "max_completion_tokens" in json.loads(evil.bodies[-1])
    assert len(evil.bodies) == 3
    await server.close()


async def test_what_a_model_refuses_with_changes_no_other_question(evil: EvilServer) -> None:
    refused = {"choices": [{"delta": {"refusal": "not without max_completion_tokens"}}]}
    evil.answer = reply(f"data: {json.dumps(refused)}\n\n".encode())
    server = openai_at(evil)
    with pytest.raises(ModelError) as caught:
        await server.chat(said_to("x", "?"))
    assert (caught.value.fault, len(evil.bodies)) == (ModelFault.REFUSED, 1)
    evil.answer = openai_says("a")
    await server.chat(said_to("x", "?"))
    assert "max_tokens" in json.loads(evil.bodies[-1])
    await server.close()


@pytest.mark.parametrize("words", ["model x not found", "server busy"])
async def test_an_error_amidst_an_answer_tells_nothing_of_the_server(
    evil: EvilServer, words: str
) -> None:
    piece = {"choices": [{"delta": {"content": "so far"}}]}
    fault = {"error": {"message": f"Failed to parse: {words}"}}
    server = openai_at(evil)
    found = []
    for events in ([piece, fault], [fault]):
        evil.answer = reply("".join(f"data: {json.dumps(one)}\n\n" for one in events).encode())
        with pytest.raises(ModelError, match=words) as caught:
            await server.chat(said_to("x", "?"))
        found.append(caught.value.fault)
    assert found[0] is ModelFault.BROKE_OFF
    assert found[1] in {ModelFault.MODEL_MISSING, ModelFault.BUSY}
    await server.close()


async def test_no_key_is_kept_of_an_answer_that_was_refused(evil: EvilServer) -> None:
    events = [{"content": "it is sk-sec"}, {"content": "ret-1"}, {"refusal": "sk-secret-1 is bad"}]
    said = (json.dumps({"choices": [{"delta": one}]}) for one in events)
    evil.answer = reply("".join(f"data: {one}\n\n" for one in said).encode())
    server = openai_at(evil, key="sk-secret-1")
    with pytest.raises(ModelError, match="is bad") as caught:
        await server.chat(said_to("x", "?"))
    assert caught.value.raw.startswith("it is ")
    assert "sk-secret-1" not in f"{caught.value}{caught.value.raw}"
    await server.close()


async def test_a_server_that_tells_no_cost_is_reckoned(evil: EvilServer) -> None:
    events = b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
    evil.answer = reply(events)
    server = openai_at(evil)
    done = await server.chat(said_to("x", "how much is that?"))
    assert (done.text, done.prompt_tokens, done.answer_tokens) == ("a", 5, 1)
    await server.close()
