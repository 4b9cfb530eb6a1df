"""Work on sources in a real browser: added, collected, tried, paused, by every means of reading."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page

from ctiscraper.cli.web import web_services
from ctiscraper.tasks.bell import SilentBell
from ctiscraper.web.app import create_app
from ctiscraper.web.serve import listen, serve
from internet.world import FakeInternet
from people import person, session_of
from walk.walker import Walk, walking
from web.test_pages_browser import UNSAFE_TARGETS, Watch, browser

__all__ = ["browser"]

pytestmark = pytest.mark.browser

UGLY = '"><img src=x onerror=alert(1)></textarea></script><script>alert(1)</script>' + "Long" * 20
PATHS = (
    "/sources",
    "/sources/add",
    "/sources/import",
    "/sources/scoreboard",
    "/sources/site-0",
    "/sources/site-0/edit",
    "/sources/site-0/history",
    "/sources/site-0/history?part=changes",
    "/sources/site-0/requests",
    "/operations/packs",
    "/operations/retention",
    "/settings",
)


@dataclass(frozen=True)
class Served:
    """An installation beside a fake internet, and a browser that is logged in to it."""

    walk: Walk
    net: FakeInternet
    browser: Browser
    url: str
    secret: str

    async def context(self, **options: object) -> BrowserContext:
        cookie = {
            "name": "ctiscraper",
            "value": self.secret,
            "domain": "127.0.0.1",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
        state = {"cookies": [cookie], "origins": []}
        return await self.browser.new_context(base_url=self.url, storage_state=state, **options)  # type: ignore[arg-type]  # as Playwright takes them

    async def seen(self, page: Page, name: str) -> None:
        """Keep a picture of a page, if somebody wants to look at it."""
        folder = os.environ.get("CTISCRAPER_TEST_PICTURES")
        if folder:
            await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str, tmp_path: Path, browser: Browser) -> AsyncIterator[Served]:
    with listen("127.0.0.1", 0) as listening:
        async with (
            FakeInternet(hosts=2, items=6) as net,
            walking(database, net, tmp_path) as walk,
        ):
            serving = asyncio.create_task(
                serve(create_app(web_services(walk.services, SilentBell())), listening)
            )
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            secret = await session_of(walk.database, await person(walk.database))
            yield Served(walk, net, browser, url, secret)
            serving.cancel()
            await asyncio.wait({serving})


async def filled(served: Served) -> None:
    """A collected source, edited, of ugly words; and one in trouble."""
    first, second = served.net.sources()
    served.net.sites[1].faults["/feed.xml"] = "status_404"
    await served.walk.add(replace(first, notes=UGLY, name=UGLY), second)
    await served.walk.collect()
    edited = replace(first, notes=UGLY * 3, name=UGLY, exclude_words=(UGLY[:90],))
    await served.walk.sources.update(first.key, edited, actor=UGLY, reason=UGLY)


@pytest.mark.parametrize("script", [True, False])
async def test_a_source_is_added_collected_edited_and_paused(
    served: Served, *, script: bool
) -> None:
    context = await served.context(java_script_enabled=script)
    page = await context.new_page()
    watch = Watch(page, served.url)
    await page.goto("/sources")
    await page.get_by_role("link", name="Add a source").first.click()
    await page.locator("main input[name=url]").fill(served.net.sites[0].url())
    await page.get_by_role("button", name="Look").click()
    await page.get_by_role("button", name="Save this source").wait_for()
    assert await page.locator(".steps li").count() == 7
    assert await page.locator(".samples li").count() == 5
    await served.seen(page, f"look-{script}")
    await page.get_by_label("Name").fill("My source")
    await page.get_by_role("button", name="Save this source").click()
    await page.wait_for_url("**?done=added")
    await served.walk.collect()
    await page.reload()
    assert "6" in str(await page.locator(".sum .stored dd").text_content())
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_label("Characters at least").fill("99999")
    await page.get_by_role("button", name="Try it on the last ten articles").click()
    assert "6 newly held back" in str(await page.locator(".rehearsal .notice").text_content())
    assert await page.get_by_label("Characters at least").input_value() == "99999"
    await page.get_by_label("Characters at least").fill("20")
    await page.get_by_label("Reason").fill("noise")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url("**?done=saved")
    await page.get_by_role("button", name="Undo the last edit").click()
    await page.wait_for_url("**?done=undone")
    await page.get_by_role("button", name="Pause").click()
    await page.wait_for_url("**?done=paused")
    assert await page.locator(".health").first.text_content() == "Paused"
    await page.get_by_role("button", name="Resume").click()
    await page.wait_for_url("**?done=resumed")
    assert watch.faults == []
    await context.close()


async def test_a_file_is_chosen_looked_at_and_taken(served: Served) -> None:
    context = await served.context()
    page = await context.new_page()
    watch = Watch(page, served.url)
    await page.goto("/sources/import")
    body = b'<opml version="2.0"><body><outline text="A &lt;b&gt;" xmlUrl="https://a.example/f"/>'
    await page.locator("input[type=file]").set_input_files(
        {"name": "mine.opml", "mimeType": "text/x-opml", "buffer": body + b"</body></opml>"}
    )
    await page.get_by_role("button", name="Look what it would bring").click()
    await page.get_by_role("button", name="Add it").click()
    assert "1 added" in str(await page.locator(".looked .notice").text_content())
    await page.goto("/sources")
    assert await page.get_by_role("link", name="A <b>").count() == 1
    assert watch.faults == []
    await context.close()


async def test_a_source_in_trouble_is_mended_by_one_click(served: Served) -> None:
    await filled(served)
    context = await served.context()
    page = await context.new_page()
    await page.goto("/sources/site-1")
    await page.get_by_role("button", name="Look for a fix").click()
    await page.get_by_role("button", name="Apply this fix").last.wait_for()
    await page.wait_for_load_state()
    await served.seen(page, "mend")
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    await page.get_by_role("button", name="Apply this fix").first.click()
    await page.wait_for_url("**/sources/site-1?done=mended")
    await served.walk.all_due()
    await served.walk.collect()
    await page.reload()
    assert await page.locator(".health").first.text_content() == "Healthy"
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_found_by_axe(served: Served, scheme: str) -> None:
    await filled(served)
    context = await served.context(color_scheme=scheme)
    page = await context.new_page()
    watch = Watch(page, served.url)
    faults: dict[str, str] = {}
    for path in PATHS:
        await page.goto(path)
        found = await Axe().run(page)
        await served.seen(page, f"{scheme}-{path.strip('/').replace('/', '-').replace('?', '-')}")
        faults.update({path: found.generate_report()} if found.violations_count else {})
        assert (await page.evaluate(UNSAFE_TARGETS), path) == ([], path)
    assert faults == {}
    await page.goto("/sources/site-0/edit")
    await page.get_by_label("Characters at least").fill("400")
    await page.get_by_label("Text", exact=True).fill("p")
    await page.get_by_role("button", name="Try it on the last ten articles").click()
    await served.seen(page, f"{scheme}-tried")
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert watch.faults == []
    await context.close()


async def test_nothing_hangs_over_the_edge_of_a_phone(served: Served) -> None:
    await filled(served)
    context = await served.context(viewport={"width": 360, "height": 640})
    page = await context.new_page()
    wide: dict[str, int] = {}
    for path in PATHS:
        await page.goto(path)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        await served.seen(page, f"phone-{path.strip('/').replace('/', '-').replace('?', '-')}")
        wide.update({path: over} if over else {})
    assert wide == {}
    await page.goto("/sources/site-0/edit")
    await page.get_by_label("Text", exact=True).fill("p")
    await page.get_by_role("button", name="Try it on the last ten articles").click()
    await served.seen(page, "phone-tried")
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    await context.close()


async def test_two_editors_are_told_of_each_other(served: Served) -> None:
    await filled(served)
    context = await served.context()
    page = await context.new_page()
    await page.goto("/sources/site-0/edit")
    await page.get_by_label("Notes").fill("mine")
    source = await served.walk.sources.get("site-0")
    await served.walk.sources.update(
        "site-0", replace(source.settings, min_length=3), actor="Somebody", reason="theirs"
    )
    await page.get_by_role("button", name="Save", exact=True).click()
    await served.seen(page, "conflict")
    told = str(await page.locator(".notice.wrong").text_content())
    assert "Somebody" in told
    assert await page.get_by_label("Notes").input_value() == "mine"
    assert (await served.walk.sources.get("site-0")).settings.min_length == 3
    await page.get_by_role("button", name="Save over it").click()
    await page.wait_for_url("**?done=saved")
    await context.close()
