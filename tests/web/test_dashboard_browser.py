"""The dashboard and what comes while pages are open, in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # no types
from playwright.async_api import Browser, Page, expect

from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.live import Live
from ctiscraper.web.serve import listen, serve
from make_scores import ScoredShelf, mention
from web import test_pages_browser
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages_browser import SignedIn, Watch

pytestmark = pytest.mark.browser

# The fixtures of that module, by their names.
browser = test_pages_browser.browser
signed_in = test_pages_browser.signed_in
page = test_pages_browser.page

UGLY = "Unbroken" * 30


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str) -> AsyncIterator[str]:
    """A served app that looks for news more often than it would."""
    with listen("127.0.0.1", 0) as listening:
        async with Database(database, size=4) as opened:
            app = create_app(WebServices(database=opened, matrix=MATRIX))
            app.state.live = Live(opened, look=0.1, share=1.0)
            serving = asyncio.create_task(serve(app, listening))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.cancel()
            await asyncio.wait({serving})


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture(loop_scope="session")
async def morning(shelf: Shelf, database: str) -> Shelf:
    """Something ugly for each part of the dashboard."""
    scored = ScoredShelf(shelf)
    shelf.source("acme", name=UGLY[:200], health="failing", reason="timeout", detail=UGLY)
    shelf.source("bolt", name="Bolt", health="ok")
    for number in range(60):
        scored.article(
            f"n{number}", "w", days_ago=number + 0.01, source=("acme", "bolt")[number % 2]
        )
    for number in range(9):
        scored.article(
            f"{UGLY} {number}", "w", mention("malware", UGLY, name=UGLY),
            mention("technique", "T1", name=UGLY), mention("technique", "T9", name="Other"),
            days_ago=number / 20, source=("acme", "bolt")[number % 2],
        )  # fmt: skip
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    shelf.run(
        "INSERT INTO watchlist_entry (kind, term, weight, actor) VALUES ('product', %s, 1, 'x')",
        (UGLY[:200],),
    )
    shelf.run(
        "INSERT INTO watch_hit (entry_id, article_id, count, prominent, starts, ends)"
        " SELECT 1, id, 1, true, 0, 1 FROM article WHERE id > 60"
    )
    return shelf


async def test_new_articles_show_a_line_that_moves_nothing_and_loads_them(
    page: Page, site: str, shelf: Shelf, signed_in: SignedIn
) -> None:
    for number in range(5):
        shelf.article(f"n{number}")
    watch = Watch(page, site)
    async with listening(site, signed_in):
        async with page.expect_response("**/api/v1/events"):
            await page.goto("/")
        await _sees_a_line(page, shelf)
    assert watch.faults == []


@asynccontextmanager
async def listening(site: str, signed_in: SignedIn) -> AsyncIterator[None]:
    """Somebody else listens already: there was a first look before a page asks."""
    cookie = signed_in["storage_state"]["cookies"][0]["value"]
    headers = {"cookie": f"ctiscraper={cookie}"}
    async with (
        httpx2.AsyncClient(base_url=site, headers=headers) as client,
        client.stream("GET", "/api/v1/events") as answer,
    ):
        lines = answer.aiter_lines()
        while await anext(lines) != "event: articles":
            pass
        yield


async def _sees_a_line(page: Page, shelf: Shelf) -> None:
    line, first = page.locator(".live-line"), page.locator(".item").first
    await expect(line).to_be_hidden()
    before = await first.bounding_box()
    shelf.article("fresh", sort_at=shelf.run("SELECT now()")[0])
    await expect(line).to_be_visible()
    await expect(line).to_have_text("1 new article")
    shelf.article("fresher", sort_at=shelf.run("SELECT now()")[0])
    await expect(line).to_have_text("2 new articles")
    assert await first.bounding_box() == before
    await line.get_by_role("link").click()
    await expect(page.locator(".item h3").first).to_have_text("fresher")
    await expect(line).to_be_hidden()


async def test_a_bar_moves_with_the_work_and_goes_when_it_is_done(
    page: Page, site: str, shelf: Shelf
) -> None:
    shelf.source("acme", health="ok")
    for number in range(8):
        shelf.job("acme", f"https://acme.example/{number}", "pending")
    watch = Watch(page, site)
    await page.goto("/dashboard")
    bar = page.get_by_role("progressbar", name="Collecting")
    await expect(bar).to_have_attribute("max", "8")
    await expect(page.locator(".live-work")).to_contain_text("0 of 8")
    heading = page.locator("h2").first
    place = await heading.bounding_box()
    shelf.run("UPDATE fetch_job SET state = 'failed' WHERE id <= 6")
    await expect(page.locator(".live-work")).to_contain_text("6 of 8")
    assert await bar.get_attribute("value") == "6"
    shelf.run("UPDATE fetch_job SET state = 'failed'")
    await expect(bar).to_have_count(0)
    assert await heading.bounding_box() == place
    assert watch.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_axe_finds_nothing_and_nothing_hangs_over_the_edge(
    browser: Browser, signed_in: SignedIn, morning: Shelf, scheme: str, width: int
) -> None:
    assert morning.count
    context = await browser.new_context(
        **signed_in,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    await page.goto("/dashboard")
    for behind in await page.locator(".behind > summary").all():
        await behind.click()
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(over) == 0
    await context.close()


async def test_without_script_nothing_is_missing(
    browser: Browser, signed_in: SignedIn, morning: Shelf
) -> None:
    assert morning.count
    context = await browser.new_context(**signed_in, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/dashboard")
    for name in ("Hot in the last 24 hours", "Articles a day", "Sources that need a look"):
        assert await page.get_by_role("heading", name=name).is_visible()
    assert await page.locator("svg.chart").first.is_visible()
    assert not await page.locator(".live-work").is_visible()
    await page.locator(".behind > summary").first.click()
    assert await page.locator(".behind table").first.is_visible()
    await context.close()


async def test_keys_lead_to_the_dashboard_and_through_its_heat(
    page: Page, site: str, morning: Shelf
) -> None:
    assert morning.count
    watch = Watch(page, site)
    await page.goto("/")
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.wait_for_url("**/dashboard")
    cell = page.locator("svg a").first
    await cell.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/indicators/*")
    assert watch.faults == []
