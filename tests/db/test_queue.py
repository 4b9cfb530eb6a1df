"""The queue: leases, fences, refunds, dead letters, and the invariant after each."""

import asyncio
from uuid import UUID, uuid4

import pytest

import make
from ctiscraper.db.queue import SUSPECT_AFTER, Held
from ctiscraper.errors import Reason
from ctiscraper.types import MAX_ATTEMPTS, Retry
from db.stage import Stage

URL = "https://acme.example/a/1"


async def _lapse(stage: Stage) -> None:
    await stage.run("UPDATE fetch_job SET lease_until = now() - interval '1 second'")


async def _state(stage: Stage) -> object:
    return await stage.value("SELECT state FROM fetch_job")


async def test_an_item_is_claimed_by_one_worker_alone(stage: Stage) -> None:
    await stage.announce([make.announced(f"{URL}{n}") for n in range(20)])
    workers = [uuid4() for _ in range(5)]
    claims = await asyncio.gather(
        *(stage.queue.claim("acme.example", w, seconds=60) for w in workers for _ in range(5))
    )
    jobs = [job.id for job in claims if job is not None]
    assert len(jobs) == len(set(jobs)) == 20


async def test_a_claim_returns_the_entry_as_it_was_announced(stage: Stage) -> None:
    entry = make.entry(URL, title="Ünïcode 'quotes' \\ \"x\" 🦠", content="<p>a</p>", tags=("x",))
    await stage.announce([make.announced(URL, entry=entry)])
    job = await stage.claim()
    assert (job.entry, job.attempts, job.url) == (entry, 1, URL)


