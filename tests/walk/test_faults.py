"""Workers that come late, come twice or are told to go, and items that end badly."""

import asyncio
import os
import signal
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ctiscraper.collect import fetch
from ctiscraper.db.items import Items
from ctiscraper.tasks.run import COMMAND, write_order
from ctiscraper.tasks.work import Worker
from ctiscraper.types import MAX_ATTEMPTS, Discovery
from internet.exchange import Exchange
from internet.world import FAULTS, FakeInternet
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
        assert (item.reason, item.attempts) == ("parser_crash", MAX_ATTEMPTS)
        assert item.detail
        assert item.sample
        assert item.title
        assert (await walk.accounting()).dead == 1
        assert (await walk.accounting()).stored == 3
        assert await walk.queue.retry([item.id]) == 1
        await walk.collect()
        accounting = await walk.accounting()
        assert (accounting.balanced, accounting.dead, accounting.stored) == (True, 0, 4)


async def test_images_and_scripts_of_a_page_are_neither_asked_for_nor_kept(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["page"] = "scripts"
        await walk.add(*net.sources())
        await walk.collect()
        paths = {request.path for request in net.requests}
        assert paths == {"/robots.txt", "/feed.xml", "/a/0", "/a/1"}
        loaded = "SELECT count(*) FROM article WHERE html ~* '<(img|script|iframe|object|video)'"
        assert (await walk.accounting()).stored == 2
        assert await walk.value(loaded) == 0


LOCAL = """<rss version="2.0"><channel><title>t</title>
<item><title>one</title><link>{0}</link></item>
<item><title>two</title><link>http://169.254.169.254/latest/meta-data/</link></item>
<item><title>three</title><link>{1}</link></item></channel></rss>"""


async def test_no_way_of_collecting_leads_to_this_machine(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page, a feed, a sitemap's child, a link to a feed and a robots.txt, each on loopback.

    The listener's port is allowed, so that its address alone stands in the way.
    """
    async with FakeInternet(hosts=5, items=1) as net:
        if net.sites[0].address == "127.0.0.1":
            pytest.skip("the sites have no addresses of their own here")
        canary = net._canary_url
        port = int(canary.split(":")[2].split("/")[0])
        spelled = f"http://0x7f000001:{port}/canary"
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        said = {
            "local_links": LOCAL.format(canary, spelled),
            "local_child": f'<sitemapindex xmlns="{space}"><sitemap><loc>{canary}</loc></sitemap>'
            "</sitemapindex>",
            "local_feed": f'<link rel="alternate" type="application/rss+xml" href="{canary}">',
        }
        for name, body in said.items():
            monkeypatch.setitem(FAULTS, name, partial(Exchange.send, body=body))
        links, child, page, moved, robots = net.sites
        links.faults["feed"] = "local_links"
        child.faults["sitemap"] = "local_child"
        page.faults["index"] = "local_feed"
        moved.faults["feed"] = "redirect_canary"
        robots.faults["robots"] = "redirect_canary"
        ports = net.ports | {80, port}
        async with walking(database, net, tmp_path, egress_allow_ports=ports) as walk:
            by_feed = net.sources()
            await walk.add(
                by_feed[0],
                replace(
                    by_feed[1], discovery=Discovery.SITEMAP, feed_url=child.url("/sitemap.xml")
                ),
                replace(by_feed[2], feed_url=None),
                by_feed[3],
                by_feed[4],
                replace(by_feed[0], key="direct", url=canary, feed_url=canary),
            )
            await walk.collect()
            assert net.canary_hits == 0
            items = "SELECT DISTINCT reason FROM fetch_job WHERE source_id = 1"
            assert await walk.rows(items) == [("address_refused",)]
            for key in ("site-1", "site-3", "direct"):
                assert (await walk.sources.get(key)).reason == "address_refused"
            assert (await walk.sources.get("site-4")).reason == "robots_unreachable"


async def _kill_its_parser(walk: Walk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect while every process that reads one article of the first site is killed."""
    sandbox = walk.services.pipeline.sandbox
    exchange, marker = sandbox._exchange, walk.net.sites[0].url(path).encode()

    async def deadly(worker: object, index: int, payload: bytes) -> object:
        if index == sandbox._index["article"] and marker in payload:
            os.kill(worker.pid, signal.SIGKILL)  # type: ignore[attr-defined]  # the sandbox's own
        return await exchange(worker, index, payload)  # type: ignore[arg-type]  # passed through

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_exchange", deadly, raising=True)
        for _ in range(MAX_ATTEMPTS):
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
