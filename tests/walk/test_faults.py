"""Workers that come late, come twice or are told to go, and items that end badly."""

import asyncio
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.collect import fetch
from ctiscraper.collect.failing import ATTEMPTS
from ctiscraper.db.items import Items
from ctiscraper.tasks.run import COMMAND, write_order
from ctiscraper.tasks.work import Worker
from internet.world import FakeInternet
from walk.walker import Walk, settings_for, walking


async def test_after_an_hour_without_workers_each_source_is_asked_once_by_whoever_comes(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=12, items=1) as net,
        walking(database, net, tmp_path, concurrency=3) as walk,
    ):
        await walk.add(*net.sources())
        await walk.collect()
        net.requests.clear()
        await walk.run("UPDATE source_state SET next_check_at = now() - interval '1 hour'")
        await walk.run("UPDATE host SET work_at = now() - interval '1 hour'")
        workers = [Worker(walk.services, once=True) for _ in range(5)]
        tallies = await asyncio.gather(*(worker.run() for worker in workers))
        assert sum(tally.checks for tally in tallies) == 12
        assert sorted(r.host for r in net.requests) == sorted(site.name for site in net.sites)
        assert await walk.value("SELECT count(*) FROM source_check") == 24
        spread = """
            SELECT count(DISTINCT next_check_at), min(next_check_at) > now(),
                max(next_check_at) - min(next_check_at) > interval '1 minute'
            FROM source_state
        """
        assert await walk.rows(spread) == [(12, True, True)]


async def test_a_worker_told_to_go_ends_soon_and_leaves_nothing_held_or_burnt(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=3, items=20, latency=0.05) as net,
        walking(database, net, tmp_path) as walk,
    ):
        # One page never comes: its item must be given back, not waited for.
        net.sites[0].faults["/a/19"] = "hang"
        await walk.add(*net.sources())
        order = write_order(database, settings_for(net, tmp_path), once=False)
        worker = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
        )
        assert worker.stdin is not None
        worker.stdin.write(order)
        async with asyncio.timeout(60):
            while len(net.requests) < 20 or not net.asked(path="/a/19"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 30) == 0
        worker.stdin.close()
        seen = len(net.requests)
        held = """
            SELECT (SELECT count(*) FROM fetch_job WHERE state = 'leased'),
                (SELECT count(*) FROM host WHERE lease_owner IS NOT NULL),
                (SELECT count(*) FROM worker_heartbeat),
                (SELECT max(attempts) FROM fetch_job WHERE state = 'pending')
        """
        assert await walk.rows(held) == [(0, 0, 0, 0)]
        stored = (await walk.accounting()).stored
        assert 0 < stored < 60
        assert len(net.requests) == seen
        net.sites[0].faults.clear()
        await walk.collect()
        accounting = await walk.accounting()
        assert (accounting.discovered, accounting.stored) == (60, 60)
        assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
        assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0


async def test_a_dead_letter_is_listed_with_its_cause_and_a_retry_brings_the_article(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        FakeInternet(hosts=2, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        await _kill_its_parser(walk, "/a/1", monkeypatch)
        page = await Items(walk.database).page("dead")
        [item] = page.items
        assert item.url == net.sites[0].url("/a/1")
        assert (item.reason, item.attempts) == ("parser_crash", ATTEMPTS)
        assert item.detail
        assert item.sample
        assert item.title
        assert (await walk.accounting()).dead == 1
        assert (await walk.accounting()).stored == 3
        assert await walk.queue.retry([item.id]) == 1
        await walk.collect()
        accounting = await walk.accounting()
        assert (accounting.balanced, accounting.dead, accounting.stored) == (True, 0, 4)


async def _kill_its_parser(walk: Walk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect while every process that is given one page of the first site is killed."""
    sandbox = walk.services.pipeline.sandbox
    exchange, marker = sandbox._exchange, walk.net.sites[0].url(path).encode()

    async def deadly(worker: object, index: int, payload: bytes) -> object:
        if marker in payload and b"<html" in payload:
            os.kill(worker.pid, signal.SIGKILL)  # type: ignore[attr-defined]  # the sandbox's own
        return await exchange(worker, index, payload)  # type: ignore[arg-type]  # passed through

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_exchange", deadly, raising=True)
        for _ in range(ATTEMPTS):
            await walk.run("UPDATE fetch_job SET run_after = now()")
            await walk.run("UPDATE host SET work_at = now()")
            await walk.collect()


async def test_a_source_whose_items_are_refused_and_accepted_again_keeps_its_accounts(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discovered is the sum of the ends at every moment anybody looks."""
    monkeypatch.setattr(fetch, "PAGE_LIMITS", replace(fetch.PAGE_LIMITS, seconds=10.0))
    async with (
        FakeInternet(hosts=3, items=6, latency=0.005) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["page"] = "status_403"
        net.sites[1].faults["page"] = "same_text"
        await walk.add(*net.sources())
        collecting = asyncio.create_task(walk.collect())
        looks = 0
        while not collecting.done():
            accounting = await walk.accounting()
            assert accounting.balanced, accounting
            looks += 1
        await collecting
        assert looks > 1
        accounting = await walk.accounting()
        assert (accounting.discovered, accounting.pending) == (18, 0)
        assert accounting.duplicate == 5
