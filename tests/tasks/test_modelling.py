"""A worker for models: slots, deadlines, a server that hangs, a stop in the middle, a cancel."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

import patience
from answering import SERVER, ScriptedServer, first_words, use
from ctiscraper.analyses import Analyse, Asking, ModelUse, version_of
from ctiscraper.analysing import Within, known_techniques
from ctiscraper.analysis.analysed import AnalysedText, Analysis, Claim, Quote, TaskName
from ctiscraper.db.analyses import Analyses
from ctiscraper.db.model_asking import queue_texts
from ctiscraper.db.model_patience import PatientQueue
from ctiscraper.db.model_queue import Claimed
from ctiscraper.db.model_servers import BREAKS_AFTER
from ctiscraper.db.model_spending import Limits
from ctiscraper.db.session import Database
from ctiscraper.errors import FetchError, ModelError, ModelFault, Reason, StorageError
from ctiscraper.models.guarded import Guarded
from ctiscraper.models.ollama import Ollama
from ctiscraper.models.openai import OpenAI
from ctiscraper.models.server import ModelServer, Prompt
from ctiscraper.tasks.modelling import ModelWorker
from ctiscraper.types import Tlp
from db import modelled
from db.conftest import stage as stage  # noqa: PLC0414 - a fixture
from db.stage import Stage
from evil_model import evil_server, ollama_says, openai_says
from loopback import reply
from models_at import client_of


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    given = ScriptedServer()
    yield given
    assert given.running == 0, "no question is left behind"


def worker(
    stage: Stage,
    server: ScriptedServer,
    what: ModelUse | None = None,
    analyse: Analyse = first_words,
    **changes: object,
) -> ModelWorker:
    asking = Asking(stage.database, server, what or use(), analyse)
    values: dict[str, object] = {"once": True, "renew_seconds": 0.05, "grace_seconds": 0.05}
    return ModelWorker(asking, **{**values, **changes})  # type: ignore[arg-type]  # a builder


async def queue_all(stage: Stage, *articles: int, what: ModelUse | None = None) -> None:
    async with stage.database.transaction() as conn:
        await queue_texts(conn, articles, (what or use()).wanted())


async def rows(stage: Stage, columns: str) -> list[tuple[object, ...]]:
    return await stage.rows(f"SELECT {columns} FROM model_analysis ORDER BY id")


async def until(stage: Stage, question: str) -> None:
    """Return once a question to the database is answered with yes."""
    await patience.until(lambda: stage.value(question))


async def test_each_text_is_answered_in_as_many_slots_as_there_are(
    stage: Stage, server: ScriptedServer
) -> None:
    both = asyncio.Barrier(2)

    async def together(prompt: Prompt) -> str:
        del prompt
        await both.wait()
        return "said"

    server.answered = together
    articles = [await modelled.article(stage, f"a{n}", f"Word{n} is here.") for n in range(4)]
    await queue_all(stage, *articles)
    assert await worker(stage, server).run() == 4
    assert server.most_running == 2
    assert await rows(stage, "state, claims->0->>'text', prompt_tokens") == [
        ("done", f"Word{n}: said", 100) for n in range(4)
    ]


async def test_what_proves_answers_is_loaded_before_anything_is_asked(
    stage: Stage, server: ScriptedServer
) -> None:
    known_techniques.cache_clear()
    assert await worker(stage, server).run() == 0
    assert known_techniques.cache_info().currsize == 1


async def test_what_the_server_has_is_told_to_the_pages(
    stage: Stage, server: ScriptedServer
) -> None:
    working = worker(stage, server, once=False)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_server")
    working.stop()
    await run
    assert await stage.rows("SELECT name, version, models FROM model_server") == [
        (SERVER, "scripted 1", ["small", "large"])
    ]


async def test_an_answer_that_drips_is_over_at_the_deadline_of_the_whole(
    stage: Stage, server: ScriptedServer
) -> None:
    server.answered = _never
    await queue_all(stage, await modelled.article(stage, "one"))
    working = worker(stage, server, use(seconds=0.2))
    working.asking.grace_seconds = 0.0
    await working.run()
    [(state, fault, detail)] = await rows(stage, "state, fault, detail")
    assert (state, fault) == ("pending", "timeout")
    assert "no end within 0.2 s" in str(detail)
    # The model may have read all of it: that counts.
    assert int(str(await stage.value("SELECT sum(estimated) FROM model_spent"))) > 0


async def test_a_worker_that_is_told_to_stop_gives_back_what_it_asks(
    stage: Stage, server: ScriptedServer
) -> None:
    server.answered = _never
    await queue_all(stage, await modelled.article(stage, "one"))
    working = worker(stage, server, once=False)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_analysis WHERE state = 'running'")
    working.stop()
    await asyncio.wait_for(run, 10)
    assert await rows(stage, "state, attempts, lease") == [("pending", 0, None)]
    server.answered = _said
    assert await worker(stage, server).run() == 1


async def test_an_answer_that_comes_within_the_grace_is_kept(
    stage: Stage, server: ScriptedServer
) -> None:
    go = asyncio.Event()

    async def soon(prompt: Prompt) -> str:
        del prompt
        await go.wait()
        return "in time"

    server.answered = soon
    await queue_all(stage, await modelled.article(stage, "one"))
    working = worker(stage, server, once=False, grace_seconds=10.0)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_analysis WHERE state = 'running'")
    working.stop()
    go.set()
    await asyncio.wait_for(run, 10)
    assert await rows(stage, "state") == [("done",)]


@pytest.mark.parametrize(
    ("asked", "hours", "state"),
    [
        # A newer worker may be starting beside this one, and was taken back if it does not come.
        ("summary-2-0f", 0, "pending"),
        ("summary-2-0f", 2, "cancelled"),
        ("summary-0-0f", 0, "cancelled"),
        ("what-no-number-has", 0, "cancelled"),
    ],
)
async def test_a_prompt_of_a_newer_version_is_left_to_it_for_a_while(
    stage: Stage, server: ScriptedServer, asked: str, hours: int, state: str
) -> None:
    number = await modelled.article(stage, "one")
    await modelled.ask(stage, number, what=modelled.wanted(version=asked))
    await stage.run(f"UPDATE model_analysis SET asked_at = now() - make_interval(hours => {hours})")
    await worker(stage, server, use(version=lambda task: f"{task}-1-aa")).run()
    found = await rows(stage, "prompt_version, state, attempts > 0")
    if state == "pending":
        assert found == [(asked, "pending", False)]
        return
    assert [row[:2] for row in found] == [(asked, "cancelled"), ("summary-1-aa", "done")]


async def test_a_task_of_a_newer_version_waits_for_it(stage: Stage, server: ScriptedServer) -> None:
    number = await modelled.article(stage, "one")
    await modelled.ask(stage, number)
    await stage.run("UPDATE model_analysis SET task = 'of_tomorrow'")
    await worker(stage, server, use(version=version_of)).run()
    assert await rows(stage, "state, attempts") == [("pending", 0)]


async def test_what_is_cancelled_is_asked_no_longer_and_paid_for(
    stage: Stage, server: ScriptedServer
) -> None:
    server.answered = _never
    await queue_all(stage, await modelled.article(stage, "one"))
    working = worker(stage, server, once=False)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_analysis WHERE state = 'running'")
    await stage.run("UPDATE model_analysis SET state = 'cancelled', lease = NULL")
    await until(stage, "SELECT count(*) = 1 FROM model_spent")
    working.stop()
    await asyncio.wait_for(run, 10)
    assert await rows(stage, "state") == [("cancelled",)]


async def test_how_far_an_answer_is_can_be_seen(stage: Stage, server: ScriptedServer) -> None:
    told = asyncio.Event()

    async def piece_by_piece(
        server: ModelServer,
        task: TaskName,
        text: AnalysedText,
        *,
        model: str,
        seconds: float,
        within: Within,
    ) -> Analysis:
        await first_words(server, task, text, model=model, seconds=seconds, within=within)
        await told.wait()
        return await first_words(server, task, text, model=model, seconds=seconds, within=within)

    await queue_all(stage, await modelled.article(stage, "one"))
    working = worker(stage, server, analyse=piece_by_piece, once=False)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_analysis WHERE said = 2")
    told.set()
    await until(stage, "SELECT count(*) = 1 FROM model_analysis WHERE state = 'done'")
    working.stop()
    await run
    # Both questions are paid for, though the answer tells of the last alone.
    assert await rows(stage, "prompt_tokens, answer_tokens") == [(200, 40)]


async def test_what_nobody_foresaw_costs_one_text_an_attempt(
    stage: Stage, server: ScriptedServer
) -> None:
    async def breaks(
        server: ModelServer,
        task: TaskName,
        text: AnalysedText,
        *,
        model: str,
        seconds: float,
        within: Within,
    ) -> Analysis:
        if text.text.startswith("Bad"):
            raise RuntimeError("unforeseen")
        return await first_words(server, task, text, model=model, seconds=seconds, within=within)

    bad = await modelled.article(stage, "bad", "Bad words.")
    good = await modelled.article(stage, "good", "Good words.")
    await queue_all(stage, bad, good)
    await worker(stage, server, analyse=breaks).run()
    # Not that the worker ended, which it did not; and no word of the error, which may be a model's.
    assert await rows(stage, "state, attempts, fault, detail") == [
        ("pending", 1, "unforeseen", "RuntimeError"),
        ("done", 1, None, ""),
    ]


async def test_a_fault_is_kept_with_what_was_answered(stage: Stage, server: ScriptedServer) -> None:
    server.fault = ModelError(
        ModelFault.BAD_ANSWER, "not JSON", transient=False, raw="Sure! \0\ud800 {"
    )
    await queue_all(stage, await modelled.article(stage, "one"))
    await worker(stage, server).run()
    assert await rows(stage, "state, fault, detail, raw") == [
        ("failed", "bad_answer", "not JSON", "Sure! ? {")
    ]


@pytest.mark.parametrize(
    ("text", "remote", "ceiling", "state"),
    [
        ("Plain words.", True, Tlp.CLEAR, "done"),
        ("TLP:AMBER. Words.", True, Tlp.GREEN, "failed"),
        ("TLP:AMBER. Words.", True, Tlp.AMBER, "done"),
        ("TLP:AMBER+STRICT. Words.", True, Tlp.AMBER, "failed"),
        ("TLP:RED. Words.", False, Tlp.CLEAR, "done"),
    ],
)
async def test_a_guarded_text_goes_to_no_remote_server(
    stage: Stage, server: ScriptedServer, text: str, remote: bool, ceiling: Tlp, state: str
) -> None:
    server.is_remote = remote
    await queue_all(stage, await modelled.article(stage, "one", text))
    await worker(stage, server, use(tlp=ceiling)).run()
    fault = "tlp" if state == "failed" else None
    assert await rows(stage, "state, fault") == [(state, fault)]
    assert len(server.asked) == (state == "done")


@pytest.mark.parametrize(("model", "leaves"), [("big:120b-cloud", True), ("cloud-big", False)])
async def test_a_guarded_text_goes_to_no_model_that_a_server_nearby_passes_on(
    stage: Stage, server: ScriptedServer, model: str, leaves: bool
) -> None:
    what = use(model=model, tlp=Tlp.GREEN)
    await queue_all(stage, await modelled.article(stage, "one", "TLP:AMBER. Words."), what=what)
    await worker(stage, server, what).run()
    found = await rows(stage, "state, fault")
    assert found == [("failed", "tlp") if leaves else ("done", None)]
    assert len(server.asked) == (not leaves)


async def test_a_claim_without_its_words_in_the_text_is_not_kept(
    stage: Stage, server: ScriptedServer
) -> None:
    async def invents(
        server: ModelServer,
        task: TaskName,
        text: AnalysedText,
        *,
        model: str,
        seconds: float,
        within: Within,
    ) -> Analysis:
        found = await first_words(server, task, text, model=model, seconds=seconds, within=within)
        made_up = (
            Claim(text="no quote", quotes=()),
            Claim(text="elsewhere", quotes=(Quote("The", 1, 4),)),
            Claim(text="nowhere", quotes=(Quote("", 3, 3),)),
            Claim(text="NUL \0 and \ud800", quotes=found.claims[0].quotes),
        )
        return replace(found, claims=(*found.claims, *made_up))

    await queue_all(stage, await modelled.article(stage, "one"))
    await worker(stage, server, analyse=invents).run()
    assert await rows(stage, "jsonb_array_length(claims), dropped, claims->1->>'text'") == [
        (2, 3, "NUL  and ?")
    ]


@pytest.mark.parametrize("named", ["small", "small:latest"])
async def test_a_model_that_is_pulled_later_is_asked_then_and_no_text_is_lost(
    stage: Stage, server: ScriptedServer, named: str
) -> None:
    server.has = ()
    server.lacks = ("small",)
    articles = [await modelled.article(stage, f"a{n}", f"Word{n} is here.") for n in range(4)]
    await queue_all(stage, *articles)
    assert await worker(stage, server).run() <= 2
    assert set(await rows(stage, "state, attempts")) == {("pending", 0)}
    assert len(server.asked) <= 2
    server.has, server.lacks = (named,), ()
    await worker(stage, server).asking.note_server()
    await stage.run("UPDATE model_analysis SET run_after = now()")
    assert await worker(stage, server).run() == 4
    assert set(await rows(stage, "state, fault")) == {("done", None)}


async def test_while_the_configured_model_is_missing_those_who_name_another_are_answered(
    stage: Stage, server: ScriptedServer
) -> None:
    server.lacks, server.has = ("small",), ("large",)
    articles = [await modelled.article(stage, f"a{n}", f"Word{n} is here.") for n in range(3)]
    await queue_all(stage, *articles)
    await queue_all(stage, *articles, what=use(model="large"))
    await worker(stage, server).run()
    assert set(await rows(stage, "model, state")) == {("small", "pending"), ("large", "done")}
    assert await stage.value("SELECT max(attempts) FROM model_analysis WHERE model = 'small'") == 0
    assert len([one for one in server.asked if one.model == "small"]) <= 2


async def test_who_names_another_model_has_that_asked_for_one_that_is_gone(
    stage: Stage, server: ScriptedServer
) -> None:
    await queue_all(stage, await modelled.article(stage, "one"))
    server.lacks = ("small",)
    await worker(stage, server, use(model="large")).run()
    assert await rows(stage, "model, state, attempts, detail") == [
        (
            "small",
            "cancelled",
            1,
            "the server has no model 'small' any more: 'large' is asked instead",
        ),
        ("large", "done", 1, ""),
    ]
    # What failed for it in the past is asked of the other too.
    await stage.run("DELETE FROM model_analysis WHERE model = 'large'")
    await stage.run("UPDATE model_analysis SET state = 'failed', fault = 'model_missing'")
    assert await Analyses(stage.database).retry_all(ModelFault.MODEL_MISSING) == 1
    await worker(stage, server, use(model="large")).run()
    assert await rows(stage, "model, state") == [("small", "cancelled"), ("large", "done")]


@pytest.mark.parametrize("fault", [ModelFault.REFUSED, ModelFault.AWAY])
async def test_a_server_that_refuses_from_the_start_is_told_to_the_pages(
    stage: Stage, server: ScriptedServer, fault: ModelFault
) -> None:
    server.fault = ModelError(fault, "as it is")
    working = worker(stage, server, once=False)
    run = asyncio.create_task(working.run())
    await until(stage, "SELECT count(*) = 1 FROM model_server")
    working.stop()
    await run
    assert await stage.rows("SELECT fault, detail, seen_at FROM model_server") == [
        (fault.value, "as it is", None)
    ]


async def test_its_task_is_protected_while_it_has_work_in_hand(
    stage: Stage, server: ScriptedServer
) -> None:
    asked: list[int] = []

    async def protect(minutes: int) -> None:
        asked.append(minutes)
        raise FetchError(Reason.CONNECT, "no agent")

    await queue_all(stage, await modelled.article(stage, "one"))
    await worker(stage, server, protect=protect).run()
    assert asked == [60, 0]


@pytest.mark.parametrize("kind", [Ollama, OpenAI])
@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_gateway_before_a_server_that_is_away_burns_no_text(
    stage: Stage, kind: type[Ollama | OpenAI], status: int
) -> None:
    articles = [await modelled.article(stage, f"a{n}", f"Word{n} is here.") for n in range(7)]
    await queue_all(stage, *articles)
    async with evil_server() as evil:
        evil.answer = reply(b"<html><h1>Bad Gateway</h1></html>", status=status)
        server = Guarded(kind(client_of(evil.url), evil.url, remote=False), slots=2, breaks=False)
        asking = Asking(stage.database, server, use(), first_words)
        try:
            await ModelWorker(asking, once=True).run()
            assert set(await rows(stage, "state, attempts")) == {("pending", 0)}
            # Looks at the server have no body.
            assert len([one for one in evil.bodies if one]) <= BREAKS_AFTER + 1
            assert await stage.value("SELECT rest_until > now() FROM model_server")
            evil.answer = ollama_says("said") if kind is Ollama else openai_says("said")
            await stage.run("UPDATE model_server SET rest_until = now()")
            await stage.run("UPDATE model_analysis SET run_after = now()")
            await ModelWorker(asking, once=True).run()
        finally:
            await server.close()
    assert set(await rows(stage, "state, attempts")) == {("done", 1)}


async def _said(prompt: Prompt) -> str:
    del prompt
    return "said"


async def _never(prompt: Prompt) -> str:
    del prompt
    await asyncio.Event().wait()
    raise AssertionError("it never comes")


class CutOff(PatientQueue):
    """A queue whose database is away at the first claim."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.reaped: list[bool] = []

    async def claim(
        self, owner: UUID, *, server: str, limits: Limits, seconds: float, reaps: bool = True
    ) -> Claimed | None:
        self.reaped.append(reaps)
        if len(self.reaped) == 1:
            raise StorageError(Reason.DATABASE, "away")
        return await super().claim(
            owner, server=server, limits=limits, seconds=seconds, reaps=reaps
        )


@pytest.mark.parametrize(("lease", "reaps"), [(60.0, False), (0.0, True)])
async def test_who_was_cut_off_lets_all_renew_their_leases_before_it_takes_any_back(
    stage: Stage, server: ScriptedServer, lease: float, reaps: bool
) -> None:
    working = worker(stage, server, once=False, lease_seconds=lease)
    queue = working.asking.queue = CutOff(stage.database)

    async def twice() -> bool:
        return len(queue.reaped) >= 2

    run = asyncio.create_task(working.run())
    await patience.until(twice)
    working.stop()
    await run
    assert queue.reaped[:2] == [True, reaps]


async def test_a_budget_that_was_raised_lets_what_waited_go_on_at_the_start(
    stage: Stage, server: ScriptedServer
) -> None:
    await queue_all(stage, await modelled.article(stage, "one"))
    await stage.run("UPDATE model_analysis SET fault = 'over_budget', run_after = current_date + 1")
    assert await worker(stage, server).run() == 1
    assert await rows(stage, "state, fault") == [("done", None)]
