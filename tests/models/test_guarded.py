"""Whatever a server does, who asks it has a named fault within the time, and nothing is left."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.breaker import FAILURES, Breaker
from ctiscraper.models.guarded import Guarded
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.openai import OpenAI
from ctiscraper.models.server import Completion, Embedded, Ending, Model, Prompt, Pulled
from evil_model import EVILS, Evil, EvilServer, error, evil_server, hang, ollama_says, openai_says
from loopback import reply
from models_at import client_of, said_to
from patience import until

KEY = "sk-very-secret"
SECONDS = 0.4
ASKED = said_to("evil:1b", "?", seconds=SECONDS, most_tokens=8, context_tokens=512)
PATIENT = said_to("evil:1b", "?", seconds=50, most_tokens=8, context_tokens=512)


@pytest_asyncio.fixture
async def evil() -> AsyncIterator[EvilServer]:
    async with evil_server() as server:
        yield server


def guarded(evil: EvilServer, *, slots: int = 1, **more: object) -> Guarded:
    """The product's way to it."""
    made = Ollama(client_of(evil.url), evil.url, remote=False, key=KEY)
    return Guarded(made, slots=slots, **more)  # type: ignore[arg-type]  # a builder


async def fault_of(server: Guarded, prompt: Prompt = ASKED) -> ModelError:
    """What a question ends with."""
    with pytest.raises(ModelError) as caught:
        await server.chat(prompt)
    return caught.value


@pytest.mark.parametrize("case", EVILS, ids=[case.name for case in EVILS])
async def test_every_malformed_reply_is_a_named_fault_in_time(evil: EvilServer, case: Evil) -> None:
    evil.answer = case.answer
    server = guarded(evil)
    before, began = asyncio.all_tasks(), time.monotonic()
    hangs = case.fault is ModelFault.TIMEOUT
    told = await fault_of(server, ASKED if hangs else PATIENT)
    # Beside the deadline only what this machine's other work costs.
    assert time.monotonic() - began < (SECONDS + 10 if hangs else PATIENT.seconds)
    assert told.fault is case.fault, told
    assert case.says in told.detail
    assert KEY not in str(told) + told.raw
    assert len(told.detail) < 800
    assert "\n" not in told.detail
    # Where this machine has other work, the time may be over before a question is heard.
    assert len(evil.asked) == 1 or (hangs and not evil.asked)
    assert all(one.headers["authorization"] == f"Bearer {KEY}" for one in evil.asked)

    async def hung_up() -> bool:
        return evil.open == 0

    await until(hung_up)
    await server.close()
    # A test's own, and the server's, which has nobody on the line any more.
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


OPENAI = [
    ("hangs", hang, ModelFault.TIMEOUT),
    ("no JSON", reply(b"data: {oops\n\n"), ModelFault.BAD_ANSWER),
    ("choices that are none", reply(b'data: {"choices": 5}\n\n'), ModelFault.BAD_ANSWER),
    ("only comments", reply(b": ping\n\n" * 9), ModelFault.BROKE_OFF),
    ("done before it began", reply(b"data: [DONE]\n\n"), ModelFault.BROKE_OFF),
    ("a fault in the stream", reply(b'data: {"error": {"message": "eh"}}\n\n'),
     ModelFault.BROKE_OFF),
    ("a fault that is bare", reply(b'{"error": {"message": "CUDA out of memory"}}'),
     ModelFault.OUT_OF_MEMORY),
    ("no such model", reply(b'{"error": {"code": "model_not_found"}}', status=404),
     ModelFault.MODEL_MISSING),
    ("too long", reply(b'{"error": {"code": "context_length_exceeded"}}', status=400),
     ModelFault.TOO_LONG),
    ("its filter", openai_says("a", reason="content_filter"), ModelFault.REFUSED),
    ("it will not", reply(b'data: {"choices": [{"delta": {"refusal": "no"}}]}\n\n'),
     ModelFault.REFUSED),
    ("a wrong key", reply(b'{"detail": "Invalid key"}', status=403), ModelFault.REFUSED),
    ("a gateway", reply(b"<h1>502 Bad Gateway</h1>", status=502), ModelFault.AWAY),
    ("a gateway before none", reply(b"no healthy upstream", status=503), ModelFault.AWAY),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "fault"), [case[1:] for case in OPENAI],
                         ids=[case[0] for case in OPENAI])  # fmt: skip
