"""Hosts: one worker at a time, one pace for all, and no work forgotten."""

import asyncio
import itertools
from uuid import UUID, uuid4

import pytest

import make
from ctiscraper.db.hosts import HOST_IS_OURS, HostLease
from ctiscraper.db.queue import Held
from ctiscraper.errors import ConflictError
from ctiscraper.types import RobotsRecord, Tier
from db.stage import Stage

HOST = "acme.example"


async def test_a_host_is_leased_to_one_worker(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    leases = await asyncio.gather(
        *(stage.hosts.lease(uuid4(), limit=10, seconds=60) for _ in range(8))
    )
    assert [lease.host for held in leases for lease in held] == [HOST]


async def test_a_lapsed_lease_is_taken_over(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    [first] = await stage.hosts.lease(uuid4(), limit=1, seconds=60)
    await stage.run("UPDATE host SET lease_until = now() - interval '1 second'")
    [second] = await stage.hosts.lease(uuid4(), limit=1, seconds=60)
    assert second.owner != first.owner
    await stage.hosts.release(first)
    assert await stage.hosts.lease(uuid4(), limit=1, seconds=60) == []


async def test_a_released_host_waits_for_its_next_work(stage: Stage) -> None:
    await stage.announce([make.announced("https://acme.example/a/1")])
    [lease] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    job = await stage.claim()
    await stage.keep(job, make.content(job.url))
    await stage.hosts.release(lease)
    assert await stage.hosts.lease(stage.worker, limit=1, seconds=60) == []
    assert await stage.value("SELECT work_at > now() + interval '50 minutes' FROM host")


async def test_hosts_given_back_together_are_each_given_back(stage: Stage) -> None:
    for n in range(40):
        settings = make.settings(key=f"s{n}", url=f"https://h{n}.example/", feed_url=None)
        await stage.sources.add(settings, actor="test")
    leases = await stage.hosts.lease(stage.worker, limit=40, seconds=60)
    [lost, *ours] = leases
    other = uuid4()
    await stage.run(f"UPDATE host SET lease_owner = '{other}' WHERE host = '{lost.host}'")

    await asyncio.gather(*map(stage.hosts.release, leases))

    assert len(ours) == 39
    assert await stage.rows("SELECT host, lease_owner FROM host WHERE lease_owner IS NOT NULL") == [
        (lost.host, other)
    ]
    assert await stage.value("SELECT count(*) FROM host WHERE work_at <= now()") == 39


async def test_the_robots_of_many_origins_are_told_apart(stage: Stage) -> None:
    origins = [f"https://h{n}.example" for n in range(20)]
    now = stage.database.clock()
    for origin in origins[1:]:
        await stage.hosts.save_robots(
            RobotsRecord(origin=origin, status=200, body=origin, fetched_at=now)
        )

    found = await asyncio.gather(*map(stage.hosts.robots, origins))

    assert found[0] is None
    assert [record.body for record in found[1:] if record is not None] == origins[1:]


async def test_work_made_while_a_host_is_leased_is_not_forgotten(stage: Stage) -> None:
    await stage.announce([])
    [lease] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    await stage.announce([make.announced("https://acme.example/a/1")])
    await stage.hosts.release(lease)
    assert len(await stage.hosts.lease(stage.worker, limit=1, seconds=60)) == 1


async def test_a_host_has_the_rank_of_the_best_work_it_has(stage: Stage) -> None:
    await stage.announce([make.announced("https://acme.example/a/1")])
    for tier, rank in ((Tier.PREMIUM, 0), (Tier.BASIC, 2), (Tier.STANDARD, 1)):
        await stage.sources.update("acme", make.settings(tier=tier), actor="test")
        assert await stage.rows(
            "SELECT h.rank, j.rank FROM host h JOIN fetch_job j USING (host)"
        ) == [(rank, rank)]
        others = [other for other in Tier if other is not tier]
        assert await stage.hosts.lease(stage.worker, limit=1, seconds=60, tiers=others) == []
    [lease] = await stage.hosts.lease(stage.worker, limit=1, seconds=60, tiers=[Tier.STANDARD])
    assert lease.tier is Tier.STANDARD


async def test_workers_share_what_is_due(stage: Stage) -> None:
    for n in range(4):
        await stage.sources.add(make.settings(f"s{n}", f"s{n}.example"), actor="test")
    for _ in range(2):
        await stage.queue.renew(uuid4(), Held(), pid=1, seconds=60, done=0)
    taken = [len(await stage.hosts.lease(uuid4(), limit=9, seconds=60)) for _ in range(4)]
    assert taken == [2, 1, 1, 0]


async def test_slots_of_a_host_are_a_gap_apart_for_all_workers(stage: Stage) -> None:
    found = await asyncio.gather(*(stage.hosts.reserve(HOST, 100.0, 1000.0) for _ in range(6)))
    waits = sorted(wait for wait in found if wait is not None)
    assert len(waits) == 6
    gaps = [later - earlier for earlier, later in itertools.pairwise(waits)]
    assert waits[0] == 0
    assert all(60 < gap <= 100 for gap in gaps)


async def test_a_slot_that_is_too_far_away_is_not_taken(stage: Stage) -> None:
    waits = [await stage.hosts.reserve(HOST, 100.0, 250.0) for _ in range(5)]
    assert [wait is not None for wait in waits] == [True, True, True, False, False]
    ends = "SELECT next_allowed_at < now() + interval '301 seconds', requests FROM host"
    assert await stage.rows(ends) == [(True, 3)]


async def test_those_led_to_a_host_do_not_keep_it_from_its_turn(stage: Stage) -> None:
    await stage.announce([make.announced(f"https://acme.example/a/{n}") for n in range(2)])

    async def leased() -> int:
        """How often the host has its turn, while others are led to it all the time."""
        while await stage.hosts.reserve(HOST, 60.0, 120.0) is not None:
            pass
        leases = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
        for lease in leases:
            await stage.hosts.release(lease)
        return len(leases)

    assert await leased() == 0
    await stage.run("UPDATE fetch_job SET run_after = now() - interval '1 day'")
    await stage.run("UPDATE host SET work_at = now() - interval '1 day'")
    assert [await leased() for _ in range(2)] == [1, 0], "no second one before its gap"
    await stage.run("UPDATE host SET turn_at = turn_at - interval '121 seconds'")
    assert await leased() == 1


async def test_a_resting_host_is_left_alone(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    await stage.hosts.rest(HOST, 3600)
    assert await stage.hosts.lease(stage.worker, limit=1, seconds=60) == []
    await stage.sources.check_now("acme")
    assert len(await stage.hosts.lease(stage.worker, limit=1, seconds=60)) == 1


async def test_the_check_of_a_paused_source_leaves_its_host_resting(stage: Stage) -> None:
    await stage.sources.add(make.settings(active=False), actor="test")
    await stage.sources.add(make.settings("other"), actor="test")
    await stage.hosts.failed(HOST, "timeout", "")
    await stage.hosts.rest(HOST, 3600)
    before = await stage.rows("SELECT failures, open_until, work_at FROM host")
    with pytest.raises(ConflictError, match="is paused: resume it first"):
        await stage.sources.check_now("acme")
    assert await stage.rows("SELECT failures, open_until, work_at FROM host") == before


async def test_failures_count_in_a_row_until_an_answer(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    assert [await stage.hosts.failed(HOST, "timeout", "") for _ in range(3)] == [1, 2, 3]
    await stage.hosts.succeeded(HOST)
    assert await stage.hosts.failed(HOST, "timeout", "") == 1


async def test_who_asks_a_host_that_rests_does_not_count_against_it(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    assert await stage.hosts.failed(HOST, "timeout", "") == 1
    await stage.hosts.rest(HOST, 60)
    assert await stage.hosts.failed(HOST, "connect", "") == 0
    assert await stage.rows("SELECT failures, reason FROM host") == [(1, "timeout")]
    await stage.run("UPDATE host SET open_until = now()")
    assert await stage.hosts.failed(HOST, "connect", "") == 2


async def test_an_answer_to_who_is_led_to_a_host_does_not_end_the_rest_it_asked_for(
    stage: Stage,
) -> None:
    await stage.sources.add(make.settings(), actor="test")
    await stage.hosts.failed(HOST, "rate_limited", "")
    await stage.hosts.rest(HOST, 3600)
    await stage.hosts.succeeded(HOST)
    assert await stage.rows("SELECT failures, open_until > now() FROM host") == [(1, True)]
    await stage.run("UPDATE host SET open_until = now()")
    await stage.hosts.succeeded(HOST)
    assert await stage.rows("SELECT failures, open_until FROM host") == [(0, None)]


async def test_hosts_with_premium_work_come_first_and_none_starves(stage: Stage) -> None:
    for tier in ("basic", "premium", "standard"):
        await stage.sources.add(make.settings(tier, f"{tier}.example", tier=tier), actor="test")
    leases = [await stage.hosts.lease(stage.worker, limit=1, seconds=60) for _ in range(3)]
    assert [lease.host.split(".")[0] for [lease] in leases] == ["premium", "standard", "basic"]
    await stage.run("UPDATE host SET lease_owner = NULL, lease_until = NULL, work_at = now()")
    await stage.run("UPDATE host SET work_at = now() - interval '1 hour' WHERE rank = 2")
    [first] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)
    assert first.host == "basic.example"


async def test_robots_are_kept_as_they_were_read(stage: Stage) -> None:
    record = RobotsRecord(
        origin="https://acme.example",
        status=503,
        body=None,
        fetched_at=make.NOW,
        good_body="User-agent: *",
        good_at=make.NOW,
    )
    assert await stage.hosts.robots(record.origin) is None
    await stage.hosts.save_robots(record)
    assert await stage.hosts.robots(record.origin) == record


async def test_a_host_that_another_has_taken_over_gives_its_old_holder_no_more_work(
    stage: Stage,
) -> None:
    urls = [f"https://acme.example/a/{n}" for n in range(3)]
    await stage.announce([make.announced(url) for url in urls])
    await stage.run("UPDATE source_state SET next_check_at = now()")
    [old] = await stage.hosts.lease(stage.worker, limit=1, seconds=60)

    async def given(lease: HostLease) -> tuple[bool, bool]:
        """Whether there is a check, and an item, under a lease."""
        due = await stage.checks.claim(lease.host, seconds=60, under=lease.owner)
        job = await stage.queue.claim(lease.host, stage.worker, seconds=60, under=lease.owner)
        return due is not None, job is not None

    await stage.run("UPDATE host SET lease_until = now() - interval '1 second'")
    assert await given(old) == (False, False), "somebody may take it at this moment"
    [new] = await stage.hosts.lease(uuid4(), limit=1, seconds=60)
    assert await given(old) == (False, False)
    assert await given(new) == (True, True)
    await stage.hosts.release(old)
    assert await given(new) == (False, True), "who was frozen gives back nothing of another's"


async def test_asking_whose_a_host_is_costs_one_look_at_its_row(stage: Stage) -> None:
    await stage.announce([make.announced(f"https://acme.example/a/{n}") for n in range(50)])
    await stage.run(
        """
        INSERT INTO host (host) SELECT 'h' || n || '.example' FROM generate_series(1, 3000) n
        """
    )
    await stage.run("ANALYZE host, fetch_job")
    owner = uuid4()
    plan = "\n".join(
        str(row[0])
        for row in await stage.rows(
            f"""
            EXPLAIN SELECT id FROM fetch_job WHERE host = 'acme.example' AND state = 'pending'
                AND run_after <= now() AND {HOST_IS_OURS % _literal(owner)}
            ORDER BY rank, finished_at IS NOT NULL, id LIMIT 1 FOR UPDATE SKIP LOCKED
            """
        )
    )
    assert "Index Scan using host_pkey on host" in plan
    assert "InitPlan" in plan, f"asked once, not for each item:\n{plan}"


def _literal(owner: UUID) -> dict[str, str]:
    return {"under": f"'{owner}'", "host": "'acme.example'"}
