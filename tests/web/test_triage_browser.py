"""The desk in a real browser: by keyboard, in bulk with undo, in both themes, at every width."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor
from people import session_of
from web import claims
from web.shelf import Shelf
from web.test_pages_browser import (
    _MARKUP,
    UNSAFE_TARGETS,
    SignedIn,
    Watch,
    browser,
    focused,
    shelf,
    signed_in,
    site,
)

__all__ = ["browser", "shelf", "signed_in", "site"]

pytestmark = pytest.mark.browser

TEXT = "First the loader ran at www.evil[.]com. Then the loader fetched more and stopped."
FIRST_PAGE_MOST = 60_000


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, signed_in: SignedIn) -> AsyncIterator[Page]:
    """A page that is wide enough for the pane."""
    context = await browser.new_context(**signed_in, viewport={"width": 1400, "height": 800})
    yield await context.new_page()
    await context.close()


async def articles(database: str, shelf: Shelf, count: int = 4) -> None:
    for number in range(count):
        shelf.article(f"n{number}", text=TEXT)
    await claims.name(
        database, shelf, 1,
        claims.at(TEXT, "www.evil[.]com"),
        claims.at(TEXT, "loader", "malware", name="Loader", verdict=None, host="",
                  extractor=Extractor.NAMES),
    )  # fmt: skip


async def test_articles_are_read_in_the_pane_by_keyboard(
    desk: Page, site: str, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    watch = Watch(desk, site)
    await desk.goto("/")
    await desk.keyboard.press("j")
    assert await focused(desk) == "n0"
    assert await desk.locator("#pane .reader").count() == 0
    await desk.keyboard.press("o")
    await desk.locator("#pane .reader[data-article='1']").wait_for()
    assert await desk.locator("#pane h2.title").inner_text() == "n0"
    assert "is-read" in str(await desk.locator("#a-1").get_attribute("class"))
    assert shelf.run("SELECT read FROM article_reader WHERE article_id = 1") == (True,)
    assert desk.url == f"{site}/#open-1"
    await desk.keyboard.press("j")
    await desk.locator("#pane .reader[data-article='2']").wait_for()
    assert await focused(desk) == "n1"
    await desk.keyboard.press("k")
    await desk.locator("#pane .reader[data-article='1']").wait_for()
    await desk.locator("#pane mark.m").first.hover()
    await desk.locator("#card").wait_for(state="visible")
    await desk.reload()
    await desk.locator("#pane .reader[data-article='1']").wait_for()
    await desk.keyboard.press("u")
    await desk.locator("#pane .reader").wait_for(state="detached")
    assert await focused(desk) == "n0"
    assert watch.faults == []


async def test_keys_star_mark_tag_and_set_states(
    desk: Page, site: str, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    watch = Watch(desk, site)
    await desk.goto("/")
    toast = desk.locator("#toast")
    await desk.keyboard.press("j")
    await desk.keyboard.press("s")
    await toast.get_by_text("1 article starred.").wait_for()
    await desk.locator("#a-1.is-starred").wait_for()
    assert await focused(desk) == "n0"
    await desk.keyboard.press("m")
    await desk.locator("#a-1.is-read").wait_for()
    await desk.keyboard.press("m")
    await desk.locator("#a-1.is-unread").wait_for()
    await desk.keyboard.press("e")
    await desk.locator("#state-dialog").wait_for(state="visible")
    await desk.keyboard.press("3")
    await desk.locator("#a-1.is-done").wait_for()
    assert await focused(desk) == "n0"
    await desk.keyboard.press("z")
    await toast.get_by_text("Undone: 1 article as before.").wait_for()
    await desk.locator("#a-1.is-new, #a-1.is-unread:not(.is-done)").wait_for()
    await desk.keyboard.press("t")
    await desk.keyboard.type("Hot topic")
    await desk.keyboard.press("Enter")
    await desk.locator("#a-1 .team-tag", has_text="hot-topic").wait_for()
    await desk.keyboard.press("t")
    await desk.keyboard.press("Escape")
    await desk.locator("#tag-dialog").wait_for(state="hidden")
    assert await focused(desk) == "n0"
    assert shelf.run("SELECT state, tags FROM article_triage") == ("new", ["hot-topic"])
    assert watch.faults == []


async def test_many_are_changed_and_undone(
    desk: Page, site: str, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    watch = Watch(desk, site)
    await desk.goto("/?q=loader")
    assert not await desk.locator(".bulk").is_visible()
    for _ in range(2):
        await desk.keyboard.press("j")
        await desk.keyboard.press("x")
    bulk = desk.locator(".bulk")
    await bulk.get_by_text("2 chosen:").wait_for()
    await bulk.get_by_label("State").select_option("review")
    await bulk.get_by_role("button", name="Set").click()
    await desk.locator("#toast").get_by_text("2 articles put into").wait_for()
    assert await desk.locator(".item.is-review").count() == 2
    assert not await bulk.is_visible()
    await desk.get_by_role("button", name="Undo this change").click()
    await desk.locator("#toast").get_by_text("Undone: 2 articles").wait_for()
    assert await desk.locator(".item.is-review").count() == 0
    await desk.locator("#a-1 > .choose input").check()
    await bulk.get_by_label("that this search finds").check()
    await bulk.get_by_role("button", name="Star", exact=True).click()
    await desk.locator("#toast").get_by_text("4 articles starred.").wait_for()
    assert await desk.locator(".item.is-starred").count() == 4
    await desk.keyboard.press("Shift+A")
    await desk.locator("#toast").get_by_text("Everything up to now").wait_for()
    assert await desk.locator(".item.is-unread").count() == 0
    await desk.keyboard.press("z")
    await desk.locator("#toast").get_by_text("unread again").wait_for()
    assert await desk.locator(".item.is-unread").count() == 4
    assert watch.faults == []


async def test_paper_has_the_whole_text_and_nothing_to_press(
    desk: Page, site: str, shelf: Shelf
) -> None:
    shelf.article("n0", html="<p>Seen.</p><details><summary>How</summary><p>In full.</p></details>")
    shelf.article("n1")
    watch = Watch(desk, site)
    await desk.goto("/articles/1")
    folded = desk.locator(".body details p")
    assert await desk.locator(".trail").is_visible()
    assert not await folded.is_visible()
    await desk.emulate_media(media="print")
    assert not await desk.locator(".trail").is_visible()
    assert await folded.is_visible()
    assert await desk.locator("button:visible, input:visible, textarea:visible").count() == 0
    for unsaid in ("#notes-title", "#highlights-title", "a[href$='.md']"):
        assert not await desk.locator(unsaid).first.is_visible(), unsaid
    assert watch.faults == []


async def test_notes_and_marked_words_in_the_pane(
    desk: Page, site: str, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    watch = Watch(desk, site)
    await desk.goto("/#open-1")
    pane = desk.locator("#pane")
    await pane.get_by_label("A note for the team").fill("Seen <b>here</b>\ntoo")
    await pane.get_by_role("button", name="Keep the note").click()
    await pane.locator(".notes .words").get_by_text("Seen <b>here</b>").wait_for()
    assert await desk.evaluate("document.activeElement.id") == "notes-title"
    await desk.evaluate(
        """() => {
            const body = document.querySelector("#pane .body");
            const nodes = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
            const range = document.createRange();
            let node;
            while ((node = nodes.nextNode())) {
                const at = node.data.indexOf("fetched more");
                if (at >= 0) { range.setStart(node, at); range.setEnd(node, at + 12); }
            }
            getSelection().removeAllRanges();
            getSelection().addRange(range);
        }"""
    )
    await desk.keyboard.press("h")
    await pane.locator("mark.n").wait_for()
    assert await pane.locator("mark.n").inner_text() == "fetched more"
    assert shelf.run("SELECT quote, start_at FROM article_highlight") == (
        "fetched more", TEXT.index("fetched more"),
    )  # fmt: skip
    await pane.get_by_role("button", name="Unmark these words").click()
    await pane.locator("mark.n").wait_for(state="detached")
    await desk.locator("#toast").get_by_text("Removed.", exact=True).wait_for()
    assert await desk.evaluate("document.activeElement.id") == "highlights-title"
    await pane.locator(".triage").get_by_role("button", name="In review").click()
    await desk.locator("#a-1.is-review").wait_for()
    assert await pane.locator(".state-choice.on").inner_text() == "In review"
    assert watch.faults == []


async def test_a_lost_session_keeps_what_was_typed(
    desk: Page, site: str, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    await desk.goto("/articles/1")
    await desk.get_by_label("A note for the team").fill("Long thought of")
    cookie = next(one for one in await desk.context.cookies() if one["name"] == "ctiscraper")
    shelf.run("DELETE FROM user_session")
    async with Database(database, size=1) as opened:
        other = await session_of(opened, 1)
    # The doorman remembers a session for a second: another process's logout counts after that.
    await desk.context.clear_cookies()
    await desk.get_by_role("button", name="Keep the note").click()
    await desk.locator("#toast").get_by_text("Your session has ended").wait_for()
    assert await desk.get_by_label("A note for the team").input_value() == "Long thought of"
    again = {"name": "ctiscraper", "value": other, "domain": cookie["domain"], "path": "/"}
    await desk.context.add_cookies([again])  # type: ignore[list-item]  # what it needs
    await desk.get_by_role("button", name="Keep the note").click()
    await desk.locator(".notes .words").get_by_text("Long thought of").wait_for()
    assert site


async def test_without_script_forms_do_everything(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    context = await browser.new_context(
        **signed_in, java_script_enabled=False, viewport={"width": 1400, "height": 800}
    )
    page = await context.new_page()
    toast = page.locator("#toast p")
    await page.goto("/")
    assert not await page.locator("#pane").is_visible()
    await page.locator("#a-2").get_by_role("button", name="Star").click()
    await expect(toast).to_have_text("1 article starred.")
    await page.get_by_role("button", name="Undo this change").click()
    await expect(toast).to_have_text("Undone: 1 article as before.")
    await page.locator("#a-1 > .choose input").check()
    await page.locator(".bulk").get_by_label("Tag").fill("Hot topic")
    await page.keyboard.press("Enter")
    await expect(toast).to_contain_text("tagged")
    await page.get_by_role("button", name="Compact").click()
    await expect(page.locator(".desk.compact")).to_have_count(1)
    await page.get_by_role("button", name="By story").click()
    await page.get_by_role("link", name="n0").click()
    await page.get_by_label("A note for the team").fill("By hand")
    await page.get_by_role("button", name="Keep the note").click()
    await expect(page.locator(".notes .words")).to_have_text("By hand")
    await page.get_by_text("Mark words by typing them").click()
    await page.get_by_label("Words as they stand").fill("fetched more")
    await page.get_by_role("button", name="Mark them").click()
    await expect(page.locator("mark.n")).to_have_text("fetched more")
    await context.close()


Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf, scheme: Scheme
) -> None:
    await articles(database, shelf)
    shelf.run(
        "INSERT INTO article_triage (article_id, state, tags, changed_by)"
        " VALUES (1, 'review', '{hot}', 'x'), (2, 'done', '{}', 'x'), (3, 'ignored', '{}', 'x')"
    )
    for width, path in ((1400, "/"), (1400, "/#open-1"), (1400, "/articles/1"), (390, "/"),
                        (390, "/articles/1"), (1400, "/?q=loader")):  # fmt: skip
        context = await browser.new_context(
            **signed_in, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        page = await context.new_page()
        await page.goto(path)
        if "#open" in path:
            await page.locator("#pane .reader").wait_for()
            await page.locator("#a-2 > .choose input").check()
        found = await Axe().run(page)
        faults = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found.response["violations"]
        ]
        assert (faults, width, path) == ([], width, path)
        await context.close()


async def test_hostile_tags_notes_and_quotes_stay_words(
    desk: Page, site: str, shelf: Shelf
) -> None:
    for payload in _MARKUP:
        number = shelf.article(payload, text=payload, html="<p>x</p>")
        shelf.run(
            """
            INSERT INTO article_note (article_id, author, body) VALUES (%s, %s, %s)
            """,
            (number, payload, payload),
        )
        shelf.run(
            """
            INSERT INTO article_highlight
                (article_id, author, revision, start_at, quote, before, after)
            VALUES (%s, %s, 1, 0, %s, '', '')
            """,
            (number, payload, payload),
        )
        shelf.run(
            "INSERT INTO article_triage (article_id, tags, changed_by) VALUES (%s, %s, 'x')",
            (number, [payload]),
        )
    watch = Watch(desk, site)
    await desk.goto("/")
    assert await desk.evaluate(UNSAFE_TARGETS) == []
    for number in range(1, len(_MARKUP) + 1):
        await desk.goto(f"/articles/{number}", wait_until="domcontentloaded")
        assert await desk.evaluate(UNSAFE_TARGETS) == []
    await desk.goto("/")
    for _ in range(10):
        await desk.keyboard.press("j")
        await desk.keyboard.press("o")
        await desk.locator("#pane .reader").wait_for()
    assert watch.faults == []


async def test_a_phone_shows_the_list_then_the_article(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    await articles(database, shelf)
    context = await browser.new_context(**signed_in, viewport={"width": 360, "height": 640})
    page = await context.new_page()
    await page.goto("/")
    assert not await page.locator("#pane").is_visible()
    await page.locator("#a-1 > .choose input").check()
    over = "document.documentElement.scrollWidth - innerWidth"
    assert await page.evaluate(over) == 0
    await page.get_by_role("link", name="n0").click()
    await page.wait_for_url("**/articles/1")
    assert await page.evaluate(over) == 0
    await context.close()
