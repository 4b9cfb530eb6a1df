"""Every setting in a form: tried, saved, undone, and two editors told of each other."""

import json
from pathlib import Path

import pytest

from ctiscraper.sourcing import edited
from ctiscraper.types import RobotsPolicy, Selectors, SourceSettings, Tier
from ctiscraper.web.source_form import FIELDS, changes_of, field_of, typed_of
from internet.world import FakeInternet
from make import settings
from web.sourced import Desk, working

FULL = settings(
    tier=Tier.PREMIUM,
    interval_minutes=90,
    crawl_delay=2.5,
    allow=("/a/*", "/b/*"),
    exclude_words=("webinar",),
    min_length=12,
    language="pt-BR",
    robots=RobotsPolicy(obey=False, override_reason="permitted"),
    selectors=Selectors(title="h1", remove=(".share", ".more")),
    notes="one\ntwo",
    verified=True,
)


async def typed(desk: Desk, **changes: str) -> dict[str, str]:
    """The form as the page of the source holds it, with changes."""
    source = await desk.walk.sources.get("one")
    return {**typed_of(source.settings), **changes}


@pytest.mark.parametrize("given", [settings(), FULL])
def test_what_a_form_shows_is_what_it_gives_back(given: SourceSettings) -> None:
    bare = settings(name="Another", min_length=3, selectors=Selectors(content="main"))
    assert edited(bare, changes_of(typed_of(given))) == given


def test_a_problem_is_about_its_field() -> None:
    assert field_of("source 'x': min_length is 'a', not a whole number") == "min_length"
    assert field_of("source 'x': selectors is wrong: title 'a[' is no CSS selector") == (
        "selectors.title"
    )
    assert field_of("source 'x': strange") == ""


async def test_the_form_has_every_setting_with_its_meaning(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        page = (await desk.client.get("/sources/one/edit")).text
        for name, field in FIELDS.items():
            assert f'name="{name}"' in page
            assert field.meaning in page


async def test_trying_shows_before_and_after_and_saves_nothing(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=3) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        asked = len(net.requests)
        fields = await typed(desk, min_length="99999")
        version = await desk.version()
        page = await desk.post("/sources/one/edit", version=version, action="try", **fields)
        assert page.status_code == 200
        assert "3 newly held back" in page.text
        assert "It is 0 now." in page.text
        assert 'value="99999"' in page.text
        fields = await typed(desk, **{"selectors.content": "p"})
        page = await desk.post("/sources/one/edit", version=version, action="try", **fields)
        assert "3 read otherwise" in page.text
        assert "The text, line by line" in page.text
        assert (await desk.version(), len(net.requests)) == (version, asked)


async def test_saving_says_who_and_undo_takes_it_back(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        before = (await desk.walk.sources.get("one")).settings
        fields = await typed(desk, min_length="44", tier="premium")
        fields |= {"reason": "short ones are noise", "action": "save"}
        saved = await desk.post("/sources/one/edit", version=await desk.version(), **fields)
        assert saved.headers["location"] == "/sources/one?done=saved"
        page = (await desk.client.get("/sources/one")).text
        assert "short ones are noise" in page
        assert "the-admin, token a test" in page
        undone = await desk.post("/sources/one/undo", version=await desk.version(), reason="hasty")
        assert undone.headers["location"] == "/sources/one?done=undone"
        assert (await desk.walk.sources.get("one")).settings == before
        stale = await desk.post("/sources/one/undo", version=1, reason="late")
        assert stale.status_code == 409


async def test_the_second_editor_is_told_what_the_first_changed(
    database: str, tmp_path: Path
) -> None:
    async with FakeInternet(hosts=1, items=2) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        seen = await desk.version()
        mine = await typed(desk, notes="what I typed")
        theirs = await typed(desk, notes="what they typed")
        first = await desk.post(
            "/sources/one/edit", version=seen, action="save", reason="theirs", **theirs
        )
        assert first.status_code == 303
        second = await desk.post("/sources/one/edit", version=seen, action="save", **mine)
        assert second.status_code == 409
        assert "somebody else changed this source meanwhile" in second.text
        assert "what they typed" in second.text
        assert "what I typed" in second.text
        assert (await desk.walk.sources.get("one")).settings.notes == "what they typed"
        now = await desk.version()
        assert f'name="version" value="{now}"' in second.text
        again = await desk.post("/sources/one/edit", version=now, action="save", **mine)
        assert again.status_code == 303
        assert (await desk.walk.sources.get("one")).settings.notes == "what I typed"


WRONG = (
    ({"min_length": "many"}, "not a whole number"),
    ({"interval_minutes": "2"}, "use 5 to 1440 minutes"),
    ({"selectors.title": "h1["}, "no CSS selector"),
    ({"allow": "blog"}, "start it with / or *"),
    ({"url": "javascript:alert(1)"}, "not http or https"),
    ({"robots.obey": ""}, "add override_reason"),
    ({"name": ""}, "missing"),
)


async def test_what_is_wrong_is_told_at_its_field_and_kept(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=1) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        version = await desk.version()
        for change, words in WRONG:
            fields = await typed(desk, **change)
            page = await desk.post("/sources/one/edit", version=version, action="save", **fields)
            assert (page.status_code, change) == (422, change)
            assert words in page.text.replace("&#39;", "'"), change
        assert await desk.version() == version
        for strange in ({"bogus": "1"}, {"action": "delete"}, {"version": "x"}):
            given = {"version": version, "action": "save", **await typed(desk), **strange}
            assert (await desk.post("/sources/one/edit", **given)).status_code == 422


async def test_the_site_is_looked_at_with_an_edit(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, working(database, tmp_path, net) as desk:
        await desk.collected()
        fields = await typed(desk, feed_url=net.sites[0].url("/atom.xml"))
        page = await desk.post(
            "/sources/one/edit", version=await desk.version(), action="look", **fields
        )
        assert "Found 3 entries by its feed" in page.text
        assert page.text.count("text by") == 3
        assert "Save this source" not in page.text


async def test_a_fix_is_proposed_applied_and_undone_by_pages(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=3) as net, working(database, tmp_path, net) as desk:
        net.sites[0].faults["/feed.xml"] = "status_404"
        await desk.collected(feed_url=net.sites[0].url("/feed.xml"))
        assert "Look for a fix" in (await desk.client.get("/sources/one")).text
        page = (await desk.post("/sources/one/mend")).text
        assert "The site announces another feed" in page
        assert net.sites[0].url("/atom.xml") in page
        changes = json.dumps({"feed_url": net.sites[0].url("/atom.xml")})
        applied = await desk.post(
            "/sources/one/mend/apply", version=await desk.version(), changes=changes, reason="why"
        )
        assert applied.headers["location"] == "/sources/one?done=mended"
        await desk.walk.all_due()
        await desk.walk.collect()
        assert await desk.walk.value("SELECT count(*) FROM article") == 3
        undone = await desk.post("/sources/one/undo", version=await desk.version())
        assert undone.status_code == 303
        bad = await desk.post(
            "/sources/one/mend/apply", version=await desk.version(), changes='{"tier": "basic"}'
        )
        assert bad.status_code == 422
