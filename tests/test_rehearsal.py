"""Edits of a source tried on what was collected, asking nobody and writing nothing."""

from dataclasses import replace
from pathlib import Path

from ctiscraper.errors import Reason
from ctiscraper.rehearsal import changed_settings
from ctiscraper.types import Discovery, RobotsPolicy, Selectors, Tier
from internet.world import FakeInternet
from make import settings
from walk.walker import Walk, walking

_TABLES = ("article", "article_revision", "fetch_job", "snapshot", "source_change", "source_check")


async def counts(walk: Walk) -> list[object]:
    return [await walk.value(f"SELECT count(*) FROM {table}") for table in _TABLES]


async def test_an_edit_is_tried_on_kept_pages_and_nothing_is_asked_or_written(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=12) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        asked, kept = len(net.requests), await counts(walk)
        rehearsals = walk.services.rehearsals
        after = replace(source, min_length=1_000_000)
        found = await rehearsals.rehearse(source, after)
        assert found.changed == ("min_length",)
        assert len(found.trials) == 10
        assert found.count("held") == 10
        assert {trial.after.reason for trial in found.trials} == {Reason.TOO_SHORT}
        assert not any(trial.from_feed for trial in found.trials)
        assert all(trial.before.kept and trial.before.text for trial in found.trials)
        assert (len(net.requests), await counts(walk)) == (asked, kept)


async def test_selectors_show_how_title_and_text_would_change(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        after = replace(source, selectors=Selectors(content="p"))
        found = await walk.services.rehearsals.rehearse(source, after)
        assert found.changed == ("selectors.content",)
        assert found.count("changed") == 2
        assert all(trial.before.text != trial.after.text for trial in found.trials)


async def test_what_was_held_back_is_shown_as_newly_kept(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        source = replace(source, min_length=100_000)
        await walk.add(source)
        await walk.collect()
        assert await walk.value("SELECT count(*) FROM article") == 0
        found = await walk.services.rehearsals.rehearse(source, replace(source, min_length=0))
        assert found.count("kept") == 2
        assert {trial.state for trial in found.trials} == {"filtered"}


async def test_patterns_and_words_are_gates_too(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        after = replace(source, allow=("/a/1",), include_words=("zzqx",))
        found = await walk.services.rehearsals.rehearse(source, after)
        reasons = sorted(str(trial.after.reason) for trial in found.trials)
        assert reasons == ["url_not_allowed", "url_not_allowed", "word_not_included"]


async def test_without_its_page_the_words_of_the_feed_are_read(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=1) as net, walking(database, net, tmp_path) as walk:
        [source] = net.sources()
        await walk.add(source)
        await walk.collect()
        for file in (tmp_path / "raw").rglob("*.zst"):
            file.unlink()
        found = await walk.services.rehearsals.rehearse(source, source)
        [trial] = found.trials
        assert trial.from_feed
        assert trial.same
        assert found.changed == ()


async def test_what_only_the_site_can_tell_is_named(database: str, tmp_path: Path) -> None:
    async with FakeInternet() as net, walking(database, net, tmp_path) as walk:
        await walk.add(settings())
        after = replace(settings(), discovery=Discovery.SITEMAP, tier=Tier.PREMIUM)
        found = await walk.services.rehearsals.rehearse(settings(), after)
        assert found.at_the_site == ("discovery",)
        assert found.elsewhere == ("tier",)
        assert found.trials == ()


def test_settings_inside_others_are_named() -> None:
    after = settings(
        robots=RobotsPolicy(obey=False, override_reason="asked"),
        selectors=Selectors(title="h1"),
    )
    changed = changed_settings(settings(), after)
    assert changed == ("robots.obey", "robots.override_reason", "selectors.title")
