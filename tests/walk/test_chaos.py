"""Workers that are killed and frozen at random moments lose nothing and double nothing."""

import asyncio
import os
import random
import signal
from pathlib import Path

from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
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
    await walk.run("UPDATE fetch_job SET lease_until = now() WHERE state = 'leased'")
    for worker in frozen:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)


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
            await asyncio.wait_for(_settle(walk, crew), 90)
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
        innocent = "SELECT max(attempts) < 5 FROM fetch_job WHERE state <> 'dead'"
        assert await walk.value(innocent)
