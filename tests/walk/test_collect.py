"""The main job from end to end: found, fetched, read, kept once, and never asked for again."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.collect.standing import MOVED_AFTER
from ctiscraper.db.checks import SourceLease
from ctiscraper.types import (
    Announced,
    CheckSummary,
    Discovery,
    Health,
    Selectors,
    SourceSettings,
    SourceStanding,
)
from internet.world import FakeInternet
from walk.walker import Walk, walking


async def test_every_announced_article_is_stored_once(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=4, items=6) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        await walk.collect()
        accounting = await walk.accounting()
        assert accounting.balanced
        assert (accounting.discovered, accounting.stored) == (24, 24)
        urls = Counter(request.path for request in net.asked(site=net.sites[0]))
        assert max(urls.values()) == 1
        assert urls["/robots.txt"] == 1


async def test_a_single_round_ends_when_what_articles_name_is_known(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=2, items=3) as net,
        walking(database, net, tmp_path, enrich=True) as walk,
    ):
        await walk.add(*net.sources())
        await walk.collect()
        looked = (
            "SELECT count(*) FROM analysis WHERE stage = 'enrichment' AND result->>'failure' = ''"
        )
        assert await walk.value(looked) == 6
        versions = await walk.value(
            "SELECT result->>'versions' FROM analysis WHERE stage = 'enrichment' LIMIT 1"
        )
        assert all(name in str(versions) for name in ("observables", "attack", "names", "score"))
        assert await walk.value("SELECT count(*) FROM article_score") == 6
        assert await walk.value("SELECT count(*) FROM story_article") == 6
        found = "SELECT count(*) FROM mention m JOIN article a ON a.id = m.article_id"
        assert int(str(await walk.value(found))) > 0


async def test_an_unchanged_round_asks_once_and_writes_nothing(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=3, items=4) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        await walk.collect()
        net.requests.clear()
        before = await walk.rows("SELECT sum(xmin::text::bigint) FROM article")
        await walk.all_due()
        await walk.collect()
        assert [request.path for request in net.requests] == ["/feed.xml"] * 3
        assert all("if-none-match" in request.headers for request in net.requests)
        assert await walk.rows("SELECT sum(xmin::text::bigint) FROM article") == before
        last = "SELECT bool_and(unchanged) FROM source_check WHERE id > 3"
        assert await walk.value(last) is True


async def test_a_restart_asks_for_nothing_twice(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=2, items=4) as net:
        async with walking(database, net, tmp_path) as walk:
            await walk.add(*net.sources())
            await walk.collect()
        net.requests.clear()
        async with walking(database, net, tmp_path) as walk:
            await walk.all_due()
            await walk.collect()
            assert [request.path for request in net.requests] == ["/feed.xml"] * 2


async def test_new_items_and_edits_are_found(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=1, items=3) as net,
        walking(database, net, tmp_path) as walk,
    ):
        [source] = net.sources()
        await walk.add(_changed(source, feed_url=net.sites[0].url("/atom.xml")))
        await walk.collect()
        net.sites[0].bump(2)
        net.sites[0].edit(0)
        await walk.run("UPDATE fetch_job SET finished_at = now() - interval '1 hour'")
        await walk.all_due()
        await walk.collect()
        assert (await walk.accounting()).stored == 5
        assert await walk.value("SELECT count(*) FROM article_revision") == 1
        assert await walk.value("SELECT max(revision) FROM article") == 2


@pytest.mark.parametrize(
    ("path", "discovery"),
    [
        ("/atom.xml", Discovery.FEED),
        ("/feed.json", Discovery.FEED),
        ("/sitemap.xml", Discovery.SITEMAP),
        ("/", Discovery.LISTING),
        ("/", Discovery.FEED),
    ],
)
async def test_every_way_of_finding_articles_finds_them_all(
    database: str, tmp_path: Path, path: str, discovery: Discovery
) -> None:
    async with (
        FakeInternet(hosts=1, items=5) as net,
        walking(database, net, tmp_path) as walk,
    ):
        [source] = net.sources()
        url = net.sites[0].url(path)
        feed_url = None if path == "/" else url
        selectors = Selectors(listing="h2 a") if discovery is Discovery.LISTING else Selectors()
        await walk.add(
            _changed(source, url=url, feed_url=feed_url, discovery=discovery, selectors=selectors)
        )
        await walk.collect()
        accounting = await walk.accounting()
        assert (accounting.discovered, accounting.stored) == (5, 5)


async def test_a_feed_found_on_the_site_is_written_down(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        [source] = net.sources()
        await walk.add(_changed(source, feed_url=None))
        await walk.collect()
        found = await walk.sources.get(source.key)
        assert found.settings.feed_url is not None
        assert found.settings.feed_url.endswith(".xml")
        changes = "SELECT actor FROM source_change ORDER BY id DESC LIMIT 1"
        assert await walk.value(changes) == "discovery"
        feeds = [request for request in net.requests if request.path.endswith(".xml")]
        assert len(feeds) == 1, "the feed just read is not asked for again"


async def test_the_same_text_under_two_addresses_is_kept_and_linked(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=2, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        for site in net.sites:
            site.faults["page"] = "same_text"
        await walk.add(*net.sources())
        await walk.collect()
        accounting = await walk.accounting()
        assert accounting.balanced
        assert (accounting.stored, accounting.duplicate) == (2, 2)
        assert await walk.value("SELECT count(*) FROM article") == 4


async def test_robots_are_obeyed_and_the_feed_text_is_kept_with_a_note(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=3) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].robots = "User-agent: *\nDisallow: /a/\n"
        await walk.add(*net.sources())
        await walk.collect()
        assert not [request for request in net.requests if request.path.startswith("/a/")]
        rows = await walk.rows("SELECT method, notes[array_length(notes, 1)] FROM article")
        assert len(rows) == 3
        assert all(method == "feed" and "robots" in str(note) for method, note in rows)


async def test_a_source_that_robots_close_is_blocked_and_told(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=3) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].robots = "User-agent: *\nDisallow: /\n"
        await walk.add(*net.sources())
        await walk.collect()
        source = await walk.sources.get("site-0")
        assert (source.health, source.reason) == (Health.BLOCKED, "robots_disallowed")
        assert [request.path for request in net.requests] == ["/robots.txt"]


async def test_a_quarantined_article_is_kept_and_can_be_released(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        [source] = net.sources()
        await walk.add(_changed(source, min_length=10_000_000))
        await walk.collect()
        assert (await walk.accounting()).filtered == 2
        asked = len(net.requests)
        ids = [int(str(row[0])) for row in await walk.rows("SELECT id FROM fetch_job")]
        assert await walk.queue.release(ids) == 2
        await walk.collect()
        accounting = await walk.accounting()
        assert (accounting.stored, accounting.filtered) == (2, 0)
        assert len(net.requests) == asked, "the kept bytes are read again, nothing is fetched"


@asynccontextmanager
async def _moved_feed(database: str, tmp_path: Path) -> AsyncIterator[tuple[Walk, SourceSettings]]:
    """A source whose feed says each time that it has another address for good."""
    async with (
        FakeInternet(hosts=1, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        net.sites[0].faults["/atom.xml"] = "redirect_301"
        [source] = net.sources()
        source = _changed(source, feed_url=net.sites[0].url("/atom.xml"))
        await walk.add(source)
        yield walk, source


async def _asked_three_times(walk: Walk, source: SourceSettings) -> SourceSettings:
    """Return the settings that a source has once its feed has given its third answer."""
    for expected in (1, 2, 0):
        await walk.all_due()
        await walk.collect()
        assert (await walk.sources.get(source.key)).moved_count == expected
    return (await walk.sources.get(source.key)).settings


async def test_a_feed_that_moved_for_good_is_followed_after_three_answers(
    database: str, tmp_path: Path
) -> None:
    async with _moved_feed(database, tmp_path) as (walk, source):
        assert (await _asked_three_times(walk, source)).feed_url != source.feed_url


async def test_what_somebody_saved_while_a_moved_feed_was_read_stands(
    database: str, tmp_path: Path
) -> None:
    async with _moved_feed(database, tmp_path) as (walk, source):
        edited = _changed(source, name="As somebody calls it")
        record = walk.services.checks.record

        async def and_somebody_saves(
            lease: SourceLease,
            summary: CheckSummary,
            standing: SourceStanding,
            announced: Sequence[Announced] = (),
        ) -> CheckSummary | None:
            kept = await record(lease, summary, standing, announced)
            if standing.moved_count == MOVED_AFTER:
                await walk.sources.update(source.key, edited, actor="somebody", same_feed=True)
            return kept

        walk.services.checks.record = and_somebody_saves  # type: ignore[method-assign]
        assert (await _asked_three_times(walk, source)) == edited


def _changed(source: SourceSettings, **changes: object) -> SourceSettings:
    return replace(source, **changes)  # type: ignore[arg-type]  # a builder
