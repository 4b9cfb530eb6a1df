"""Searches that are kept, in a real browser: by keys, without script, on a phone, and for all."""

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from web.shelf import Shelf
from web.test_pages_browser import (
    UNSAFE_TARGETS,
    SignedIn,
    Watch,
    browser,
    page,
    shelf,
    signed_in,
    site,
)

__all__ = ["browser", "page", "shelf", "signed_in", "site"]

pytestmark = pytest.mark.browser

UGLY = (
    "<img src=x onerror=alert(1)>",
    "{{ 7*7 }}",
    "\u202eevil.example\u2066",
    "x" * 100,
    "javascript:alert(1)",
)


async def test_a_search_is_made_saved_and_opened(
    browser: Browser, signed_in: SignedIn, site: str, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader hides in printers.")
    for script in (True, False):
        context = await browser.new_context(**signed_in, java_script_enabled=script)
        page = await context.new_page()
        watch = Watch(page, site)
        await page.goto("/")
        await page.get_by_role("searchbox").fill("loader")
        await page.get_by_role("searchbox").press("Enter")
        await page.get_by_text("Save this search").click()
        name = f"Loaders {'with' if script else 'without'} script"
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_text("The search is saved.")).to_be_visible()
        shelf.article("later", text="Another loader.")
        await page.goto("/searches")
        await expect(page.get_by_text("1 new", exact=True).last).to_be_visible()
        await page.get_by_role("link", name=name).click()
        await expect(page.get_by_role("searchbox")).to_have_value("loader")
        await expect(page.get_by_role("heading", name="later").first).to_be_visible()
        await expect(page.get_by_role("link", name=name)).to_be_visible()
        assert watch.faults == []
        await context.close()


async def test_a_feed_is_made_renewed_and_ended(page: Page, shelf: Shelf) -> None:
    shelf.article("one", text="A loader.")
    await _save(page, "Loaders", "loader")
    await page.get_by_role("button", name="Make a feed of Loaders").click()
    address = await page.get_by_label("Atom").input_value()
    assert (await page.request.get(address)).status == 200
    await page.get_by_role("button", name="New feed addresses of Loaders").click()
    await expect(page.get_by_label("Atom")).not_to_have_value(address)
    assert (await page.request.get(address)).status == 404
    await page.get_by_role("button", name="End the feed of Loaders").click()
    await expect(page.get_by_text("The feed has ended")).to_be_visible()


async def test_one_s_own_are_changed_moved_and_removed(page: Page) -> None:
    await _save(page, "First", "loader")
    await _save(page, "Second", "printer")
    await page.get_by_role("button", name="Move Second up").click()
    names = page.locator(".searches h3 a")
    await expect(names).to_have_text(["Second", "First"])
    await page.locator("summary", has_text="Change First").click()
    change = page.locator("details[open].change")
    await change.get_by_label("Search").fill("loader actr:x")
    await change.get_by_role("button", name="Change").click()
    await expect(page.locator("details[open].change mark")).to_have_text("actr:")
    await change.get_by_label("Search").fill("loader actor:x")
    await change.get_by_role("button", name="Change").click()
    await expect(page.get_by_text("The search is changed.")).to_be_visible()
    await page.get_by_role("button", name="Remove Second").click()
    await expect(names).to_have_text(["First"])


async def test_hostile_names_stay_words(page: Page, site: str, shelf: Shelf) -> None:
    shelf.article("one", text="A loader.")
    watch = Watch(page, site)
    for ugly in UGLY:
        await _save(page, ugly, f'"{ugly}" OR loader')
    for path in ("/searches", "/?q=loader"):
        await page.goto(path)
        assert await page.evaluate(UNSAFE_TARGETS) == []
    assert watch.faults == []
    await page.goto("/searches")
    names = await page.locator(".searches h3 a").all_inner_texts()
    assert [" ".join(name.split()) for name in names] == list(UGLY)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_can_use_it(
    browser: Browser, signed_in: SignedIn, shelf: Shelf, scheme: Literal["light", "dark"]
) -> None:
    shelf.article("one", text="A loader.")
    context = await browser.new_context(**signed_in, color_scheme=scheme, bypass_csp=True)
    page = await context.new_page()
    for number, query in enumerate((*UGLY[:1], "loader", "source:gone x")):
        await _save(page, f"Search {number}", f'"{query}"' if number == 0 else query)
    shelf.article("two", text="A loader.")
    await page.goto("/searches")
    await page.locator("summary").first.click()
    await page.locator("summary", has_text="Change Search 1").click()
    await _accessible(page)
    await page.get_by_role("button", name="Make a feed of Search 1").click()
    await _accessible(page)
    await page.goto("/?q=loader")
    await page.get_by_text("Save this search").click()
    await _accessible(page)
    await context.close()


async def test_nothing_hangs_over_the_edge_of_a_phone(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader.")
    context = await browser.new_context(**signed_in, viewport={"width": 360, "height": 640})
    page = await context.new_page()
    for ugly in UGLY:
        await _save(page, ugly, f'"{ugly * 3}" OR loader')
    for path in ("/searches", "/?q=loader"):
        await page.goto(path)
        for summary in await page.locator("main summary").all():
            if await summary.is_visible():
                await summary.click()
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (over, path) == (0, path)
    await page.goto("/searches")
    await page.get_by_role("button", name="Make a feed").first.click()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    await context.close()


async def _save(page: Page, name: str, query: str) -> None:
    await page.goto("/searches")
    form = page.locator("details.save-new")
    if await form.get_attribute("open") is None:
        await form.locator("summary").click()
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Search").fill(query)
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The search is saved.")).to_be_visible()


async def _accessible(page: Page) -> None:
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
