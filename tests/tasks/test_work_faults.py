"""A worker whose own parts fail: what it holds is safe, and it goes on by itself."""

import asyncio
from uuid import UUID, uuid4

import pytest
from psycopg.errors import DataError
from structlog.testing import capture_logs

from ctiscraper.db.checks import SourceLease
from ctiscraper.db.queue import SUSPECT_AFTER
from ctiscraper.errors import FetchError, Reason, Scope, StorageError
from ctiscraper.tasks import holding, work
from ctiscraper.tasks.work import Worker
from ctiscraper.types import CheckSummary, FetchJob
from patience import until
from tasks.yard import Yard, raises


async def test_a_refund_is_owed_until_the_database_takes_it_and_nothing_is_taken_meanwhile(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(work, "OURS_SECONDS", 0.1)
    away = iter([StorageError(Reason.DATABASE, "away")] * 20)
    put_back, leased = yard.script.put_back, []

    async def sometimes(job: FetchJob, error: StorageError) -> None:
        leased.append(await yard.value("SELECT count(*) FROM fetch_job WHERE state = 'leased'"))
        for refused in away:
            raise refused
        await put_back(job, error)

    monkeypatch.setattr(yard.script, "put_back", sometimes)
    yard.script.acts["one.example"] = raises(StorageError(Reason.DATABASE, "gone"))
    await yard.hold("one.example", 3)
    await yard.work()
    assert set(leased) == {1}
    assert len(leased) > 20
    jobs = await yard.jobs("one.example")
    assert jobs[0] == ("pending", Reason.DATABASE, 0)
    assert {attempts for _, _, attempts in jobs} == {0}


async def test_settings_that_cannot_be_read_burn_no_attempt(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: int) -> None:
        raise StorageError(Reason.DATABASE, "gone")

    monkeypatch.setattr(yard.sources, "by_id", away)
    await yard.hold("one.example", 1)
    await yard.work()
    assert await yard.jobs("one.example") == [("pending", Reason.DATABASE, 0)]
    assert await yard.nothing_held()


async def test_settings_that_nobody_can_read_cost_the_item_its_attempts(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(yard.sources, "by_id", broken)
    await yard.hold("one.example", 1)
    await yard.work()
    assert await yard.jobs("one.example") == [("pending", Reason.INTERNAL, 1)]


async def test_an_outage_of_the_database_while_leasing_is_survived(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = yard.hosts.lease
    away = iter([StorageError(Reason.DATABASE, "restarting")] * 3)

    async def sometimes(*args: object, **named: object) -> object:
        for refused in away:
            raise refused
        return await lease(*args, **named)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(yard.hosts, "lease", sometimes)
    await yard.hold("one.example", 2)
    assert (await yard.work()).items == 2


async def test_what_nobody_foresaw_in_upkeep_ends_none_of_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(holding, "SPARE_SECONDS", 0.0)
    monkeypatch.setattr(work, "UPKEEP_SECONDS", 0.01)
    calls = dict.fromkeys(("renew", "reap", "link"), 0)
    enough = asyncio.Event()

    def breaks(name: str) -> object:
        async def broken(*_: object, **__: object) -> None:
            calls[name] += 1
            if min(calls.values()) >= 3:
                enough.set()
            raise DataError("integer out of range")

        return broken

    worker = Worker(yard.services)
    # Long in contact: else nothing is taken back, and that is what is broken here.
    monkeypatch.setattr(worker.holding._contact, "_since", -1e6)
    monkeypatch.setattr(worker.holding._contact, "_last", worker.holding.clock())
    for part, name in ((yard.queue, "renew"), (yard.queue, "reap"), (yard.script, "link")):
        monkeypatch.setattr(part, name, breaks(name))
    with capture_logs() as logs:
        running = asyncio.create_task(worker.run())
        await asyncio.wait_for(enough.wait(), 30)
        worker.stop()
        await running
    told = {entry["step"] for entry in logs if entry["event"] == "upkeep_broke"}
    assert told == {"renew", "reap", "compare"}


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_an_item_or_a_check_that_never_ends_is_cut_off_and_the_rest_goes_on(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LONGEST_SECONDS", 0.05)
    await yard.hold("one.example", 1)
    await yard.hold("two.example", 1)
    yard.script.acts["one.example"] = _never
    await yard.work()
    assert await yard.jobs("one.example") == [("pending", Reason.INTERNAL, 1)]
    assert "0.05" in str(await yard.value("SELECT max(detail) FROM fetch_job"))
    assert await yard.jobs("two.example") == [("failed", "test", 1)]
    monkeypatch.setattr(yard.script, "check", _never)
    await yard.run("UPDATE source_state SET next_check_at = now() WHERE host = 'two.example'")
    await yard.run("UPDATE fetch_job SET state = 'pending' WHERE host = 'two.example'")
    await yard.run("UPDATE host SET work_at = now()")
    await yard.work()
    told = "SELECT reason, detail FROM source_check ORDER BY id DESC LIMIT 1"
    assert await yard.rows(told) == [(Reason.TIMEOUT, "no end within 0.05 s")]
    assert await yard.value("SELECT bool_and(next_check_at > now()) FROM source_state") is True
    assert await yard.jobs("two.example") == [("failed", "test", 2)], "its items have their turn"
    assert await yard.nothing_held()


async def test_a_worker_that_lost_its_host_meanwhile_asks_it_no_more(yard: Yard) -> None:
    """As one that was frozen, and wakes up with an item in its hand."""
    taken: list[UUID] = []

    async def lose_host(_: FetchJob) -> None:
        await yard.run("UPDATE host SET lease_until = now() - interval '1 second'")
        [lease] = await yard.hosts.lease(uuid4(), limit=1, seconds=60)
        taken.append(lease.owner)

    yard.script.acts["one.example"] = lose_host
    await yard.hold("one.example", 5)
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    await until(lambda: _drained(worker, yard))
    assert len(yard.script.done) == 1
    assert await yard.value("SELECT lease_owner FROM host") == taken[0]
    worker.stop()
    await running


async def _drained(worker: Worker, yard: Yard) -> bool:
    return bool(yard.script.done) and not worker._drains


async def test_a_host_without_suspects_waits_for_none(yard: Yard) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def suspect(_: FetchJob) -> None:
        begun.set()
        await go_on.wait()

    async def after_it(_: FetchJob) -> None:
        await begun.wait()

    yard.script.acts |= {"two.example": suspect, "one.example": after_it}
    await yard.hold("one.example", 3)
    await yard.hold("two.example", 1)
    await yard.run(f"UPDATE fetch_job SET attempts = {SUSPECT_AFTER} WHERE host = 'two.example'")
    working = asyncio.create_task(yard.work())

    async def is_free() -> bool:
        held = "SELECT count(*) FROM host WHERE host = 'one.example' AND lease_owner IS NOT NULL"
        return len(yard.script.done) == 3 and await yard.value(held) == 0

    await until(is_free)
    assert not working.done()
    go_on.set()
    assert (await working).items == 4


async def test_suspects_of_two_hosts_are_worked_on_one_after_the_other(yard: Yard) -> None:
    at_work, most = 0, 0

    async def suspect(job: FetchJob) -> None:
        nonlocal at_work, most
        del job
        at_work += 1
        most = max(most, at_work)
        for _ in range(20):
            await yard.value("SELECT 1")
        at_work -= 1

    for host in ("one.example", "two.example"):
        yard.script.acts[host] = suspect
        await yard.hold(host, 2)
    await yard.run(f"UPDATE fetch_job SET attempts = {SUSPECT_AFTER}")
    assert (await yard.work()).items == 4
    assert most == 1


@pytest.mark.parametrize(
    ("error", "rests"),
    [
        (FetchError(Reason.RATE_LIMITED, retry_after=600.0, url="https://one.example/feed"), True),
        (FetchError(Reason.SERVER_ERROR, url="https://elsewhere.example/feed"), False),
        (FetchError(Reason.NOT_FOUND, scope=Scope.ITEM, url="https://one.example/feed"), False),
    ],
)
async def test_a_host_that_asks_for_a_rest_is_asked_for_no_item_either(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, error: FetchError, rests: bool
) -> None:
    check = yard.script.check

    async def refused(lease: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        summary, _ = await check(lease)
        return summary, error

    monkeypatch.setattr(yard.script, "check", refused)
    await yard.hold("one.example", 2)
    await yard.run("UPDATE source_state SET next_check_at = now()")
    await yard.work()
    assert yard.script.checked == ["one"]
    assert len(yard.script.done) == (0 if rests else 2)
