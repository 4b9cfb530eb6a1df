"""What questions and vectors cost: counted with all the rest, and held to the budget of a day."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg
import pytest

import patience
from ctiscraper.bootstrap import open_meaning, open_questions
from ctiscraper.config import Settings
from ctiscraper.db.model_report import ModelBoard
from ctiscraper.db.model_spending import Limits, Spending
from ctiscraper.db.session import Database
from ctiscraper.embedding import ServedEmbedder
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import Completion, Embedded, Prompt
from ctiscraper.paying import Paid
from models_at import said_to
from scripted import Scripted, completion, saying

PROMPT = said_to("small", "x" * 300, most_tokens=100)
COST = Limits(day=1_000, price_in=1.0, price_out=2.0)


class Counted(Scripted):
    """A server that gives vectors too."""

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        del seconds
        return Embedded(model=model, vectors=((1.0,),) * len(texts), tokens=7 * len(texts))


def spent(database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT source_id, model, calls, prompt_tokens, answer_tokens, estimated, cost"
            " FROM model_spent ORDER BY model"
        ).fetchall()


async def test_answers_and_vectors_are_counted_with_all_the_rest(database: str) -> None:
    async with Database(database, size=2) as opened:
        paid = Paid(Counted(lambda _: "{}"), Spending(opened), COST)
        heard: list[str] = []
        await paid.chat(PROMPT, heard.append)
        await paid.chat(PROMPT)
        await paid.embed("vectors", ["a", "b"], seconds=1)
        assert heard == ["{}"]
        tokens, cost = await ModelBoard(opened).today()
        assert tokens == 234
        assert cost == pytest.approx(254e-6)
    assert spent(database) == [
        (0, "small", 2, 200, 20, 0, pytest.approx(240e-6)),
        (0, "vectors", 1, 14, 0, 0, pytest.approx(14e-6)),
    ]


async def test_beyond_the_budget_of_a_day_nothing_is_asked(database: str) -> None:
    server = Counted(lambda _: "{}")
    async with Database(database, size=2) as opened:
        paid = Paid(server, Spending(opened), COST)
        for _ in range(8):
            await paid.chat(PROMPT)
        with pytest.raises(ModelError, match="CTISCRAPER_MODEL_DAY_TOKENS") as refused:
            await paid.chat(PROMPT)
        assert refused.value.fault is ModelFault.OVER_BUDGET
        await paid.embed("vectors", ["a"], seconds=1)
        with pytest.raises(ModelError, match="CTISCRAPER_MODEL_DAY_TOKENS"):
            await paid.embed("vectors", ["a" * 900], seconds=1)
        assert len(server.prompts) == 8
        free = Paid(server, Spending(opened), Limits())
        await free.chat(PROMPT)


async def test_vectors_of_texts_leave_half_of_a_day_to_others(database: str) -> None:
    async with Database(database, size=2) as opened:
        server = Counted(lambda _: "{}")
        paid = Paid(server, Spending(opened), COST)
        for _ in range(4):
            await paid.chat(PROMPT)
        texts = Paid(server, Spending(opened), COST, leaves_half=True)
        for given in (["a" * 200, "b" * 200], ["a text of one passage " * 20]):
            with pytest.raises(ModelError, match="leave half of a day's tokens"):
                await texts.embed("vectors", given, seconds=1)
        await paid.embed("vectors", ["what somebody searches for"], seconds=1)
        await paid.chat(PROMPT)


async def test_a_question_that_was_given_up_is_paid_for(database: str) -> None:
    begun = asyncio.Event()

    class Slow(Counted):
        async def chat(
            self, prompt: Prompt, said: Callable[[str], None] | None = None
        ) -> Completion:
            del prompt
            assert said is not None
            said("y" * 30)
            begun.set()
            await asyncio.Event().wait()
            return completion("")

    async with Database(database, size=2) as opened:
        paid = Paid(Slow(lambda _: ""), Spending(opened), COST)
        asked = asyncio.create_task(paid.chat(PROMPT))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    [(_, _, calls, given, answered, estimated, _)] = spent(database)
    assert (calls, given, answered, estimated) == (1, 0, 0, 110)


@pytest.mark.parametrize("asked", [12, 30])
async def test_many_questions_at_once_stay_within_the_budget_of_a_day(
    database: str, asked: int
) -> None:
    """Each costs as much as it may, and none ends before all others were let in or refused."""
    inside = 0
    refused: list[ModelError] = []

    class Full(Counted):
        async def chat(
            self, prompt: Prompt, said: Callable[[str], None] | None = None
        ) -> Completion:
            del said
            nonlocal inside
            inside += 1
            await patience.until(all_came)
            return replace(completion(""), prompt_tokens=100, answer_tokens=prompt.most_tokens)

    async def all_came() -> bool:
        await asyncio.sleep(0)
        return inside + len(refused) == asked

    async def ask(server: Paid) -> None:
        try:
            await server.chat(PROMPT)
        except ModelError as error:
            refused.append(error)

    async with Database(database, size=3) as one, Database(database, size=3) as two:
        servers = [Paid(Full(lambda _: ""), Spending(opened), COST) for opened in (one, two)]
        await asyncio.gather(*(ask(servers[number % 2]) for number in range(asked)))
        tokens, _ = await ModelBoard(one).today()
        assert tokens == 200 * inside
        assert 600 <= tokens <= COST.day
        assert {one.fault for one in refused} == {ModelFault.OVER_BUDGET}
        # What they did not take is free again: the same budget lets another in that fits.
        small = replace(PROMPT, most_tokens=1)
        await Paid(Counted(lambda _: ""), Spending(two), COST).chat(small)


async def test_what_never_began_costs_nothing(database: str) -> None:
    async with Database(database, size=2) as opened:
        paid = Paid(saying(ModelError(ModelFault.AWAY)), Spending(opened), COST)
        with pytest.raises(ModelError):
            await paid.chat(PROMPT)
        assert (await ModelBoard(opened).today())[0] == 0


async def test_whoever_asks_a_server_pays(database: str) -> None:
    settings = Settings(model_url="http://127.0.0.1:9", model="m", embedding="nomic")
    async with (
        Database(database, size=1) as opened,
        open_meaning(settings, opened) as meaning,
        open_questions(settings, meaning) as questions,
    ):
        assert isinstance(questions.server, Paid)
        assert questions.server.limits.day == settings.model_day_tokens
        assert meaning.embedding is not None
        embedder = meaning.embedding.embedder
        assert isinstance(embedder, ServedEmbedder)
        assert isinstance(embedder.server, Paid)
        assert embedder.server.leaves_half
        seeker = meaning.embedding.seeker
        assert isinstance(seeker, ServedEmbedder)
        assert isinstance(seeker.server, Paid)
        assert not seeker.server.leaves_half
