"""A worker over a real queue, its pipeline scripted: what it leases, counts, refunds and leaves."""

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from ctiscraper.collect.schedule import BREAKER_THRESHOLD
from ctiscraper.collect.tiers import SHARES, TierShare
from ctiscraper.config import Settings
from ctiscraper.db.queue import Held
from ctiscraper.errors import FetchError, Reason, Scope, StorageError
from ctiscraper.tasks import holding, work
from ctiscraper.tasks.work import Worker
from ctiscraper.types import FetchJob, Tier
from make_scores import ScoredShelf
from patience import until
from tasks.yard import Yard, raises
from web.shelf import Shelf


async def test_a_single_round_does_all_that_is_due_and_gives_everything_back(
    yard: Yard,
) -> None:
    for host in ("one.example", "two.example"):
        await yard.hold(host, 3)
    tally = await yard.work()
    assert (tally.items, tally.failures) == (6, 0)
    assert len(set(yard.script.done)) == 6
    assert await yard.nothing_held()


async def test_only_the_hosts_of_the_asked_source_are_worked(yard: Yard) -> None:
    await yard.hold("one.example", 2)
    await yard.hold("two.example", 2)
    source = await yard.sources.get("two")
    await yard.work(source.id)
    assert {url.split("/")[2] for url in yard.script.done} == {"two.example"}
    assert await yard.jobs("one.example") == [("pending", None, 0)] * 2


async def test_due_sources_are_checked_before_their_hosts_items(yard: Yard) -> None:
    await yard.hold("one.example", 1)
    await yard.run("UPDATE source_state SET next_check_at = now()")
    tally = await yard.work()
    assert (tally.checks, tally.items, yard.script.checked) == (1, 1, ["one"])


async def test_what_nobody_foresaw_costs_its_item_an_attempt_and_no_other_anything(
    yard: Yard,
) -> None:
    yard.script.acts["bad.example"] = raises(ZeroDivisionError("of our own"))
    await yard.hold("bad.example", 1)
    await yard.hold("good.example", 2)
    await yard.work()
    assert await yard.jobs("bad.example") == [("pending", Reason.INTERNAL, 1)]
    assert await yard.jobs("good.example") == [("failed", "test", 1)] * 2
    for _ in range(4):
        await yard.run("UPDATE fetch_job SET run_after = now()")
        await yard.run("UPDATE host SET work_at = now()")
        await yard.work()
    assert await yard.jobs("bad.example") == [("dead", Reason.INTERNAL, 5)]
    detail = await yard.value("SELECT detail FROM fetch_job WHERE state = 'dead'")
    assert detail == "ZeroDivisionError: of our own"


async def test_our_own_outage_burns_no_attempt(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "OURS_SECONDS", 0.1)
    yard.script.acts["one.example"] = raises(StorageError(Reason.STORAGE, "the disk is full"))
    await yard.hold("one.example", 2)
    await yard.work()
    assert await yard.jobs("one.example") == [("pending", Reason.STORAGE, 0)] * 2
    assert await yard.value("SELECT open_until IS NOT NULL FROM host"), "it was let be meanwhile"
    assert await yard.nothing_held()


async def test_being_offline_is_counted_against_no_host(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "OURS_SECONDS", 0.1)

    async def offline(_: FetchJob) -> FetchError:
        return FetchError(Reason.OFFLINE, scope=Scope.OURS)

    yard.script.acts["one.example"] = offline
    await yard.hold("one.example", BREAKER_THRESHOLD + 1)
    await yard.work()
    assert await yard.jobs("one.example") == [("pending", Reason.OFFLINE, 0)] * 6
    assert await yard.rows("SELECT failures FROM host") == [(0,)]


async def test_a_host_that_fails_in_a_row_is_left_alone_and_delays_no_other(
    yard: Yard,
) -> None:
    async def down(job: FetchJob) -> FetchError:
        return FetchError(Reason.CONNECT, "refused", url=job.url)

    yard.script.acts["down.example"] = down
    await yard.hold("down.example", BREAKER_THRESHOLD + 3)
    await yard.hold("up.example", 3)
    for _ in range(BREAKER_THRESHOLD + 1):
        await yard.work()
        await yard.run("UPDATE host SET work_at = now()")
    asked = [url for url in yard.script.done if "down" in url]
    assert len(asked) == BREAKER_THRESHOLD
    assert await yard.jobs("up.example") == [("failed", "test", 1)] * 3
    rows = await yard.rows(
        "SELECT failures, reason, open_until > now() FROM host WHERE host = 'down.example'"
    )
    assert rows == [(BREAKER_THRESHOLD, Reason.CONNECT, True)]


async def test_one_probe_is_made_when_the_rest_is_over_and_an_answer_closes_the_breaker(
    yard: Yard,
) -> None:
    async def down(job: FetchJob) -> FetchError:
        return FetchError(Reason.CONNECT, "refused", url=job.url)

    await yard.hold("one.example", 4)
    await yard.run(f"UPDATE host SET failures = {BREAKER_THRESHOLD}, open_until = now()")
    yard.script.acts["one.example"] = down
    await yard.work()
    assert len(yard.script.done) == 1
    assert await yard.value("SELECT open_until > now() FROM host") is True
    yard.script.acts.clear()
    await yard.run("UPDATE host SET open_until = now(), work_at = now()")
    await yard.work()
    assert await yard.rows("SELECT failures, open_until FROM host") == [(0, None)]


