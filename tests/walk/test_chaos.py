"""Workers that are killed and frozen at random moments lose nothing and double nothing."""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
from patience import until
from walk.crew import Crew, Process, crew_of
from walk.walker import Walk, settings_for, walking

HOSTS, ITEMS, EVENTS, WORKERS, LEASE = 5, 30, 14, 3, 2.0
POISON = "/a/3"


async def _poison(walk: Walk, crew: Crew) -> None:
    """End whichever worker holds the poison item, each time."""
    rows = await walk.rows(
        f"""
        SELECT DISTINCT h.pid FROM fetch_job j JOIN worker_heartbeat h USING (worker)
        WHERE j.state = 'leased' AND j.url LIKE '%{POISON}' AND j.source_id = 1
        """
    )
    alive = {worker.pid for worker in crew.workers if worker.poll() is None}
    for (pid,) in rows:
        if pid in alive:
            os.kill(int(str(pid)), signal.SIGKILL)


async def _settle(walk: Walk, crew: Crew) -> None:
    """Wait until every item has ended, whatever the workers live through meanwhile."""
    while True:
        crew.fill()
        await _poison(walk, crew)
        left = await walk.value(
            """
            SELECT (SELECT count(*) FROM fetch_job WHERE state IN ('pending', 'leased'))
                + (SELECT count(*) FROM outbox)
                + (SELECT count(*) FROM enrichment_job)
                + (SELECT count(*) FROM source_state WHERE last_success_at IS NULL)
            """
        )
        if left == 0:
            return
        await asyncio.sleep(0.02)


async def _left(walk: Walk) -> str:
    """Return what has not ended, and until when it waits."""
    items = """
        SELECT j.id, j.url, j.state, j.attempts, j.busy_turns, j.reason, j.run_after - now(),
            j.lease_until - now(), h.work_at - now(), h.lease_until - now(),
            h.next_allowed_at - now(), h.open_until - now()
        FROM fetch_job j JOIN host h USING (host) WHERE j.state IN ('pending', 'leased')
    """
    checks = """
        SELECT source_id, host, tries, next_check_at - now(), reason FROM source_state
        WHERE last_success_at IS NULL
    """
    waiting = "SELECT article_id, attempts, claimed_until - now() FROM enrichment_job"
    workers = "SELECT pid, now() - seen_at, done FROM worker_heartbeat ORDER BY 2 LIMIT 8"
    told = [
        str(row) for query in (items, checks, waiting, workers) for row in await walk.rows(query)
    ]
    return "\n".join(["not ended:", *told])


async def _disturb(walk: Walk, crew: Crew, chance: random.Random) -> None:
    """Kill most and freeze some beyond their lease, at moments nobody chose."""
    frozen: list[Process] = []
    for event in range(EVENTS):
        for _ in range(chance.randint(20, 60)):
            crew.fill()
            await _poison(walk, crew)
            await asyncio.sleep(0.02)
        victim = chance.choice(crew.workers)
        if event % 5 == 4 and victim not in frozen:
            victim.send_signal(signal.SIGSTOP)
            frozen.append(victim)
        else:
            victim.kill()
    # They wake only when others have taken what they held.
    pids = [worker.pid for worker in frozen if worker.poll() is None]
    async with asyncio.timeout(120):
        while await _held_by(walk, pids):
            crew.fill()
            await _poison(walk, crew)
            await asyncio.sleep(0.02)
    for worker in frozen:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)


async def _held_by(walk: Walk, pids: Sequence[int]) -> bool:
    """Whether a process still has an item."""
    held = """
        SELECT coalesce(array_agg(h.pid), '{}') FROM fetch_job j
        JOIN worker_heartbeat h USING (worker) WHERE j.state = 'leased'
    """
    return not set(pids).isdisjoint(cast("list[int]", await walk.value(held)))