async def test_the_attempt_counts_at_the_claim(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = await stage.claim()
        assert job.attempts == attempt
        await _lapse(stage)
        await stage.queue.reap()
    assert await _state(stage) == "dead"
    assert await stage.value("SELECT reason FROM fetch_job") == Reason.WORKER_LOST
    assert await stage.queue.claim("acme.example", stage.worker, seconds=60) is None


async def test_a_frozen_holder_that_wakes_writes_nothing(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    frozen = await stage.claim()
    await _lapse(stage)
    await stage.queue.reap()
    current = await stage.claim()
    assert await stage.keep(frozen, make.content(URL, "stale")) is None
    assert not await stage.queue.finish(frozen, "failed", "x", "", None)
    assert not await stage.queue.give_back(frozen, Retry(reason="x"))
    assert await stage.value("SELECT count(*) FROM article") == 0
    assert await stage.keep(current, make.content(URL, "fresh")) is not None
    assert await stage.keep(frozen, make.content(URL, "stale")) is None
    assert await stage.rows("SELECT text, revision FROM article") == [("fresh", 1)]


async def test_a_lease_that_is_over_goes_on_until_somebody_takes_it(stage: Stage) -> None:
    """After an outage of the database every lease is over, and nobody's fault is that."""
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    held = Held(jobs={job.lease_owner})
    await _lapse(stage)
    await stage.queue.renew(stage.worker, held, pid=1, seconds=500, done=0)
    assert await stage.queue.reap() == 0
    await _lapse(stage)
    assert await stage.queue.reap() == 1
    await stage.queue.renew(stage.worker, held, pid=1, seconds=500, done=0)
    assert await _state(stage) == "pending", "what was taken is not taken back"
    assert await stage.keep(job, make.content(URL, "stale")) is None


async def test_a_host_whose_lease_is_over_is_kept_until_somebody_takes_it(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    [mine] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    over = "UPDATE host SET lease_until = now() - interval '1 second'"
    await stage.run(over)
    await stage.queue.renew(stage.worker, Held(hosts={mine.owner}), pid=1, seconds=60, done=0)
    assert await stage.hosts.lease(uuid4(), limit=1, seconds=60) == []
    await stage.run(over)
    [other] = await stage.hosts.lease(uuid4(), limit=1, seconds=60)
    await stage.queue.renew(stage.worker, Held(hosts={mine.owner}), pid=1, seconds=600, done=0)
    assert await stage.rows(
        "SELECT lease_owner, lease_until < now() + interval '2 minutes' FROM host"
    ) == [(other.owner, True)]


async def test_only_what_was_lost_for_long_is_taken_by_who_cannot_know_of_outages(
    stage: Stage,
) -> None:
    await stage.announce([make.announced(URL)])
    await stage.claim()
    await _lapse(stage)
    assert await stage.queue.reap(lapsed_seconds=60) == 0
    assert await stage.queue.reap(lapsed_seconds=0.5) == 1


async def test_an_item_whose_claim_was_not_answered_goes_back_with_its_attempt(
    stage: Stage,
) -> None:
    """The worker lives and renews, but it does not know of it: nobody worked on it."""
    await stage.announce([make.announced(f"{URL}{n}") for n in range(3)])
    known, theirs = await stage.claim(), uuid4()
    await stage.claim()
    assert await stage.queue.claim("acme.example", theirs, seconds=60) is not None
    held = Held(jobs={known.lease_owner})
    await stage.queue.renew(stage.worker, held, pid=1, seconds=60, done=0)
    states = "SELECT state, attempts FROM fetch_job ORDER BY id"
    assert await stage.rows(states) == [("leased", 1)] * 3, "the answer may be on its way"
    await stage.run("UPDATE fetch_job SET lease_until = now() + interval '29 seconds'")
    await stage.queue.renew(stage.worker, held, pid=1, seconds=60, done=0)
    assert await stage.rows(states) == [("leased", 1), ("pending", 0), ("leased", 1)]
    assert await stage.value("SELECT work_at <= now() FROM host") is True


async def test_a_host_whose_lease_was_not_answered_runs_out(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    ends = "SELECT lease_until, lease_owner FROM host"
    [(before, owner)] = await stage.rows(ends)
    await stage.queue.renew(stage.worker, Held(), pid=1, seconds=500, done=0)
    assert await stage.rows(ends) == [(before, owner)]
    held = Held(hosts={UUID(str(owner))})
    await stage.queue.renew(stage.worker, held, pid=1, seconds=500, done=0)
    assert await stage.rows(ends) != [(before, owner)]


async def test_a_refund_burns_no_attempt(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    for _ in range(MAX_ATTEMPTS * 3):
        job = await stage.claim()
        assert job.attempts == 1
        assert await stage.queue.give_back(job, Retry(reason="storage", refund=True))
    assert await _state(stage) == "pending"


async def test_a_host_try_is_counted_apart(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.queue.give_back(
        await stage.claim(), Retry(reason="timeout", refund=True, host_try=True)
    )
    job = await stage.claim()
    assert (job.attempts, job.host_tries) == (1, 1)


async def test_turns_that_were_too_far_away_are_counted_in_a_row(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    seen = []
    for reason in (Reason.HOST_BUSY, Reason.HOST_BUSY, Reason.TIMEOUT, Reason.HOST_BUSY):
        job = await stage.claim()
        seen.append(job.busy_turns)
        turns = job.busy_turns + 1 if reason is Reason.HOST_BUSY else 0
        await stage.queue.give_back(job, Retry(reason=reason, refund=True, busy_turns=turns))
    assert seen == [0, 1, 2, 0]
    lost = await stage.claim()
    assert lost.busy_turns == 1
    await _lapse(stage)
    await stage.queue.reap()
    assert (await stage.claim()).busy_turns == 0, "something else came between"


async def test_the_last_attempt_given_back_is_dead(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    for _ in range(MAX_ATTEMPTS):
        await stage.queue.give_back(await stage.claim(), Retry(reason="parser_crash"))
    assert await _state(stage) == "dead"


async def test_an_item_put_off_is_not_claimed_before_its_time(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.queue.give_back(await stage.claim(), Retry(reason="x", delay=3600, refund=True))
    assert await stage.queue.claim("acme.example", stage.worker, seconds=60) is None


@pytest.mark.parametrize("state", ["dead", "failed"])
async def test_dead_and_failed_items_can_be_retried(stage: Stage, state: str) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    await stage.queue.finish(job, state, "not_found", "404", None)
    assert await stage.queue.retry([job.id]) == 1
    again = await stage.claim()
    assert (again.id, again.attempts) == (job.id, 1)


async def test_a_discarded_item_stays_counted_and_is_not_retried(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    await stage.queue.finish(job, "failed", "gone", "410", None)
    assert await stage.queue.discard([job.id]) == 1
    assert await stage.queue.retry([job.id]) == 0
    assert (await stage.accounting()).filtered == 1


async def test_a_released_item_passes_its_gates(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    await stage.queue.finish(job, "filtered", "too_short", "12 characters", None)
    assert await stage.queue.release([job.id]) == 1
    assert (await stage.claim()).released


async def test_a_stopping_worker_gives_everything_back_unharmed(stage: Stage) -> None:
    await stage.announce([make.announced(f"{URL}{n}") for n in range(3)])
    for _ in range(3):
        await stage.claim()
    await stage.queue.retire(stage.worker)
    assert [(await stage.claim()).attempts for _ in range(3)] == [1, 1, 1]


async def test_reprocessing_reads_the_kept_snapshot_again(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    snapshot = stage.snapshot("body")
    await stage.keep(await stage.claim(), make.content(URL), snapshot)
    assert await stage.queue.reprocess(source_key="acme", article_ids=None) == 1
    assert await stage.queue.reprocess(source_key="other", article_ids=None) == 0
    job = await stage.claim()
    assert job.snapshot_id is not None
    kept = await stage.store.snapshot(job.snapshot_id)
    assert kept == snapshot
    await stage.keep(job, make.content(URL, "read better"))
    assert await stage.rows("SELECT text, revision FROM article") == [("read better", 2)]
    assert await stage.value("SELECT cause FROM article_revision") == "reprocessed"


async def test_premium_items_of_a_host_come_first(stage: Stage) -> None:
    basic = make.settings("basic", "acme.example", tier="basic")
    premium = make.settings("premium", "acme.example", tier="premium")
    await stage.announce([make.announced(f"{URL}basic")], basic)
    await stage.sources.remove("basic", actor="test")
    await stage.run("UPDATE fetch_job SET state = 'pending'")
    await stage.announce([make.announced(f"{URL}premium")], premium)
    assert (await stage.claim()).url == f"{URL}premium"


async def test_an_item_that_may_have_ended_workers_waits_to_be_worked_on_alone(
    stage: Stage,
) -> None:
    await stage.announce([make.announced(f"{URL}suspect"), make.announced(f"{URL}fresh")])
    for _ in range(SUSPECT_AFTER):
        assert (await stage.claim()).url == f"{URL}suspect"
        await _lapse(stage)
        await stage.queue.reap()
    fresh = await stage.queue.claim("acme.example", stage.worker, seconds=60, suspects=False)
    assert fresh is not None
    assert fresh.url == f"{URL}fresh"
    none = await stage.queue.claim("acme.example", stage.worker, seconds=60, suspects=False)
    assert none is None
    assert await stage.queue.has_suspects("acme.example")
    assert (await stage.claim()).url == f"{URL}suspect"
    assert not await stage.queue.has_suspects("acme.example")


async def test_a_second_look_that_uses_up_its_attempts_leaves_the_article(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.keep(await stage.claim(), make.content(URL))
    await stage.run("UPDATE fetch_job SET state = 'pending', attempts = 0")
    assert (await stage.accounting()).stored == 1, "it is kept, whatever is looked at again"
    for _ in range(MAX_ATTEMPTS):
        await stage.claim()
        await _lapse(stage)
        await stage.queue.reap()
    assert await _state(stage) == "stored"


async def test_an_item_that_comes_back_after_its_host_is_still_looked_for(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    [lease] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    job = await stage.queue.claim(lease.host, stage.worker, seconds=60, under=lease.owner)
    assert job is not None
    await stage.hosts.release(lease)
    assert await stage.queue.give_back(job, Retry(reason=Reason.DATABASE, refund=True, delay=30))
    assert await stage.hosts.lease(uuid4(), limit=1, seconds=60) == []
    assert await stage.value("SELECT work_at = (SELECT run_after FROM fetch_job) FROM host")
    await stage.run("UPDATE fetch_job SET run_after = now()")
    await stage.run("UPDATE host SET work_at = work_at - interval '30 seconds'")
    [again] = await stage.hosts.lease(uuid4(), limit=1, seconds=60)
    assert again.items_due


async def test_an_item_that_is_dead_wakes_no_host(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    await stage.run("UPDATE fetch_job SET attempts = 5")
    before = await stage.value("SELECT work_at FROM host")
    assert await stage.queue.give_back(job, Retry(reason=Reason.INTERNAL, delay=-3600))
    assert await _state(stage) == "dead"
    assert await stage.value("SELECT work_at FROM host") == before