async def test_so_is_one_by_openais_routes(
    evil: EvilServer, answer: bytes, fault: ModelFault
) -> None:
    evil.answer = answer
    server = Guarded(OpenAI(client_of(evil.url), evil.url, remote=False, key=KEY), slots=1)
    told = await fault_of(server, ASKED if fault is ModelFault.TIMEOUT else PATIENT)
    assert told.fault is fault, told
    await server.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), openai=st.booleans())
async def test_no_bytes_at_all_raise_anything_else(
    evil: EvilServer, body: bytes, openai: bool
) -> None:
    evil.answer = reply(b"data: " * openai + body)
    kind = OpenAI if openai else Ollama
    server = Guarded(kind(client_of(evil.url), evil.url, remote=False), slots=1)
    told = await fault_of(server, PATIENT)
    assert told.fault in {ModelFault.BAD_ANSWER, ModelFault.BROKE_OFF}
    await server.close()


async def test_what_was_said_before_it_broke_off_is_kept(evil: EvilServer) -> None:
    evil.answer = next(case.answer for case in EVILS if case.name == "ends in the middle")
    server = guarded(evil)
    assert (await fault_of(server, PATIENT)).raw == "so far"
    await server.close()


async def test_an_answer_is_handed_on_with_its_end_and_cost(evil: EvilServer) -> None:
    evil.answer = ollama_says("a\0", "b", reason="length")
    server = guarded(evil)
    said: list[str] = []
    done = await server.chat(PATIENT, said.append)
    assert (done.text, done.ending) == ("a\N{REPLACEMENT CHARACTER}b", Ending.CUT_OFF)
    assert (done.prompt_tokens, done.answer_tokens) == (7, 2)
    assert said == ["a\N{REPLACEMENT CHARACTER}", "b"]
    assert b'"num_predict":8' in evil.bodies[0]
    assert b'"num_ctx":512' in evil.bodies[0]
    await server.close()


async def test_vectors_that_are_none_are_refused(evil: EvilServer) -> None:
    server = guarded(evil)
    for body in (b'{"embeddings": []}', b'{"embeddings": [[1.0], [1.0, 2.0]]}', b"{}",
                 b'{"embeddings": [[], []]}', b'{"embeddings": [[1e999], [1]]}'):  # fmt: skip
        evil.answer = reply(body)
        with pytest.raises(ModelError) as caught:
            await server.embed("evil:1b", ["a", "b"], seconds=5)
        assert caught.value.fault is ModelFault.BAD_ANSWER, body
    await server.close()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_server_that_hangs_is_let_alone_and_tried_again(evil: EvilServer) -> None:
    clock = Clock()
    server = guarded(evil, breaker=Breaker(clock, failures=2, first_pause=10.0))
    evil.answer = hang
    assert (await fault_of(server)).fault is ModelFault.TIMEOUT
    assert (await fault_of(server)).fault is ModelFault.TIMEOUT
    heard = len(evil.asked)
    told = await fault_of(server)
    assert told.fault is ModelFault.AWAY
    assert "let alone for 10 s more" in told.detail
    assert "no whole answer within" in told.detail
    assert len(evil.asked) == heard
    clock.now += 10
    evil.answer = ollama_says("well")
    assert (await server.chat(PATIENT)).text == "well"
    assert (await server.chat(PATIENT)).text == "well"
    await server.close()


