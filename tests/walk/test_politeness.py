"""Politeness as the hosts see it: paces, delays, refusals and validators in the server's log."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.collect.schedule import BREAKER_THRESHOLD
from ctiscraper.loop import alongside
from ctiscraper.tasks.work import Worker
from ctiscraper.types import Health, RobotsPolicy
from internet.exchange import Exchange
from internet.world import FAULTS, FakeInternet
from walk.walker import Walk, walking

WORKERS, GAP = 6, 0.1


async def test_six_workers_keep_one_pace_at_a_host_that_all_are_sent_to(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leases a host of its own, and every page there leads to the same other host."""
    async with FakeInternet(hosts=WORKERS + 1, items=4, named=True) as net:
        crowded = net.sites[0]

        async def elsewhere(x: Exchange) -> None:
            await x.redirect(crowded.url(x.request.path))

        monkeypatch.setitem(FAULTS, "elsewhere", elsewhere)
        for site in net.sites[1:]:
            site.faults["page"] = "elsewhere"
        settings = {
            "egress_host_map": net.host_map,
            "egress_allow_ports": net.ports | {80},
            "min_gap": GAP,
            "concurrency": 1,
        }
        async with walking(database, net, tmp_path, **settings) as walk:
            await walk.add(*net.sources()[1:])
            began = time.monotonic()
            workers = [Worker(walk.services, once=True) for _ in range(WORKERS)]
            tallies = await asyncio.gather(*(worker.run() for worker in workers))
            asked = sorted(request.at - began for request in net.asked(site=crowded))
            assert sum(tally.items > 0 for tally in tallies) > 1
            assert len(asked) == 1 + 4 * WORKERS, "robots.txt and every page"
            # Whoever is late makes no gap shorter: no request may come before its slot.
            early = [n for n, at in enumerate(asked) if at < n * GAP - 0.01]
            assert early == []
            assert (await walk.accounting()).balanced
            for site in net.sites[1:]:
                own = sorted(request.at - began for request in net.asked(site=site))
                assert [n for n, at in enumerate(own) if at < n * GAP - 0.01] == []


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("robots_delay", 5.0), ("robots_delay_huge", 60.0), ("robots_redirect", 5.0)],
)
async def test_a_crawl_delay_is_kept_up_to_a_minute(
    database: str, tmp_path: Path, fault: str, seconds: float
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["robots"] = fault
        await walk.add(*net.sources())
        lease = await walk.checks.claim(net.sites[0].name, seconds=60)
        assert lease is not None
        before = await walk.value("SELECT clock_timestamp()")
        await walk.services.pipeline.check(lease)
        told = f"extract(epoch FROM next_allowed_at - '{before}')::float8"
        # From the feed's request on, which was made after `before`.
        waits = await walk.value(f"SELECT {told} >= {seconds} FROM host")
        asked = await walk.value(
            f"SELECT extract(epoch FROM next_allowed_at - clock_timestamp()) <= {seconds} FROM host"
        )
        assert (waits, asked) == (True, True)


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        ("retry_after_huge", 86_000, 86_400),
        ("retry_after_seconds", 0, 2),
        ("retry_after_date", None, None),
    ],
)
async def test_retry_after_is_obeyed_up_to_a_day(
    database: str, tmp_path: Path, fault: str, least: float | None, most: float | None
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["feed"] = fault
        await walk.add(*net.sources())
        await walk.collect()
        [(rests,)] = await walk.rows(
            "SELECT extract(epoch FROM open_until - now())::float8 FROM host"
        )
        if least is None or most is None:
            assert rests is None, "a date that has passed asks for no wait"
        else:
            assert isinstance(rests, float)
            assert rests <= most
            assert rests >= least or least == 0
        seen = len(net.asked(path="/feed.xml"))
        await walk.collect()
        assert len(net.asked(path="/feed.xml")) == seen == 1
        assert await walk.value("SELECT next_check_at > now() FROM source_state") is True


async def test_a_host_that_asked_for_a_moment_is_asked_again_and_collected(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["feed"] = "retry_after_seconds"
        await walk.add(*net.sources())
        for _ in range(3):
            await walk.all_due()
            await walk.collect()
        assert (await walk.accounting()).stored == 2
        [source] = await walk.sources.all()
        assert (source.health, source.failures) == (Health.OK, 0)


async def test_a_feed_that_is_gone_is_told_after_three_answers_and_one_not_found_after_ten(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=2, items=1) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["feed"] = "status_410"
        net.sites[1].faults["feed"] = "status_404"
        await walk.add(*net.sources())
        gone: dict[str, int] = {}
        for count in range(1, 11):
            await walk.all_due()
            await walk.collect()
            for source in await walk.sources.all():
                if source.health is Health.GONE:
                    gone.setdefault(source.settings.key, count)
        assert gone == {"site-0": 3, "site-1": 10}
        seldom = "SELECT bool_and(next_check_at > now() + interval '6 days') FROM source_state"
        assert await walk.value(seldom) is True


async def test_a_host_that_breaks_off_is_left_alone_after_five_and_probed_later(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=2, items=8) as net,
        walking(database, net, tmp_path) as walk,
    ):
        broken, well = net.sites
        broken.faults["page"] = "reset"
        await walk.add(*net.sources())
        await walk.collect()
        pages = [r for r in net.asked(site=broken) if r.path.startswith("/a/")]
        assert len(pages) == BREAKER_THRESHOLD
        rests = f"SELECT open_until > now(), failures FROM host WHERE host = '{broken.name}'"
        assert await walk.rows(rests) == [(True, BREAKER_THRESHOLD)]
        assert len([r for r in net.asked(site=well) if r.path.startswith("/a/")]) == 8
        net.requests.clear()
        await _rest_is_over(walk)
        await walk.collect()
        probes = [r for r in net.asked(site=broken) if r.path.startswith("/a/")]
        assert len(probes) == 1, "half open: one request tells"
        broken.faults.clear()
        await _rest_is_over(walk)
        await walk.collect()
        assert (await walk.accounting()).stored == 16
        assert await walk.rows(rests) == [(None, 0)]


async def _rest_is_over(walk: Walk) -> None:
    await walk.run("UPDATE fetch_job SET run_after = now()")
    await walk.run("UPDATE host SET open_until = now(), work_at = now() WHERE failures > 0")


async def test_a_host_that_never_answers_delays_no_other(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=11, items=3) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["feed"] = "hang"
        await walk.add(*net.sources())
        worker = Worker(walk.services)
        stored = "SELECT count(*) FROM fetch_job WHERE state = 'stored'"
        async with alongside(worker.run()):
            async with asyncio.timeout(60):
                while await walk.value(stored) != 30:  # noqa: ASYNC110 - the database sets no event
                    await asyncio.sleep(0.02)
            hung = f"SELECT lease_until > now() FROM host WHERE host = '{net.sites[0].name}'"
            assert await walk.value(hung) is True, "it is still waited for"
            assert [r.path for r in net.asked(site=net.sites[0])] == ["/robots.txt", "/feed.xml"]


async def test_an_unchanged_feed_costs_no_body_no_parser_and_no_write_but_its_check(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=3, items=10) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[1].faults["feed"] = "etag_weak"
        net.sites[2].faults["feed"] = "no_validators"
        await walk.add(*net.sources())
        await walk.collect()
        net.requests.clear()
        touched = """
            SELECT (SELECT sum(xmin::text::bigint) FROM fetch_job),
                (SELECT sum(xmin::text::bigint) FROM article),
                (SELECT sum(xmin::text::bigint) FROM sighting)
        """
        await walk.run("UPDATE source_state SET next_check_at = now()")
        await walk.run("UPDATE host SET work_at = now()")
        before = await walk.rows(touched)
        await walk.services.pipeline.sandbox.aclose()
        await walk.collect()
        assert walk.services.pipeline.sandbox.pids == (), "no parser was needed"
        assert await walk.rows(touched) == before
        assert len(net.requests) == 3
        [weak] = net.asked(site=net.sites[1])
        assert weak.headers["if-none-match"] == 'W/"weak"'
        [plain] = net.asked(site=net.sites[2])
        assert not {"if-none-match", "if-modified-since"} & plain.headers.keys()
        checks = await walk.rows(
            """
            SELECT s.key, c.status, c.unchanged, c.wire_bytes FROM source_check c
            JOIN source s ON s.id = c.source_id ORDER BY c.source_id, c.id
            """
        )
        assert [row[:3] for row in checks[1::2]] == [
            ("site-0", 304, True),
            ("site-1", 304, True),
            ("site-2", 200, True),
        ]
        for first, second in ((0, 1), (2, 3)):
            assert int(str(checks[second][3])) <= 0.05 * int(str(checks[first][3]))


async def test_every_request_bears_our_name_and_robots_know_us_by_it(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=2, items=2) as net,
        walking(database, net, tmp_path, contact="https://ops.example/bot") as walk,
    ):
        net.sites[0].robots = "User-agent: ctiscraper\nDisallow: /a/\n\nUser-agent: *\nAllow: /\n"
        net.sites[1].robots = "User-agent: *\nDisallow: /\n\nUser-agent: CTIScraper\nAllow: /\n"
        await walk.add(*net.sources())
        await walk.collect()
        names = {request.headers["user-agent"] for request in net.requests}
        assert names == {walk.services.settings.user_agent}
        assert next(iter(names)).startswith("CTIScraper/")
        assert "+https://ops.example/bot" in next(iter(names))
        asked = {r.host for r in net.requests if r.path.startswith("/a/")}
        assert asked == {net.sites[1].name}


async def test_an_override_of_robots_asks_none_and_is_on_record(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["robots"] = "robots_disallow"
        policy = RobotsPolicy(obey=False, override_reason="the owner agreed by mail")
        await walk.add(*(replace(source, robots=policy) for source in net.sources()))
        await walk.collect()
        assert (await walk.accounting()).stored == 2
        assert net.asked(path="/robots.txt") == []
        kept = "SELECT actor, after->'robots'->>'override_reason' FROM source_change"
        assert await walk.rows(kept) == [("test", "the owner agreed by mail")]
