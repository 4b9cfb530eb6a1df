"""Answers that are kept at the moment in which their worker leaves: none is paid for twice."""

import asyncio

import pytest
from structlog.testing import capture_logs

import patience
from answering import ScriptedServer, first_words, use
from ctiscraper.analyses import Asking
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db import model_patience
from ctiscraper.db.model_asking import queue_texts
from ctiscraper.db.model_patience import PatientQueue
from ctiscraper.db.model_queue import Claimed, Kept
from ctiscraper.db.model_spending import Limits, Spent
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.loop import alongside
from ctiscraper.tasks import modelling
from ctiscraper.tasks.modelling import ModelWorker
from db import modelled
from db.conftest import stage as stage  # noqa: PLC0414 - a fixture
from db.stage import Stage

ONCE = [(100, 1)]


class SlowQueue(PatientQueue):
    """A queue that keeps an answer before or after it has waited at a gate."""

    def __init__(self, database: Database, *, keeps_first: bool) -> None:
        super().__init__(database)
        self.keeps_first = keeps_first
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def finish(
        self, claimed: Claimed, kept: Kept, spent: Spent, *, server: str, limits: Limits
    ) -> bool:
        held = False
        if self.keeps_first:
            held = await super().finish(claimed, kept, spent, server=server, limits=limits)
        self.begun.set()
        await self.gate.wait()
        if not self.keeps_first:
            held = await super().finish(claimed, kept, spent, server=server, limits=limits)
        return held


async def left_while_it_keeps(stage: Stage, queue: SlowQueue, *, opens: bool) -> None:
    """Have a worker leave while it keeps its one answer, which it may do in time or not."""
    async with stage.database.transaction() as conn:
        number = await modelled.article(stage, "one", "A word is here.")
        await queue_texts(conn, [number], use().wanted([TaskName.SUMMARY]))
    asking = Asking(stage.database, ScriptedServer(), use(), first_words)
    asking.queue = queue
    working = ModelWorker(asking, grace_seconds=0.01)
    run = asyncio.create_task(working.run())
    await queue.begun.wait()
    working.stop()

    async def leaves() -> bool:
        return working._leaving.is_set()

    await patience.until(leaves)
    if opens:
        queue.gate.set()
    await asyncio.wait_for(run, patience.SECONDS)


async def paid(stage: Stage) -> list[tuple[object, ...]]:
    return await stage.rows("SELECT prompt_tokens, calls FROM model_spent")


async def test_what_is_kept_in_time_is_done(stage: Stage) -> None:
    await left_while_it_keeps(stage, SlowQueue(stage.database, keeps_first=False), opens=True)
    assert await stage.rows("SELECT state, prompt_tokens FROM model_analysis") == [("done", 100)]
    assert await paid(stage) == ONCE


@pytest.mark.parametrize("keeps_first", [True, False])
async def test_what_takes_too_long_to_be_kept_is_paid_for_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, keeps_first: bool
) -> None:
    monkeypatch.setattr(modelling, "KEPT_SECONDS", 0.01)
    queue = SlowQueue(stage.database, keeps_first=keeps_first)
    await left_while_it_keeps(stage, queue, opens=False)
    state = "done" if keeps_first else "pending"
    assert await stage.rows("SELECT state, prompt_tokens FROM model_analysis") == [(state, 100)]
    assert await paid(stage) == ONCE


async def test_what_somebody_cancels_while_it_is_kept_is_paid_for_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelling, "KEPT_SECONDS", 0.01)
    queue = SlowQueue(stage.database, keeps_first=False)
    leaving = asyncio.create_task(left_while_it_keeps(stage, queue, opens=False))
    await queue.begun.wait()
    await stage.run("UPDATE model_analysis SET state = 'cancelled', lease = NULL")
    await leaving
    assert await stage.rows("SELECT state, prompt_tokens FROM model_analysis") == [
        ("cancelled", 100)
    ]
    assert await paid(stage) == ONCE


REFUSES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


@pytest.mark.parametrize("answers", [True, False])
async def test_what_was_answered_outlasts_an_outage_of_the_database(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """It is asked about once and paid for once, be it kept or failed."""
    monkeypatch.setattr(model_patience, "AGAIN_SECONDS", 0.05)
    async with stage.database.transaction() as conn:
        number = await modelled.article(stage, "one", "A word is here.")
        await queue_texts(conn, [number], use().wanted([TaskName.SUMMARY]))
    await stage.run(REFUSES)
    await stage.run(
        "CREATE TRIGGER refuses BEFORE UPDATE ON model_analysis FOR EACH ROW"
        " WHEN (old.state = 'running' AND new.state <> 'running') EXECUTE FUNCTION refuse()"
    )
    fault = None if answers else ModelError(ModelFault.TOO_LONG, "longer than its window")
    server = ScriptedServer(fault=fault)
    working = ModelWorker(Asking(stage.database, server, use(), first_words))
    with capture_logs() as logs:
        async with alongside(working.run()):

            async def waits() -> bool:
                return [one["event"] for one in logs].count("answer_waits") >= 3

            await patience.until(waits)
            await stage.run("DROP TRIGGER refuses ON model_analysis")

            async def written() -> bool:
                return await stage.value("SELECT state <> 'running' FROM model_analysis") is True

            await patience.until(written)
    state = ("done", 1, None) if answers else ("pending", 1, "too_long")
    assert await stage.rows("SELECT state, attempts, fault FROM model_analysis") == [state]
    assert len(server.asked) == 1
    assert await paid(stage) == (ONCE if answers else [(0, 1)])