async def test_waiting_for_a_turn_elsewhere_says_nothing_for_or_against_a_host(yard: Yard) -> None:
    async def busy(_: FetchJob) -> FetchError:
        away = "https://two.example/x"
        return FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=180.0, url=away)

    yard.script.acts["one.example"] = busy
    await yard.hold("one.example", 2)
    await yard.run("UPDATE host SET failures = 3")
    await yard.work()
    assert await yard.rows("SELECT failures FROM host") == [(3,)]
    rows = await yard.rows("SELECT state, attempts, host_tries FROM fetch_job")
    assert rows == [("pending", 0, 0)] * 2


@pytest.mark.parametrize(("retry_after", "rest"), [(600.0, 600), (None, 60), (0.0, 60)])
async def test_a_host_that_asks_us_to_wait_is_not_asked_meanwhile(
    yard: Yard, retry_after: float | None, rest: int
) -> None:
    async def wait(job: FetchJob) -> FetchError:
        return FetchError(Reason.RATE_LIMITED, retry_after=retry_after, url=job.url)

    yard.script.acts["one.example"] = wait
    await yard.hold("one.example", 3)
    await yard.work()
    assert len(yard.script.done) == 1
    rests = f"SELECT open_until > now() + interval '{rest - 30} seconds' FROM host"
    assert await yard.value(rests) is True


async def test_a_fault_of_the_host_redirected_to_counts_against_that_one(yard: Yard) -> None:
    async def elsewhere(_: FetchJob) -> FetchError:
        return FetchError(Reason.CONNECT, url="https://two.example/x")

    yard.script.acts["one.example"] = elsewhere
    await yard.hold("one.example", 2)
    await yard.hold("two.example", 0)
    await yard.work()
    assert len(yard.script.done) == 2
    assert await yard.rows("SELECT host, failures FROM host ORDER BY host") == [
        ("one.example", 0),
        ("two.example", 2),
    ]


async def test_a_host_gives_up_its_place_after_its_tiers_turn(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHARES, Tier.BASIC, TierShare(turn=2, weight=0.3))
    leases: list[str] = []
    lease = yard.hosts.lease

    async def counted(*args: object, **named: object) -> object:
        got = await lease(*args, **named)  # type: ignore[arg-type]  # passed through
        leases.extend(one.host for one in got)
        return got

    monkeypatch.setattr(yard.hosts, "lease", counted)
    await yard.hold("basic.example", 5, Tier.BASIC)
    await yard.work()
    assert len(yard.script.done) == 5
    assert leases == ["basic.example"] * 3


async def test_a_stopped_worker_ends_its_items_and_claims_no_more(yard: Yard) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: FetchJob) -> None:
        begun.set()
        await go_on.wait()

    yard.script.acts["one.example"] = slow
    await yard.hold("one.example", 3)
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    go_on.set()
    assert (await running).items == 1
    assert await yard.jobs("one.example") == [
        ("failed", "test", 1),
        ("pending", None, 0),
        ("pending", None, 0),
    ]
    assert await yard.nothing_held()


async def test_what_does_not_end_in_time_is_given_back_with_its_attempt(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "GRACE_SECONDS", 0.05)
    begun = asyncio.Event()

    async def never(_: FetchJob) -> None:
        begun.set()
        await asyncio.Event().wait()

    yard.script.acts["one.example"] = never
    await yard.hold("one.example", 1)
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    await running
    assert await yard.jobs("one.example") == [("pending", None, 0)]
    assert await yard.nothing_held()
    assert await yard.value("SELECT work_at <= now() FROM host") is True


async def test_a_living_worker_renews_what_it_works_on(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "TURN_SECONDS", 0.0)
    begun, renewed = asyncio.Event(), asyncio.Event()
    renew = yard.queue.renew
    ends = "SELECT j.lease_until, h.lease_until FROM fetch_job j JOIN host h USING (host)"

    async def told(worker: UUID, held: Held, *, pid: int, seconds: float, done: int) -> None:
        counts = bool(held.jobs) and begun.is_set()
        await renew(worker, held, pid=pid, seconds=seconds, done=done)
        if counts:
            renewed.set()

    async def long(_: FetchJob) -> None:
        [before] = await yard.rows(ends)
        begun.set()
        await renewed.wait()
        [after] = await yard.rows(ends)
        assert all(new > old for old, new in zip(before, after, strict=True))  # type: ignore[operator]  # moments
        assert await yard.value("SELECT count(*) FROM worker_heartbeat") == 1

    monkeypatch.setattr(yard.queue, "renew", told)
    yard.script.acts["one.example"] = long
    await yard.hold("one.example", 1)
    brief = Settings(data_dir=tmp_path, lease_seconds=4)
    await Worker(replace(yard.services, settings=brief), once=True).run()
    assert await yard.jobs("one.example") == [("failed", "test", 1)]


async def test_a_host_that_could_not_be_given_back_is_not_held_for_ever(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StorageError(Reason.DATABASE, "restarting")

    await yard.hold("one.example", 1)
    monkeypatch.setattr(yard.hosts, "release", away)
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(30):
        while not yard.script.done or worker.holding.held.hosts:  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0)
    await yard.queue.renew(worker.identity, worker.holding.held, pid=1, seconds=600, done=1)
    ends = "SELECT lease_until < now() + interval '2 minutes' FROM host"
    assert await yard.value(ends) is True, "its first minute, and no more"
    worker.stop()
    await running


async def test_scores_that_are_stale_are_made_anew_meanwhile(yard: Yard, database: str) -> None:
    scored = ScoredShelf(Shelf(database))
    number = scored.article("Actively exploited zero-day", "words")
    await scored.join(yard.database)
    before = scored.score(number)
    await yard.run("UPDATE article_score SET score = 0, stale_at = now()")

    async def is_anew() -> bool:
        return scored.score(number) == before

    worker = Worker(yard.services)
    working = asyncio.create_task(worker.run())
    await until(is_anew)
    worker.stop()
    await working
