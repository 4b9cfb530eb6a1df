"""Checks that do not end: by a fault of nobody's, by ours, or because they end their worker."""

import asyncio

import pytest

import make
from ctiscraper.db.checks import SourceLease
from ctiscraper.db.queue import SUSPECT_AFTER
from ctiscraper.errors import FetchError, Reason, StorageError
from ctiscraper.tasks import work
from ctiscraper.tasks.work import Worker
from ctiscraper.types import CheckSummary, FetchJob
from tasks.yard import Yard

LAST = "SELECT reason, detail FROM source_check ORDER BY id DESC LIMIT 1"
TRIES = "SELECT tries FROM source_state"


async def test_what_nobody_foresaw_in_a_check_is_told_and_backs_off(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: SourceLease) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(yard.script, "check", broken)
    await yard.hold("one.example", 1)
    await yard.check_again()
    assert await yard.rows(LAST) == [(Reason.INTERNAL, "ZeroDivisionError: by zero")]
    assert await yard.value("SELECT next_check_at > now() FROM source_state") is True
    assert await yard.jobs("one.example") == [("failed", "test", 1)], "its items have their turn"


async def test_a_check_that_our_own_outage_cuts_off_is_not_counted(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "OURS_SECONDS", 0.0)
    give_back, repay = yard.checks.give_back, iter([StorageError(Reason.DATABASE, "away")] * 3)
    tries: list[object] = []

    async def away(_: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        tries.append(await yard.value(TRIES))
        raise StorageError(Reason.DATABASE, "away")

    async def sometimes(lease: SourceLease, *, seconds: float) -> None:
        for refused in repay:
            raise refused
        await give_back(lease, seconds=seconds)

    monkeypatch.setattr(yard.script, "check", away)
    monkeypatch.setattr(yard.checks, "give_back", sometimes)
    await yard.hold("one.example", 0)
    await yard.run("UPDATE source_state SET next_check_at = now()")
    await yard.work()
    assert (tries, await yard.value(TRIES)) == ([1], 0), "owed until the database took it"
    assert await yard.value("SELECT lease_owner FROM source_state") is None


async def test_a_check_that_a_stop_cuts_off_is_not_counted(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "GRACE_SECONDS", 0.0)
    begun = asyncio.Event()

    async def never(_: SourceLease) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(yard.script, "check", never)
    await yard.hold("one.example", 0)
    await yard.run("UPDATE source_state SET next_check_at = now()")
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(begun.wait(), 30)
    assert await yard.value(TRIES) == 1
    worker.stop()
    await running
    assert await yard.rows("SELECT tries, lease_owner FROM source_state") == [(0, None)]
    due = "SELECT work_at = (SELECT next_check_at FROM source_state) FROM host"
    assert await yard.value(due) is True


async def test_a_check_that_may_have_ended_workers_is_beside_no_suspect(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, beside = 0, []

    async def alone() -> None:
        nonlocal at_work
        at_work += 1
        beside.append(at_work)
        for _ in range(20):
            await yard.value("SELECT 1")
        at_work -= 1

    async def item(_: FetchJob) -> None:
        await alone()

    async def check(lease: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        await alone()
        return await yard.checks.record(lease, make.summary(), make.standing()), None

    yard.script.acts["one.example"] = item
    monkeypatch.setattr(yard.script, "check", check)
    await yard.hold("two.example", 0)
    await yard.hold("one.example", 1)
    await yard.run("UPDATE source_state SET next_check_at = now() WHERE host = 'two.example'")
    await yard.run(f"UPDATE source_state SET tries = {SUSPECT_AFTER} WHERE host = 'two.example'")
    await yard.run(f"UPDATE fetch_job SET attempts = {SUSPECT_AFTER}")
    await yard.run("UPDATE host SET work_at = now()")
    await yard.work()
    assert beside == [1, 1]
    assert await yard.value("SELECT max(tries) FROM source_state") == 0
