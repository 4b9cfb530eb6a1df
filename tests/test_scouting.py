"""What a look at a source tells beside its articles."""

from datetime import timedelta
from pathlib import Path

import pytest

from ctiscraper.errors import FetchError
from ctiscraper.scouting import propose_tier
from ctiscraper.sourcing import Preview
from ctiscraper.types import Discovery, Tier
from internet.exchange import Exchange
from internet.world import FAULTS, FakeInternet
from make import NOW, settings
from walk.walker import walking


async def test_a_look_tells_what_it_does_step_by_step(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=6) as net, walking(database, net, tmp_path) as walk:
        sourcing = walk.services.sourcing
        proposed = await sourcing.propose(net.sites[0].url())
        seen = [step async for step in sourcing.looking(proposed)]
        steps = [step for step in seen if isinstance(step, str)]
        assert isinstance(seen[-1], Preview)
        assert steps[0].startswith("Asking ")
        assert steps[1].startswith("Found 6 entries by its feed")
        assert [step.partition(":")[0] for step in steps[2:]] == [
            f"Reading article {number} of 5" for number in range(1, 6)
        ]


async def test_further_feeds_and_robots_and_rhythm_are_told(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=6) as net, walking(database, net, tmp_path) as walk:
        site = net.sites[0]
        site.robots = "User-agent: *\nDisallow: /private/\nAllow: /feed\nCrawl-delay: 0.2\n"
        site.epoch = walk.database.clock() - timedelta(hours=8)
        sourcing = walk.services.sourcing
        found = await sourcing.preview(await sourcing.propose(site.url()), samples=1)
        others = {other.url for other in found.others}
        assert others == {site.url("/atom.xml"), site.url("/feed.json")}
        assert found.robots is not None
        assert found.robots.decision is not None
        assert (found.robots.decision.line, found.robots.decision.words) == (3, "Allow: /feed")
        assert (found.robots.robots_delay, found.robots.gap) == (0.2, 0.2)
        assert found.items_per_day == pytest.approx(6 / (8 / 24), rel=0.1)
        assert found.newest_at is not None
        assert found.tier is not None
        assert found.tier.tier is Tier.BASIC


async def test_a_site_whose_feed_stands_at_a_host_that_fails_is_tried_as_a_listing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeInternet(hosts=2, items=4) as net, walking(database, net, tmp_path) as walk:
        site, other = net.sites

        async def names_it(x: Exchange) -> None:
            head = f'<link rel="feed" type="application/rss+xml" href="{other.url("/feed.xml")}">'
            await x.send(f"<html><head>{head}{site.front_page().partition('</head>')[2]}")

        monkeypatch.setitem(FAULTS, "names_it", names_it)
        own = ("/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml")
        site.faults |= {"/": "names_it", **dict.fromkeys(own, "status_404")}
        other.faults["feed"] = "status_503"
        sourcing = walk.services.sourcing
        found = await sourcing.preview(await sourcing.propose(site.url()), samples=0)
        assert (found.settings.discovery, found.announced) == (Discovery.LISTING, 4)
        site.faults = {"feed": "status_503"}
        net.requests.clear()
        with pytest.raises(FetchError, match="503"):
            await sourcing.preview(await sourcing.propose(site.url()), samples=0)
        assert [request.path for request in net.requests] == ["/", "/feed.xml"]


async def test_sources_that_are_alike_are_named(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=2, items=4) as net, walking(database, net, tmp_path) as walk:
        await walk.add(net.sources()[0])
        await walk.collect()
        sourcing = walk.services.sourcing
        other_feed = await sourcing.propose(net.sites[0].url("/atom.xml"))
        found = await sourcing.preview(other_feed, samples=0)
        assert [(one.key, one.shared) for one in found.alike] == [("site-0", 4)]
        far = await sourcing.preview(await sourcing.propose(net.sites[1].url()), samples=0)
        assert [one.key for one in far.alike if one.shared] == []


def test_a_tier_fits_the_rhythm() -> None:
    day = timedelta(days=1)
    assert propose_tier(settings(), 1.0, NOW - day, NOW).tier is Tier.STANDARD
    assert propose_tier(settings(), 40.0, NOW - day, NOW).tier is Tier.BASIC
    assert propose_tier(settings(), None, NOW - 300 * day, NOW).tier is Tier.BASIC
    assert propose_tier(settings(), None, None, NOW).tier is Tier.BASIC


def test_the_catalogue_knows_the_tier_of_its_sources() -> None:
    known = settings(url="https://securelist.com/")
    assert propose_tier(known, None, None, NOW).words == "as the bundled catalogue has it"
