"""Operations: what waits, who works, how it goes, and counters that nobody has to wait for."""

import asyncio
from uuid import uuid4

import psycopg

import make
from ctiscraper.db.migrate import downgrade
from ctiscraper.db.operations import OperationsBoard, fold_counts
from ctiscraper.db.queue import Held
from ctiscraper.db.session import Database
from ctiscraper.operations import TOO_LONG, Flow, TierWork, Work
from ctiscraper.types import MAX_ATTEMPTS, Retry, Tier
from db.stage import Stage

URL = "https://acme.example/a/"
REFUND = Retry(reason="database", detail="", delay=0, refund=True)
TRY_AGAIN = Retry(reason="timeout", detail="", delay=0)


async def work_of(stage: Stage) -> Work:
    seen = await OperationsBoard(stage.database).read()
    assert seen.work is not None
    return seen.work


async def tier_of(stage: Stage, tier: Tier = Tier.STANDARD) -> TierWork:
    return next(t for t in (await work_of(stage)).tiers if t.tier == tier)


async def flow_of(stage: Stage) -> Flow:
    return (await work_of(stage)).flow


async def announce(stage: Stage, count: int) -> None:
    await stage.announce([make.announced(f"{URL}{n}") for n in range(count)])


async def test_an_empty_installation_has_nothing_to_do(stage: Stage) -> None:
    seen = await OperationsBoard(stage.database).read()
    assert seen.database.reachable
    assert seen.database.writable
    assert not seen.database.behind
    assert abs(seen.database.clock_apart) < 5
    assert seen.work is not None
    assert [tier.tier for tier in seen.work.tiers] == ["premium", "standard", "basic"]
    assert (seen.work.waiting, seen.work.in_flight, seen.work.oldest_seconds) == (0, 0, 0)
    assert seen.work.workers == ()
    assert seen.work.balanced is True


async def test_waiting_items_are_told_apart_by_tier_and_by_when_they_may_be_asked(
    stage: Stage,
) -> None:
    await announce(stage, 5)
    other = make.settings("other", "other.example", tier=Tier.PREMIUM)
    await stage.announce([make.announced("https://other.example/1", "other.example")], other)
    await stage.run(
        "UPDATE fetch_job SET run_after = now() + interval '1 h' WHERE url LIKE '%/a/0'"
    )
    await stage.run("UPDATE fetch_job SET run_after = now() - interval '9 min' WHERE id % 2 = 0")
    await stage.claim()
    standard, premium = await tier_of(stage), await tier_of(stage, Tier.PREMIUM)
    assert (standard.due, standard.later, standard.in_flight) == (3, 1, 1)
    assert (premium.due, premium.later, premium.in_flight) == (1, 0, 0)
    assert standard.hosts_due == premium.hosts_due == 1
    assert 540 <= standard.oldest_seconds < 600
    assert (await work_of(stage)).waiting == 4 + standard.sources_due == 5


