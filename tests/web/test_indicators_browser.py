"""What articles name in a real browser: evidence by keyboard, switches, hostile words, contrast."""

import re
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from ctiscraper.intelligence import Extractor, Verdict
from web import claims
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

TEXT = "First www.evil[.]com and then stage.exe by Cozy Bear at http://10.0.0[.]1/x."
LONG = "a" * 300
UGLY = (
    '"><img src=x onerror=alert(1)>',
    "</mark></summary><script>alert(1)</script>",
    "javascript:alert(1)",
    "\u202eevil.example\u2066",
    "{{ 7*7 }}",
    LONG,
)


async def article(database: str, shelf: Shelf) -> dict[str, int]:
    number = shelf.article("Report", text=TEXT)
    return await claims.name(
        database, shelf, number,
        claims.at(TEXT, "www.evil[.]com"),
        claims.at(TEXT, "stage.exe", "file_name", host="", verdict=Verdict.SUSPICIOUS),
        claims.at(
            TEXT, "Cozy Bear", "actor", value="G0016", name="APT29", alias="Cozy Bear",
            verdict=None, host="", extractor=Extractor.NAMES,
        ),
        claims.at(TEXT, "http://10.0.0[.]1/x", "url", host="10.0.0.1", verdict=Verdict.BENIGN),
    )  # fmt: skip


async def test_the_keyboard_reaches_the_evidence_and_decides(
    page: Page, site: str, database: str, shelf: Shelf
) -> None:
    await article(database, shelf)
    watch = Watch(page, site)
    await page.goto("/articles/1")
    card = page.locator("#card")
    await page.keyboard.press("i")
    await card.wait_for(state="visible")
    assert "www[.]evil[.]com" in await card.inner_text()
    assert "Written so that nobody opens it" in await card.inner_text()
    await page.keyboard.press("i")
    await card.get_by_text("stage.exe", exact=True).wait_for()
    await page.keyboard.press("Escape")
    await card.wait_for(state="hidden")
    await page.keyboard.press("Shift+Tab")
    await card.wait_for(state="visible")
    await page.keyboard.press("Enter")
    inside = "document.activeElement.closest('#card') !== null"
    assert await page.evaluate(inside)
    await card.get_by_role("button", name="Benign").focus()
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("by the team")
    assert shelf.run("SELECT verdict FROM verdict") == ("benign",)
    assert await page.evaluate("document.activeElement.matches('mark.m')")
    await expect(page.locator(".named .decided")).to_have_count(1)
    assert page.url.endswith("/articles/1")
    assert watch.faults == []


async def test_a_verdict_leaves_the_list_and_what_was_unfolded(
    page: Page, site: str, database: str, shelf: Shelf
) -> None:
    await article(database, shelf)
    watch = Watch(page, site)
    await page.goto("/")
    await page.locator("#a-1 [data-open]").first.click()
    named = page.locator("#pane .named")
    thing = named.locator(".thing", has_text="www[.]evil[.]com")
    for words in ("stage.exe", "www[.]evil[.]com"):
        await named.locator("summary", has_text=words).click()
    await named.get_by_label("Mark each File name").uncheck()
    await thing.get_by_role("button", name="Benign").click()
    await expect(thing.locator(".decided")).to_contain_text("by the team")
    assert not await named.get_by_label("Mark each File name").is_checked()
    await expect(named.locator(".thing > details[open]")).to_have_count(2)
    await thing.get_by_role("button", name="Undo").click()
    await expect(thing.locator(".decided")).to_have_count(0)
    await expect(page.locator("#toast")).to_have_text("Undone.")
    assert page.url.partition("#")[0] == f"{site}/"
    assert await page.locator("#a-1").is_visible()
    assert watch.faults == []


async def test_evidence_shows_on_hover_and_goes(
    page: Page, site: str, database: str, shelf: Shelf
) -> None:
    await article(database, shelf)
    watch = Watch(page, site)
    await page.goto("/articles/1")
    card = page.locator("#card")
    await page.locator("mark.m", has_text="Cozy Bear").hover()
    await card.wait_for(state="visible")
    assert "Recognised as “Cozy Bear”" in await card.inner_text()
    await page.locator(".reader h1").hover()
    await card.wait_for(state="hidden")
    assert watch.faults == []


Scheme = Literal["light", "dark"]
BACKGROUND = "(e) => getComputedStyle(e).backgroundColor"


async def test_a_switch_hides_a_kind_and_is_remembered(
    page: Page, database: str, shelf: Shelf
) -> None:
    await article(database, shelf)
    await page.goto("/articles/1")
    mark = page.locator("mark.m", has_text="stage.exe")
    other = page.locator("mark.m", has_text="evil")
    assert await mark.evaluate(BACKGROUND) != "rgba(0, 0, 0, 0)"
    await page.get_by_label("Mark each File name").uncheck()
    await page.reload()
    assert not await page.get_by_label("Mark each File name").is_checked()
    assert await mark.evaluate(BACKGROUND) == "rgba(0, 0, 0, 0)"
    assert await mark.get_attribute("tabindex") is None
    assert await other.evaluate(BACKGROUND) != "rgba(0, 0, 0, 0)"
    await page.get_by_label("Mark each File name").check()
    assert await mark.get_attribute("tabindex") == "0"


