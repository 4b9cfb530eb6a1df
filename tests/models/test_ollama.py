"""Ollama's API, as a real small model speaks it, and as the official client reads it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import ollama
import pytest
import pytest_asyncio

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.http import FetchLimits
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.reach import reach
from ctiscraper.models.server import Ending, Message, Prompt, Pulled, Speaker
from evil_model import evil_server, ollama_says
from loopback import USER_AGENT, open_client, reply
from models_at import client_of, said_to
from patience import until
from small_model import CONTEXT, SMALL_MODEL

LIMITS = FetchLimits(max_bytes=1000, seconds=5)
SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture
async def server(small_model: str) -> AsyncIterator[Ollama]:
    made = Ollama(client_of(small_model), small_model, remote=False)
    yield made
    await made.close()


async def test_it_says_what_it_is_and_has(server: Ollama, small_model: str) -> None:
    assert server.name == f"Ollama at {small_model}"
    assert await server.version() == "Ollama 0.12.6"
    (model,) = await server.models()
    assert (model.name, model.context_tokens) == (SMALL_MODEL, CONTEXT)
    assert model.size > 90_000_000
    assert len(model.digest) == 64


async def test_a_schema_is_followed_and_pieces_come_as_they_are_said(server: Ollama) -> None:
    pieces: list[str] = []
    done = await server.chat(said_to(SMALL_MODEL, "Is water wet?", schema=SCHEMA), pieces.append)
    assert set(json.loads(done.text)) == {"yes"}
    assert isinstance(json.loads(done.text)["yes"], bool)
    assert "".join(pieces) == done.text
    assert len(pieces) > 1
    assert done.ending is Ending.WHOLE
    assert done.model == SMALL_MODEL
    assert 0 < done.answer_tokens < 32
    assert done.prompt_tokens > 4
    assert done.seconds > 0


async def test_a_model_is_held_to_the_narrower_schema_where_it_is_near(small_model: str) -> None:
    narrow = {**SCHEMA, "properties": {"yes": {"type": "string", "enum": ["zebra"]}}}
    prompt = replace(said_to(SMALL_MODEL, "Is water wet?", schema=SCHEMA), narrow=narrow)
    answers = {}
    for remote in (False, True):
        server = Ollama(client_of(small_model), small_model, remote=remote)
        answers[remote] = json.loads((await server.chat(prompt)).text)["yes"]
        await server.close()
    assert answers[False] == "zebra"
    assert answers[True] in {True, False}


@pytest.mark.parametrize(
    ("model", "remote", "narrowed"),
    [("analyst", False, True), ("gpt-oss:120b-cloud", False, False), ("analyst", True, False)],
)
async def test_the_narrower_schema_goes_to_no_model_far_away(
    model: str, remote: bool, narrowed: bool
) -> None:
    narrow = {**SCHEMA, "properties": {"yes": {"type": "string", "enum": ["A sentence."]}}}
    prompt = replace(said_to(model, "Hello.", schema=SCHEMA), narrow=narrow)
    async with evil_server() as evil:
        evil.answer = ollama_says("ok")
        server = Ollama(client_of(evil.url), evil.url, remote=remote)
        await server.chat(prompt)
        await server.close()
        [body] = evil.bodies
    assert json.loads(body)["format"] == (narrow if narrowed else SCHEMA)


async def test_the_same_question_has_the_same_answer(server: Ollama) -> None:
    prompt = said_to(SMALL_MODEL, "Name a colour.", most_tokens=6)
    assert (await server.chat(prompt)).text == (await server.chat(prompt)).text


async def test_an_answer_past_its_bound_is_said_to_be_cut(server: Ollama) -> None:
    prompt = said_to(SMALL_MODEL, "Count from one to a hundred.", most_tokens=4)
    done = await server.chat(prompt)
    assert done.ending is Ending.CUT_OFF
    assert done.answer_tokens == 4


async def test_whose_words_they_are_is_told(server: Ollama) -> None:
    asked = Prompt(
        model=SMALL_MODEL,
        messages=(
            Message(Speaker.SYSTEM, "Answer with one word."),
            Message(Speaker.USER, "Hello?"),
            Message(Speaker.ASSISTANT, "Hello."),
            Message(Speaker.USER, "And now?"),
        ),
        most_tokens=3,
        seconds=60,
    )
    alone = await server.chat(said_to(SMALL_MODEL, "And now?", most_tokens=3))
    assert (await server.chat(asked)).prompt_tokens > alone.prompt_tokens


async def test_a_model_that_is_missing_is_named_with_what_to_do(server: Ollama) -> None:
    for call in (
        server.chat(said_to("nobody:1b", "?")),
        server.embed("nobody:1b", ["?"], seconds=20),
    ):
        with pytest.raises(ModelError) as caught:
            await call
        assert caught.value.fault is ModelFault.MODEL_MISSING
        assert "ollama pull nobody:1b" in caught.value.detail
        assert caught.value.transient, "whoever waits for it may have it later"


async def test_a_text_too_long_is_refused_and_not_cut(server: Ollama) -> None:
    prompt = said_to(SMALL_MODEL, "word " * 700, context_tokens=512)
    with pytest.raises(ModelError) as caught:
        await server.chat(prompt)
    assert caught.value.fault is ModelFault.TOO_LONG
    assert "CTISCRAPER_MODEL_CONTEXT" in caught.value.detail


async def test_vectors_come_one_for_each_text(server: Ollama) -> None:
    assert (await server.embed(SMALL_MODEL, [], seconds=5)).vectors == ()
    found = await server.embed(
        SMALL_MODEL, ["a phishing mail", "a mail that phishes", "q = 7"], seconds=60
    )
    first, near, far = found.vectors
    assert len(first) == len(near) == len(far) == 576
    assert _alike(first, near) > _alike(first, far)
    assert found.tokens > 8
    assert "0.0" not in repr(found)


async def test_a_model_is_fetched_step_by_step(server: Ollama) -> None:
    steps = [step async for step in server.pull(SMALL_MODEL)]
    assert steps[-1] == Pulled(state="success")
    assert max(step.done for step in steps) == max(step.total for step in steps) > 90_000_000
    with pytest.raises(ModelError) as caught:
        _ = [step async for step in server.pull("nobody:1b")]
    assert caught.value.fault is ModelFault.MODEL_MISSING
    assert "file does not exist" in caught.value.detail


async def test_who_stops_listening_stops_the_model(server: Ollama, small_model: str) -> None:
    begun = asyncio.Event()
    prompt = said_to(SMALL_MODEL, "Write a long story.", most_tokens=2_000)
    asking = asyncio.ensure_future(server.chat(prompt, lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with open_client(reach(small_model, user_agent=USER_AGENT)) as watching:

        async def idle() -> bool:
            return (await watching.get(f"{small_model}/shim/running", limits=LIMITS)).body == b"0"

        await until(idle)


@pytest.mark.parametrize("words", ["model x not found", "server busy"])
async def test_an_error_amidst_an_answer_tells_nothing_of_the_server(words: str) -> None:
    said = {"message": {"content": "so far"}}, {"error": f"Failed to parse: {words}"}
    async with evil_server() as evil:
        evil.answer = reply("".join(f"{json.dumps(line)}\n" for line in said).encode())
        server = Ollama(client_of(evil.url), evil.url, remote=False)
        with pytest.raises(ModelError, match=words) as caught:
            await server.chat(said_to("x", "?"))
        await server.close()
    assert (caught.value.fault, caught.value.raw) == (ModelFault.BROKE_OFF, "so far")


async def test_the_official_client_reads_the_same_server(small_model: str) -> None:
    client = ollama.AsyncClient(host=small_model)
    try:
        assert [model.model for model in (await client.list()).models] == [SMALL_MODEL]
        shown = await client.show(SMALL_MODEL)
        assert shown.modelinfo is not None
        assert shown.modelinfo["llama.context_length"] == CONTEXT
        asked = [{"role": "user", "content": "Is water wet?"}]
        whole = await client.chat(
            SMALL_MODEL, asked, format=SCHEMA, options={"num_predict": 32, "temperature": 0}
        )
        assert set(json.loads(whole.message.content or "")) == {"yes"}
        stream = await client.chat(
            SMALL_MODEL, asked, stream=True, options={"num_predict": 3, "temperature": 0}
        )
        parts = [part async for part in stream]
        assert parts[-1].done_reason == "length"
        assert parts[-1].eval_count == 3
        found = await client.embed(SMALL_MODEL, ["one", "two"])
        assert [len(vector) for vector in found.embeddings] == [576, 576]
        steps = [step.status async for step in await client.pull(SMALL_MODEL, stream=True)]
        assert steps[-1] == "success"
        with pytest.raises(ollama.ResponseError, match="not found"):
            await client.chat("nobody:1b", asked)
    finally:
        await client._client.aclose()


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


REMOTE = {"remote_host": "https://ollama.com:443", "model_info": {}}


@pytest.mark.parametrize(
    ("its_name", "way_out"),
    [
        ("gpt-oss:120b", r"called there \(gpt-oss:120b-cloud\)"),
        ("kimi", r"called there \(kimi:cloud\)"),
        ("", "ends in -cloud"),
    ],
)
async def test_a_model_that_is_passed_on_under_another_name_is_told_nothing(
    its_name: str, way_out: str
) -> None:
    shown = json.dumps(REMOTE | {"remote_model": its_name}).encode()
    async with evil_server() as evil:
        evil.answer, evil.shown = ollama_says("ok"), reply(shown)
        server = Ollama(client_of(evil.url), evil.url, remote=False)
        for _ in range(2):
            with pytest.raises(ModelError, match=way_out) as caught:
                await server.chat(said_to("analyst", "TLP:AMBER"))
            assert (caught.value.fault, caught.value.transient) == (ModelFault.REFUSED, True)
        with pytest.raises(ModelError, match=r"'analyst' on to https://ollama\.com:443"):
            await server.embed("analyst", ["TLP:AMBER"], seconds=20)
        assert evil.asked == []
        assert evil.shows == 3, "somebody may mend it: it is looked at each time"
        evil.shown = reply(b"{}")
        for _ in range(2):
            assert (await server.chat(said_to("analyst", "TLP:AMBER"))).text == "ok"
        assert evil.shows == 4
        await server.close()


@pytest.mark.parametrize(("model", "remote"), [("gpt-oss:120b-cloud", False), ("analyst", True)])
async def test_where_texts_are_known_to_leave_nobody_asks_for_more(
    model: str, remote: bool
) -> None:
    async with evil_server() as evil:
        evil.answer, evil.shown = ollama_says("ok"), reply(json.dumps(REMOTE).encode())
        server = Ollama(client_of(evil.url), evil.url, remote=remote)
        assert (await server.chat(said_to(model, "Hello."))).text == "ok"
        assert evil.shows == 0
        await server.close()


@pytest.mark.parametrize("shown", [reply(b'{"remote_host": 7}'), reply(b"no", status=500)])
async def test_where_it_is_not_told_where_a_model_is_it_is_told_nothing(shown: bytes) -> None:
    async with evil_server() as evil:
        evil.answer, evil.shown = ollama_says("ok"), shown
        server = Ollama(client_of(evil.url), evil.url, remote=False)
        with pytest.raises(ModelError):
            await server.chat(said_to("analyst", "TLP:AMBER"))
        assert evil.asked == []
        await server.close()