# Each death of the poison item costs a worker's start, which takes long on a busy machine.
@pytest.mark.timeout(400)
async def test_killed_and_frozen_workers_lose_nothing_and_double_nothing(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.02) as net,
        walking(database, net, tmp_path) as walk,
    ):
        # Its page keeps the worker waiting until the worker is ended.
        net.sites[0].faults[POISON] = "hang"
        settings = settings_for(net, tmp_path, lease_seconds=LEASE, concurrency=4, enrich=True)
        await walk.add(*net.sources())
        with crew_of(write_order(database, settings, once=False), WORKERS) as crew:
            await _disturb(walk, crew, random.Random(5))
            try:
                await asyncio.wait_for(_settle(walk, crew), 240)
            except TimeoutError:
                pytest.fail(await _left(walk))
        accounting = await walk.accounting()
        assert accounting.balanced
        assert accounting.discovered == HOSTS * ITEMS
        assert (accounting.dead, accounting.failed, accounting.pending) == (1, 0, 0)
        assert accounting.stored + accounting.duplicate == HOSTS * ITEMS - 1
        dead = "SELECT url LIKE '%/a/3', attempts, reason FROM fetch_job WHERE state = 'dead'"
        assert await walk.rows(dead) == [(True, 5, "worker_lost")]
        doubled = "SELECT count(*) - count(DISTINCT url) FROM article"
        assert await walk.value(doubled) == 0
        done = "SELECT stage, count(*) FROM analysis GROUP BY stage ORDER BY stage"
        assert await walk.rows(done) == [
            ("enrichment", HOSTS * ITEMS - 1),
            ("near_duplicate", HOSTS * ITEMS - 1),
        ]
        assert await walk.value("SELECT count(*) FROM enrichment_failure") == 0
        innocent = "SELECT max(attempts) < 5 FROM fetch_job WHERE state <> 'dead'"
        assert await walk.value(innocent)


_ROWS = """
    SELECT j.id, j.state, j.attempts, j.reason, j.snapshot_id, a.id FROM fetch_job j
    LEFT JOIN article a ON a.job_id = j.id ORDER BY j.id
"""


async def test_a_worker_frozen_beyond_its_lease_writes_nothing_when_it_wakes(
    database: str, tmp_path: Path
) -> None:
    """What it held was taken back while its pages were under way; nobody else is there."""
    async with (
        FakeInternet(hosts=HOSTS, items=2, latency=0.5) as net,
        walking(database, net, tmp_path) as walk,
    ):
        settings = settings_for(net, tmp_path, lease_seconds=20)
        await walk.add(*net.sources())
        with crew_of(write_order(database, settings)) as crew:
            crew.fill()
            [worker] = crew.workers
            held = "SELECT count(*) FROM fetch_job WHERE state = 'leased'"
            await until(lambda: _is(walk, f"SELECT ({held}) = {HOSTS}"))
            worker.send_signal(signal.SIGSTOP)
            holding = int(str(await walk.value(held)))
            assert holding > 0
            await walk.run("UPDATE fetch_job SET lease_until = now() - interval '1 second'")
            await walk.run("UPDATE host SET lease_until = now() - interval '1 second'")
            assert await walk.queue.reap() == holding
            # Nobody takes them anew, not even the one that wakes.
            await walk.run("UPDATE fetch_job SET run_after = now() + interval '1 day'")
            before = await walk.rows(_ROWS)
            done = int(str(await walk.value("SELECT done FROM worker_heartbeat")))
            worker.send_signal(signal.SIGCONT)
            # It ends what it has in hand, or believes to.
            ended = f"SELECT done >= {done + holding} FROM worker_heartbeat"
            await until(lambda: _is(walk, ended))
            assert await walk.rows(_ROWS) == before
            assert await walk.value("SELECT count(*) FROM snapshot") == len(
                [row for row in before if row[1] == "stored"]
            )


async def _is(walk: Walk, query: str) -> bool:
    return await walk.value(query) is True
