"""Fixes for sources in trouble: tried at a real site, and only what works is proposed."""

from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.errors import CatalogError, FetchError, Reason
from ctiscraper.mending import Diagnosis, Proposal
from ctiscraper.types import Discovery
from internet.world import FakeInternet
from walk.walker import Walk, walking


async def diagnosed(walk: Walk, key: str = "site-0") -> Diagnosis:
    return await walk.services.mending.diagnose(await walk.sources.get(key))


async def failed(walk: Walk, net: FakeInternet, fault: str, *, path: str = "/feed.xml") -> None:
    """A source whose feed answers with a fault, checked once."""
    [source] = net.sources()
    net.sites[0].faults[path] = fault
    await walk.add(replace(source, feed_url=net.sites[0].url("/feed.xml")))
    await walk.collect()


def by_kind(found: Diagnosis) -> dict[str, Proposal]:
    return {proposal.kind: proposal for proposal in found.proposals}


@pytest.mark.parametrize("fault", ["status_404", "status_410", "html_as_feed", "status_403"])
async def test_another_feed_that_the_site_announces_is_proposed(
    database: str, tmp_path: Path, fault: str
) -> None:
    async with FakeInternet(hosts=1, items=4) as net, walking(database, net, tmp_path) as walk:
        await failed(walk, net, fault)
        found = by_kind(await diagnosed(walk))
        proposal = found["announced"]
        assert proposal.changes["feed_url"] == net.sites[0].url("/atom.xml")
        assert proposal.entries == 4
        assert proposal.newest_at is not None
        assert len(proposal.newest) == 3
        assert {"sitemap", "listing"} <= found.keys()


async def test_a_fix_is_applied_and_undone(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=4) as net, walking(database, net, tmp_path) as walk:
        await failed(walk, net, "status_404")
        proposal = (await diagnosed(walk)).proposals[0]
        source = await walk.sources.get("site-0")
        mended = await walk.services.mending.confirm(source, proposal.changes)
        await walk.sources.update("site-0", mended, actor="test", reason=proposal.words)
        await walk.all_due()
        await walk.collect()
        assert await walk.value("SELECT count(*) FROM article") == 4
        before = await walk.sources.undo("site-0", actor="test")
        assert before.settings == source.settings


async def test_where_no_feed_works_the_sitemap_and_the_page_are_tried(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=4) as net, walking(database, net, tmp_path) as walk:
        for path in ("/atom.xml", "/feed.json"):
            net.sites[0].faults[path] = "status_404"
        await failed(walk, net, "status_404")
        found = await diagnosed(walk)
        kinds = by_kind(found)
        assert [p.kind for p in found.proposals] == ["sitemap", "listing"]
        assert kinds["sitemap"].changes["discovery"] == Discovery.SITEMAP.value
        assert kinds["listing"].changes["discovery"] == Discovery.LISTING.value


async def test_what_does_not_work_is_told_and_not_proposed(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        for path in ("/atom.xml", "/feed.json", "/sitemap.xml", "index"):
            net.sites[0].faults[path] = "status_404"
        await failed(walk, net, "status_404")
        found = await diagnosed(walk)
        assert found.proposals == ()
        assert {tried.reason for tried in found.tried} == {Reason.NOT_FOUND}
        assert len(found.tried) == 3


async def test_a_permanent_move_is_proposed_before_three_redirects(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=3) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        await walk.run(
            f"UPDATE source_state SET moved_to = '{net.sites[0].url('/atom.xml')}', moved_count = 1"
        )
        [proposal] = (await diagnosed(walk)).proposals
        assert (proposal.kind, proposal.changes) == (
            "moved",
            {"feed_url": net.sites[0].url("/atom.xml")},
        )


async def test_pages_that_are_refused_leave_the_text_of_the_feed(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=4) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        await walk.run("UPDATE fetch_job SET state = 'failed', reason = 'forbidden'")
        [proposal] = (await diagnosed(walk)).proposals
        assert proposal.changes == {"fetch_pages": False}
        await walk.run("UPDATE fetch_job SET state = 'stored', reason = NULL")


async def test_a_source_that_does_well_has_no_fix_and_is_not_asked(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        await walk.add(*net.sources())
        await walk.collect()
        asked = len(net.requests)
        assert await diagnosed(walk) == Diagnosis(proposals=(), tried=())
        assert len(net.requests) == asked


async def test_robots_are_obeyed_when_fixes_are_tried(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["robots"] = "robots_disallow"
        await walk.add(*net.sources())
        await walk.collect()
        found = await diagnosed(walk)
        assert found.proposals == ()
        assert {tried.reason for tried in found.tried} == {Reason.ROBOTS_DISALLOWED}
        assert {request.path for request in net.requests} == {"/robots.txt"}


async def test_only_what_a_fix_changes_may_be_applied(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        await walk.add(*net.sources())
        source = await walk.sources.get("site-0")
        mending = walk.services.mending
        with pytest.raises(CatalogError, match="robots: no fix changes this"):
            await mending.confirm(source, {"robots": {"obey": False}})
        net.sites[0].faults["/gone.xml"] = "status_410"
        with pytest.raises(FetchError):
            await mending.confirm(source, {"feed_url": net.sites[0].url("/gone.xml")})