async def test_due_sources_wait_too(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    await stage.run("UPDATE source_state SET next_check_at = now() - interval '20 min'")
    tier = await tier_of(stage)
    assert (tier.sources_due, tier.waiting) == (1, 1)
    assert 1200 <= tier.oldest_seconds < 1260


async def test_what_waits_at_a_resting_host_is_not_what_workers_wait_for(stage: Stage) -> None:
    await announce(stage, 2)
    other = make.settings("other", "other.example")
    await stage.announce([make.announced("https://other.example/1", "other.example")], other)
    await stage.run(
        "UPDATE fetch_job SET run_after = now() - interval '9 h' WHERE host = 'acme.example'"
    )
    await stage.run("UPDATE source_state SET next_check_at = now() - interval '8 h'")
    await stage.hosts.failed("acme.example", "timeout", "no answer")
    await stage.hosts.rest("acme.example", 300)
    tier = await tier_of(stage)
    assert (tier.due, tier.resting, tier.sources_due, tier.hosts_due) == (1, 2, 1, 1)
    await stage.run("UPDATE source_state SET next_check_at = now() + interval '1 h'")
    assert (await tier_of(stage)).oldest_seconds < 60
    hosts = (await work_of(stage)).hosts
    assert (hosts.known, hosts.resting) == (2, 1)
    [rest] = hosts.rests
    assert (rest.host, rest.reason, rest.detail, rest.failures) == (
        "acme.example",
        "timeout",
        "no answer",
        1,
    )
    assert 290 < rest.seconds <= 300


async def test_the_slowest_paces_come_first(stage: Stage) -> None:
    for host, gap in (("a.example", 10), ("b.example", 90), ("c.example", 0)):
        await stage.hosts.reserve(host, gap, 3600)
    work = await work_of(stage)
    assert [host.host for host in work.hosts.paces] == ["b.example", "a.example"]
    assert 80 < work.hosts.paces[0].seconds <= 90
    assert work.traffic.requests == work.traffic.requests_day == 3


async def test_every_end_is_counted_once_and_by_how_it_ended(stage: Stage) -> None:
    items = [make.announced(f"{URL}{n}") for n in range(4)]
    gated = make.announced(f"{URL}gate", state="filtered", reason="url_not_allowed")
    await stage.announce([*items, gated])
    await stage.keep(await stage.claim(), make.content(f"{URL}0"), stage.snapshot("12345"))
    await stage.queue.finish(await stage.claim(), "failed", "gone", "", None)
    await stage.queue.finish(await stage.claim(), "filtered", "too_short", "", None)
    await stage.queue.finish(await stage.claim(), "dead", "parser_crash", "", None)
    work = await work_of(stage)
    ended = work.flow.ended
    assert (ended.stored, ended.filtered, ended.failed, ended.dead) == (1, 2, 1, 1)
    assert ended.total == work.flow.ended_recently == work.flow.ended_hour == 5
    assert work.flow.dead_hour == 1
    assert 50 < work.flow.per_minute * work.flow.recent_seconds / 5 <= 60
    assert (work.standing.dead, work.standing.failed, work.standing.filtered) == (1, 1, 2)
    assert (work.traffic.pages, work.traffic.page_bytes) == (1, 5)


async def test_refunds_are_told_from_attempts_that_were_burnt(stage: Stage) -> None:
    await announce(stage, 1)
    await stage.queue.give_back(await stage.claim(), REFUND)
    await stage.claim()
    await stage.queue.retire(stage.worker)
    flow = await flow_of(stage)
    assert (flow.refunds, flow.burnt, flow.ended.total) == (2, 0, 0)
    for _ in range(MAX_ATTEMPTS):
        await stage.queue.give_back(await stage.claim(), TRY_AGAIN)
    flow = await flow_of(stage)
    assert (flow.refunds, flow.burnt, flow.ended.dead) == (2, MAX_ATTEMPTS, 1)
    assert (flow.refunds_hour, flow.burnt_hour) == (2, MAX_ATTEMPTS)


async def test_a_lost_worker_burns_an_attempt(stage: Stage) -> None:
    await announce(stage, 1)
    await stage.claim(seconds=-1)
    await stage.queue.reap()
    assert (await flow_of(stage)).burnt == 1


async def test_no_end_waits_for_the_counter_of_another(stage: Stage) -> None:
    """One transaction holds its counter row while another ends an item of the same minute."""
    await announce(stage, 2)
    first, second = await stage.claim(), await stage.claim()
    async with stage.database.transaction() as conn:
        await conn.execute("UPDATE fetch_job SET state = 'stored' WHERE id = %s", (first.id,))
        async with asyncio.timeout(10):
            assert await stage.queue.finish(second, "failed", "gone", "", None)
        await conn.execute("UPDATE fetch_job SET state = 'failed' WHERE id = %s", (first.id,))
    assert (await flow_of(stage)).ended.failed == 1


async def test_an_end_that_is_rolled_back_was_none(stage: Stage) -> None:
    await announce(stage, 1)
    job = await stage.claim()
    async with stage.database.transaction() as conn:
        await conn.execute("UPDATE fetch_job SET state = 'failed' WHERE id = %s", (job.id,))
        raise psycopg.Rollback
    assert (await flow_of(stage)).ended.total == 0


async def test_old_counts_are_folded_and_none_is_lost(stage: Stage) -> None:
    await stage.run(
        """
        INSERT INTO work_count (minute, lane, stored, pages)
        SELECT now() - make_interval(mins => m), lane, 1, 1
        FROM generate_series(5, 3005, 10) m, generate_series(1, 3) lane
        """
    )
    before = await work_of(stage)
    await asyncio.gather(*(fold_counts(stage.database) for _ in range(4)))
    after = await work_of(stage)
    assert after.flow.ended == before.flow.ended
    assert after.flow.ended.stored == 903
    assert after.flow.ended_hour == before.flow.ended_hour == 18
    assert abs(after.traffic.pages - before.traffic.pages) <= 18, "a day is exact to the hour"
    folded = await stage.value("SELECT count(*) FROM work_count WHERE lane = 0")
    assert 25 <= int(str(folded)) <= 28
    await fold_counts(stage.database)
    assert (await work_of(stage)).flow.ended == before.flow.ended


async def test_a_worker_folds_when_it_says_that_it_lives(stage: Stage) -> None:
    await stage.run(
        "INSERT INTO work_count (minute, lane, dead) VALUES (now() - '3 h'::interval, 7, 2)"
    )
    await stage.queue.renew(stage.worker, Held(), pid=1, seconds=60, done=0)
    assert await stage.rows("SELECT lane, dead FROM work_count") == [(0, 2)]
    assert await stage.value("SELECT count(*) FROM request_mark") == 1


async def test_requests_of_the_day_are_those_since_the_mark_of_a_day_ago(stage: Stage) -> None:
    for _ in range(3):
        await stage.hosts.reserve("acme.example", 0, 3600)
    await fold_counts(stage.database)
    assert await stage.value("SELECT requests FROM request_mark") == 3
    await stage.run("UPDATE request_mark SET hour = hour - interval '25 h'")
    await stage.hosts.reserve("acme.example", 0, 3600)
    await fold_counts(stage.database)
    traffic = (await work_of(stage)).traffic
    assert (traffic.requests, traffic.requests_day) == (4, 1)


async def test_workers_are_alive_as_long_as_their_leases(stage: Stage) -> None:
    for age, pid in ((5, 11), (50, 12), (70, 13)):
        worker = uuid4()
        await stage.queue.renew(worker, Held(), pid=pid, seconds=60, done=pid)
        await stage.run(
            f"UPDATE worker_heartbeat SET seen_at = now() - interval '{age} s', "
            f"progressed_at = now() - interval '{age * 2} s' WHERE pid = {pid}"
        )
    workers = (await work_of(stage)).workers
    assert [(worker.pid, worker.done) for worker in workers] == [(11, 11), (12, 12)]
    assert 5 <= workers[0].silent_seconds < 20
    assert 100 <= workers[1].idle_seconds < 120
    patient = await OperationsBoard(stage.database, alive_seconds=600).read()
    assert patient.work is not None
    assert len(patient.work.workers) == 3


async def test_all_workers_are_counted_though_not_all_are_shown(stage: Stage) -> None:
    await announce(stage, 3)
    await stage.run(
        """
        INSERT INTO worker_heartbeat (worker, pid, started_at, seen_at, progressed_at, done)
        SELECT gen_random_uuid(), n, now() - make_interval(secs => 2000 - n), now(),
            now() - make_interval(secs => 1000 - n), n
        FROM generate_series(1, 150) AS n
        """
    )
    work = await work_of(stage)
    assert (work.worker_count, len(work.workers)) == (150, 100)
    assert work.backlog_per_worker == 3 / 150
    assert [worker.pid for worker in work.workers] == list(range(51, 151))


async def test_an_account_that_does_not_hold_is_seen(stage: Stage) -> None:
    await announce(stage, 1)
    await stage.run("UPDATE sighting SET first = false")
    assert (await work_of(stage)).balanced is False
    await stage.run("UPDATE sighting SET first = true")
    assert (await work_of(stage)).balanced is True


async def test_what_is_summed_over_many_rows_is_summed_seldom(stage: Stage) -> None:
    now = 0.0
    board = OperationsBoard(stage.database, clock=lambda: now)
    await board.read()
    await announce(stage, 1)
    await stage.queue.finish(await stage.claim(), "dead", "parser_crash", "", None)
    seen = await board.read()
    assert seen.work is not None
    assert (seen.work.standing.dead, seen.work.flow.ended.dead) == (0, 1)
    now = 31.0
    seen = await board.read()
    assert seen.work is not None
    assert seen.work.standing.dead == 1


async def test_what_takes_long_to_count_is_counted_less_often(stage: Stage) -> None:
    """By this clock a look takes seven seconds, so what it counted holds for 140 more."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 7.0
        return now

    board = OperationsBoard(stage.database, clock=clock)
    waiting = []
    for _ in range(30):
        seen = await board.read()
        assert seen.work is not None
        waiting.append(seen.work.waiting)
        if len(waiting) == 1:
            await announce(stage, 1)
    assert waiting[0] == 0
    assert 5 < waiting.count(0) < 25


async def test_a_schema_without_the_counters_is_said_to_be_behind(database: str) -> None:
    downgrade(database, "20261122_1800")
    async with Database(database, size=1) as opened:
        seen = await OperationsBoard(opened).read()
    assert seen.database.reachable
    assert seen.database.behind
    assert seen.work is None


async def test_a_read_only_database_is_said_to_be_so(stage: Stage, database: str) -> None:
    await announce(stage, 1)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "ALTER ROLE CURRENT_USER IN DATABASE "
            + conn.info.dbname
            + " SET default_transaction_read_only = on"
        )
    async with Database(database, size=1) as opened:
        seen = await OperationsBoard(opened).read()
    assert not seen.database.writable
    assert seen.work is not None
    assert seen.work.waiting == 1
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        conn.execute(
            "ALTER ROLE CURRENT_USER IN DATABASE "
            + conn.info.dbname
            + " RESET default_transaction_read_only"
        )


async def test_a_database_that_is_away_or_slow_is_a_state_too(stage: Stage, database: str) -> None:
    closed = Database("host=127.0.0.1 port=1")
    seen = await OperationsBoard(closed).read()
    assert not seen.database.reachable
    assert seen.database.detail
    with psycopg.connect(database) as conn:
        conn.execute("LOCK TABLE host")
        seen = await OperationsBoard(stage.database, patience=0.2).read()
    assert (seen.database.reachable, seen.work) == (False, None)
    assert "0.2 s" in seen.database.detail


async def test_sums_that_take_too_long_stay_as_they_were_and_say_so(
    stage: Stage, database: str
) -> None:
    now = 0.0
    board = OperationsBoard(stage.database, patience=0.5, clock=lambda: now)
    await announce(stage, 1)
    await stage.queue.finish(await stage.claim(), "dead", "parser_crash", "", None)
    work = (await board.read()).work
    assert work is not None
    assert (work.standing.dead, work.summed_seconds, work.sums_fault) == (1, 0, "")
    now = 40.0
    with psycopg.connect(database) as conn:
        conn.execute("LOCK TABLE source_check")
        seen = await board.read()
        first = await OperationsBoard(stage.database, patience=0.5, clock=lambda: now).read()
    assert seen.database.reachable
    assert seen.work is not None
    assert (seen.work.standing.dead, seen.work.traffic.checks) == (1, 1)
    assert (seen.work.summed_seconds, seen.work.sums_fault) == (40, TOO_LONG)
    assert first.database.reachable
    assert first.work is not None
    assert (first.work.summed_seconds, first.work.sums_fault) == (None, TOO_LONG)
    now = 80.0
    work = (await board.read()).work
    assert work is not None
    assert (work.summed_seconds, work.sums_fault) == (0, "")


async def test_what_keeps_sums_from_being_made_is_told(stage: Stage, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE source_check RENAME TO later_check")
    work = (await OperationsBoard(stage.database).read()).work
    assert work is not None
    assert work.summed_seconds is None
    assert "source_check" in work.sums_fault
    assert "ctiscraper migrate" in work.sums_fault


async def test_a_busy_pool_is_no_database_that_is_away(stage: Stage, database: str) -> None:
    await announce(stage, 2)
    async with Database(database, size=1) as opened, opened.connection():
        seen = await OperationsBoard(opened, patience=0.5).read()
    assert (seen.database.reachable, seen.database.busy) == (True, True)
    assert seen.work is not None
    assert (seen.work.waiting, seen.work.summed_seconds) == (2, None)


async def test_a_busy_pool_of_a_database_that_is_away_is_told_by_the_server(stage: Stage) -> None:
    async with Database(stage.database.conninfo, size=1) as opened, opened.connection():
        opened.conninfo = "host=127.0.0.1 port=1"
        seen = await OperationsBoard(opened, patience=0.5).read()
    assert not seen.database.reachable
    assert "127.0.0.1" in seen.database.detail


async def test_what_our_own_database_or_disk_stranded_is_counted(stage: Stage) -> None:
    await announce(stage, 4)
    await stage.run(
        """
        UPDATE fetch_job SET rank = id % 3, reason = (ARRAY['database', 'storage', 'timeout',
                NULL])[1 + id % 4], detail = 'told by ' || id,
            run_after = now() + make_interval(secs => id)
        """
    )
    last = await stage.value(
        "SELECT max(id) FROM fetch_job WHERE reason IN ('database', 'storage')"
    )
    work = await work_of(stage)
    assert (work.stranded, work.stranded_by) == (2, f"told by {last}")


async def test_the_robots_txt_of_a_host_is_found(stage: Stage) -> None:
    await stage.run(
        """
        INSERT INTO robots (origin, status, body, fetched_at, good_body) VALUES
            ('http://acme.example', 200, 'old', now(), NULL),
            ('https://acme.example', 200, 'new', now(), NULL),
            ('https://kept.example', 503, NULL, now(), 'kept'),
            ('https://none.example', 404, NULL, now(), NULL)
        """
    )
    hosts = ["acme.example", "kept.example", "none.example", "unknown.example"]
    found = await OperationsBoard(stage.database).robots(hosts)
    assert found == {"acme.example": "new", "kept.example": "kept"}