async def test_whoever_asks_as_the_queue_says_is_always_let_through(evil: EvilServer) -> None:
    server = guarded(evil, breaks=False)
    evil.answer = error(500, "runner exploded")
    for heard in range(1, 2 * FAILURES):
        told = await fault_of(server, PATIENT)
        assert (told.fault, len(evil.asked)) == (ModelFault.BROKE_OFF, heard)
        assert "runner exploded" in told.detail
    evil.answer = ollama_says("well")
    assert (await server.chat(PATIENT)).text == "well"
    await server.close()


async def test_a_fault_of_one_question_closes_nobody_out(evil: EvilServer) -> None:
    server = guarded(evil, breaker=Breaker(Clock(), failures=2))
    for words in ("model 'evil:1b' not found", "the input length exceeds the context length"):
        evil.answer = error(404, words)
        for _ in range(3):
            assert (await fault_of(server, PATIENT)).fault is not ModelFault.AWAY
    await server.close()


class Waiting:
    """A server whose answers a test holds back."""

    name = "the slow one"
    is_remote = False

    def __init__(self) -> None:
        self.going = 0
        self.most = 0
        self.free = asyncio.Event()

    async def version(self) -> str:
        return "1"

    async def models(self) -> tuple[Model, ...]:
        return ()

    async def pull(self, model: str) -> AsyncIterator[Pulled]:
        yield Pulled(state=model)

    async def chat(self, prompt: Prompt, said: Callable[[str], None] | None = None) -> Completion:
        del said
        self.going += 1
        self.most = max(self.most, self.going)
        try:
            await self.free.wait()
        finally:
            self.going -= 1
        return Completion(
            text="",
            ending=Ending.WHOLE,
            model=prompt.model,
            prompt_tokens=1,
            answer_tokens=1,
            seconds=0.0,
        )

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        del seconds
        return Embedded(model=model, vectors=tuple((1.0,) for _ in texts))

    async def close(self) -> None:
        self.free.set()


async def test_no_more_than_its_slots_ask_at_a_time() -> None:
    inner = Waiting()
    server = Guarded(inner, slots=2)
    prompt = said_to("m", "?", seconds=60)
    asking = [asyncio.ensure_future(server.chat(prompt)) for _ in range(5)]

    async def two_go() -> bool:
        return inner.going == 2

    await until(two_go)
    # Vectors have slots of their own.
    assert (await server.embed("m", ["a"], seconds=5)).vectors == ((1.0,),)
    inner.free.set()
    await asyncio.gather(*asking)
    assert inner.most == 2


async def test_who_waits_in_vain_is_told_so() -> None:
    inner = Waiting()
    server = Guarded(inner, slots=1, patience=0.05)
    first = asyncio.ensure_future(server.chat(said_to("m", "?", seconds=60)))

    async def one_goes() -> bool:
        return inner.going == 1

    await until(one_goes)
    told = await fault_of(server, said_to("m", "?", seconds=60))
    assert told.fault is ModelFault.BUSY
    assert "CTISCRAPER_MODEL_SLOTS" in told.detail
    inner.free.set()
    await first


async def test_a_server_that_ignores_the_deadline_is_held_to_it() -> None:
    server = Guarded(Waiting(), slots=1)
    told = await fault_of(server, said_to("m", "?", seconds=0.01))
    assert told.fault is ModelFault.TIMEOUT


async def test_who_gives_up_leaves_a_slot_and_no_fault() -> None:
    inner = Waiting()
    server = Guarded(inner, slots=1, breaker=Breaker(Clock(), failures=1))
    for _ in range(3):
        asking = asyncio.ensure_future(server.chat(said_to("m", "?", seconds=60)))

        async def one_goes() -> bool:
            return inner.going == 1

        await until(one_goes)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    inner.free.set()
    assert (await server.chat(said_to("m", "?", seconds=60))).model == "m"


async def test_the_rest_is_handed_through() -> None:
    server = Guarded(Waiting(), slots=1)
    assert (server.name, server.is_remote) == ("the slow one", False)
    assert await server.version() == "1"
    assert await server.models() == ()
    assert [step async for step in server.pull("m")] == [Pulled(state="m")]
    await server.close()
