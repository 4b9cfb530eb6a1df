"""The use cases around sources, over a fake internet and a real PostgreSQL."""

from dataclasses import replace
from pathlib import Path

import pytest

from ctiscraper.errors import CatalogError, ConflictError, FetchError, ParseError, Reason
from ctiscraper.sourcing import edited, free_key, read_changes
from ctiscraper.types import Discovery, RobotsPolicy, Tier
from internet.world import FakeInternet
from make import settings
from walk.walker import walking


@pytest.mark.parametrize("path", ["/", "/feed.xml"])
async def test_any_address_leads_to_the_feed(database: str, tmp_path: Path, path: str) -> None:
    async with FakeInternet(hosts=1, items=6) as net, walking(database, net, tmp_path) as walk:
        sourcing = walk.services.sourcing
        found = await sourcing.preview(await sourcing.propose(net.sites[0].url(path)), samples=2)
        assert found.settings.discovery is Discovery.FEED
        assert found.settings.feed_url is not None
        assert (found.announced, found.passed) == (6, 6)
        assert found.settings.name == found.title != ""
        assert all(sample.word_count > 50 and sample.reason is None for sample in found.samples)
        assert len(found.samples) == 2


async def test_a_preview_keeps_nothing(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, walking(database, net, tmp_path) as walk:
        sourcing = walk.services.sourcing
        await sourcing.preview(await sourcing.propose(net.sites[0].url()))
        for table in ("source", "article", "fetch_job", "snapshot", "source_check"):
            assert await walk.value(f"SELECT count(*) FROM {table}") == 0


async def test_the_newest_samples_that_patterns_let_through(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=5) as net, walking(database, net, tmp_path) as walk:
        site = net.sites[0]
        proposed = await walk.services.sourcing.propose(site.url(), allow=["/a/1", "/a/3"])
        found = await walk.services.sourcing.preview(proposed)
        assert (found.announced, found.passed) == (5, 2)
        assert {sample.url for sample in found.samples} == {site.url("/a/1"), site.url("/a/3")}
        dates = [sample.published for sample in found.samples if sample.published]
        assert dates == sorted(dates, reverse=True)


async def test_a_sample_says_why_it_would_not_be_kept(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["/a/0"] = "status_403"
        sourcing = walk.services.sourcing
        proposed = await sourcing.propose(net.sites[0].url("/feed.xml"), min_length=90_000)
        samples = (await sourcing.preview(proposed)).samples
        assert {sample.reason for sample in samples} == {Reason.FORBIDDEN, Reason.TOO_SHORT}
        [refused] = [sample for sample in samples if sample.reason == Reason.FORBIDDEN]
        assert "feed's own text" in refused.detail


async def test_a_site_that_does_not_answer_raises(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["index"] = "status_404"
        sourcing = walk.services.sourcing
        with pytest.raises(FetchError):
            await sourcing.preview(await sourcing.propose(net.sites[0].url()))


async def test_a_feed_that_is_a_page_raises(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        net.sites[0].faults["feed"] = "html_as_feed"
        sourcing = walk.services.sourcing
        given = await sourcing.propose(net.sites[0].url(), feed_url=net.sites[0].url("/feed.xml"))
        with pytest.raises(ParseError, match="not_a_feed"):
            await sourcing.preview(given)


async def test_one_address_is_collected_once(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        sourcing = walk.services.sourcing
        await sourcing.add(settings(), actor="test")
        twin = replace(settings(key="twin"), feed_url="https://acme.example/feed.xml/")
        with pytest.raises(ConflictError, match="'acme' collects"):
            await sourcing.add(twin, actor="test")


async def test_a_proposed_key_is_free(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        sourcing = walk.services.sourcing
        first = await sourcing.propose("https://www.acme.example/blog")
        assert (first.key, first.name) == ("acme-example", "acme.example")
        await sourcing.add(first, actor="test")
        assert (await sourcing.propose("https://acme.example/other")).key == "acme-example-2"
        with pytest.raises(CatalogError):
            await sourcing.propose("ftp://acme.example/")


async def test_what_leaves_comes_back(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        sourcing, sources = walk.services.sourcing, walk.services.sources
        kept = replace(
            settings(name='A & "B" <C>'),
            tier=Tier.PREMIUM,
            exclude_words=("webinar", "podcast"),
            robots=RobotsPolicy(obey=False, override_reason="the owner said yes"),
        )
        await sources.add(kept, actor="test")
        files = [await sourcing.export_opml(), (await sourcing.export_catalog()).encode()]
        for body in files:
            report = await sourcing.import_file(body, name="x", actor="test")
            assert [row.outcome for row in report.rows] == ["known"]
            await sources.remove("acme", actor="test")
            report = await sourcing.import_file(body, name="x", actor="test", dry_run=True)
            assert await sources.all() == []
            report = await sourcing.import_file(body, name="x", actor="test")
            assert report.count("added") == 1
            assert (await sources.get("acme")).settings == kept


async def test_keys_of_an_import_do_not_clash(database: str, tmp_path: Path) -> None:
    body = b"".join(
        b'<outline type="rss" text="News" xmlUrl="https://%d.example/feed"/>' % number
        for number in range(3)
    )
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        report = await walk.services.sourcing.import_file(
            b'<opml version="2.0"><body>' + body + b"</body></opml>", name="x", actor="test"
        )
        assert [row.key for row in report.rows] == ["news", "news-2", "news-3"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"nonsense", b"sources: 7"])
async def test_a_file_that_is_none_is_refused(database: str, tmp_path: Path, body: bytes) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        with pytest.raises(CatalogError):
            await walk.services.sourcing.import_file(body, name="x", actor="test")


def test_an_edit_changes_what_it_names() -> None:
    before = settings(min_length=5)
    after = edited(before, {"tier": "premium", "min_length": None})
    assert after == replace(before, tier=Tier.PREMIUM, min_length=0)
    with pytest.raises(CatalogError, match="key stays"):
        edited(before, {"key": "other"})


def test_values_are_written_as_in_a_catalogue() -> None:
    changes = read_changes(["min_length=5", "allow=[/a/*, /b/*]", "notes=", "name= a = b"])
    assert changes == {
        "min_length": 5,
        "allow": ["/a/*", "/b/*"],
        "notes": None,
        "name": "a = b",
    }
    with pytest.raises(CatalogError) as raised:
        read_changes(["tier", "=x", "allow=[", "a: b=1"])
    assert len(raised.value.problems) == 3


def test_a_taken_key_gets_a_number() -> None:
    assert free_key("a", set()) == "a"
    assert free_key("a", {"a", "a-2"}) == "a-3"
    long = "k" * 64
    assert len(free_key(long, {long})) <= 64