async def test_without_script_all_is_there_and_switches_work(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    await article(database, shelf)
    context = await browser.new_context(**signed_in, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/articles/1")
    mark = page.locator("mark.m", has_text="evil")
    assert await mark.get_attribute("title") == "Domain: www[.]evil[.]com (malicious)"
    await page.get_by_label("Mark each Domain").uncheck()
    assert await mark.evaluate(BACKGROUND) == "rgba(0, 0, 0, 0)"
    await page.locator("summary", has_text="www[.]evil[.]com").click()
    evidence = page.locator("[data-evidence]", has_text="www[.]evil[.]com")
    assert "Written so that nobody opens it" in await evidence.inner_text()
    await evidence.get_by_label("For").select_option("domain evil.com")
    await evidence.get_by_role("button", name="Benign").click()
    await page.wait_for_url("**/articles/1#e-*")
    assert shelf.run("SELECT scope, value FROM verdict") == ("domain", "com.evil")
    await context.close()


async def test_either_form_is_copied(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    ids = await article(database, shelf)
    context = await browser.new_context(
        **signed_in, permissions=["clipboard-read", "clipboard-write"]
    )
    page = await context.new_page()
    await page.goto(f"/indicators/{ids['www.evil.com']}")
    for name, words in (("defanged", "www[.]evil[.]com"), ("as it is", "www.evil.com")):
        button = page.get_by_role("button", name=f"Copy {name}")
        await button.click()
        await page.get_by_text("Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == words
        await page.get_by_text("Copied").wait_for(state="detached")
    await context.close()


async def test_hostile_values_stay_words_and_nothing_hangs_over(
    browser: Browser, site: str, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    text = "\n".join(UGLY)
    number = shelf.article("Ugly", text=text, html=text.replace("<", "&lt;").replace("\n", "<br>"))
    ids = await claims.name(
        database, shelf, number,
        *(
            claims.at(text, one, kind, value=f"{one}{kind}", host="", alias=one, rule=one[:40],
                      reasons=(f"attack:{one}",))
            for one in UGLY
            for kind in ("url", "command_line", "smoke")
        ),
        *(claims.mention(f"d{n}.{LONG[:60]}.example") for n in range(2_000)),
    )  # fmt: skip
    claims.looked(shelf, number, notes=list(UGLY), added=list(ids.values()))
    context = await browser.new_context(**signed_in, viewport={"width": 360, "height": 640})
    page = await context.new_page()
    watch = Watch(page, site)
    chosen = [ids[f"{one}url"] for one in UGLY]
    things = [f"/indicators/{one}" for one in chosen]
    query = "q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for path in ("/articles/1", "/indicators", f"/indicators?{query}", "/techniques", *things):
        await page.goto(path, wait_until="domcontentloaded")
        assert (await page.evaluate(UNSAFE_TARGETS), path) == ([], path)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (over, path) == (0, path)
    await page.goto("/indicators")
    await page.locator(".paste-in > summary").click()
    await page.locator("textarea").fill(f"{text}\n{LONG}.example.com </textarea>")
    await page.get_by_role("button", name="Look up").click()
    await page.wait_for_url("**/lookup")
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    assert watch.faults == []
    await context.close()


# Contrast as WCAG 2.2 reckons it, of each piece of text against what is painted behind it.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = c[i] / 255;
    return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 200) return c;
    }
    return rgba('white');
  };
  const weak = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('.unseen, svg, option'))
      continue;
    const one = light(rgba(getComputedStyle(e).color)), other = light(behind(e));
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return Array.from(weak);
}"""
NAMELESS = """() =>
  Array.from(document.querySelectorAll('button, input, select, textarea, a[href]'))
    .filter((e) => e.type !== 'hidden' && e.checkVisibility())
    .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute('aria-label')
        && !e.textContent.trim())
    .map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_are_readable_and_controls_have_names(
    browser: Browser,
    signed_in: SignedIn,
    database: str,
    shelf: Shelf,
    scheme: Scheme,
) -> None:
    ids = await article(database, shelf)
    kinds = ("technique", "cve", "registry_key", "yara", "crypto_address", "country", "ipv4")
    await claims.name(
        database, shelf, shelf.article("Kinds", text=TEXT),
        *(claims.at(TEXT, "First", kind, value=kind, host="") for kind in kinds),
    )  # fmt: skip
    context = await browser.new_context(**signed_in)
    page = await context.new_page()
    await page.emulate_media(color_scheme=scheme)
    for path in ("/articles/1", "/articles/2", "/indicators", "/techniques",
                 f"/indicators/{ids['www.evil.com']}"):  # fmt: skip
        await page.goto(path)
        await page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        assert (await page.evaluate(CONTRAST), path) == ([], path)
        assert (await page.evaluate(NAMELESS), path) == ([], path)
    await page.goto("/articles/1")
    await page.keyboard.press("i")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await context.close()


async def test_a_number_in_an_address_leads_to_the_first_place(
    page: Page, database: str, shelf: Shelf
) -> None:
    ids = await article(database, shelf)
    await page.goto("/articles/1")
    await page.locator(f"#e-{ids['stage.exe']} .jump").click()
    assert re.search(rf"#p-{ids['stage.exe']}$", page.url)
    target = page.locator("mark.m:target")
    assert await target.inner_text() == "stage.exe"
