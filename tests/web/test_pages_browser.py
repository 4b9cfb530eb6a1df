"""The pages in a real browser: keys, colours, quiet consoles, and hostile words that stay words."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request

from chromium import Chromium
from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import listen, serve
from make_scores import ScoredShelf, mention
from people import person, session_of
from web.shelf import Shelf

pytestmark = pytest.mark.browser

_MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "<a href='java&#x09;script:alert(1)'>x</a>",
    "<form action=javascript:alert(1)><input type=submit autofocus></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    (
        "<math><mtext><table><mglyph><style><!--</style>"
        "<img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>"
    ),
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=http://evil.example/>",
    "<img src=http://evil.example/beacon.png>",
    "<div style='background:url(http://evil.example/b.png)'>x</div>",
    "<template><script>alert(1)</script></template>",
    "<textarea autofocus onfocus=alert(1)></textarea>",
    "<select autofocus onfocus=alert(1)><option>x</select>",
    "<button popovertarget=x onclick=alert(1)>x</button>",
    "<x onclick=alert(1) tabindex=1 id=x autofocus onfocus=alert(1)>x",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" onmouseover=alert(1) autofocus onfocus=alert(1) x="',
    "' onmouseover=alert(1) autofocus onfocus=alert(1) x='",
    "{{ 7*7 }}{% raw %}<script>alert(1)</script>",
    "${alert(1)}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "\u2028<script>alert(1)</script>",
    "\u202e<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<SCRIPT SRC=http://evil.example/x.js></SCRIPT>",
    "<svg><use href='data:image/svg+xml,<svg id=x><script>alert(1)</script></svg>#x'/></svg>",
    "<table background=javascript:alert(1)><tr><td>x</td></tr></table>",
    "<dialog open><form method=dialog><button autofocus onfocus=alert(1)>x</button></form>",
)
_URLS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://x.example",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    'https://x.example/"onmouseover=alert(1) x="',
    "https://x.example/'><script>alert(1)</script>",
)


class Watch:
    """What a page did that it should not have done."""

    def __init__(self, page: Page, own: str) -> None:
        self.faults: list[str] = []
        self._own = own
        page.on("dialog", self._dialog)
        page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._request)

    async def _dialog(self, dialog: object) -> None:
        self.faults.append("dialog")
        await dialog.dismiss()  # type: ignore[attr-defined]  # playwright's Dialog

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._own, "data:")):
            self.faults.append(f"asked for {request.url}")


SignedIn = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """The browser of this process, from which this test's pages are gone afterwards."""
    started = await chromium.browser()
    yield started
    for context in started.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str) -> AsyncIterator[str]:
    with listen("127.0.0.1", 0) as listening:
        async with Database(database, size=4) as opened:
            app = create_app(WebServices(database=opened))
            serving = asyncio.create_task(serve(app, listening))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.cancel()
            await asyncio.wait({serving})


@pytest_asyncio.fixture(loop_scope="session")
async def signed_in(database: str, site: str) -> SignedIn:
    """What a browser of the site begins with that keeps an administrator's session."""
    async with Database(database, size=1) as opened:
        secret = await session_of(opened, await person(opened), sudo_minutes=10)
    cookie = {
        "name": "ctiscraper",
        "value": secret,
        "domain": "127.0.0.1",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": False,
        "sameSite": "Lax",
    }
    return {"base_url": site, "storage_state": {"cookies": [cookie], "origins": []}}


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, signed_in: SignedIn) -> AsyncIterator[Page]:
    context = await browser.new_context(**signed_in)
    yield await context.new_page()
    await context.close()


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.textContent.trim()"))


async def test_keys_lead_through_the_reader(page: Page, site: str, shelf: Shelf) -> None:
    for number in range(4):
        shelf.article(f"n{number}")
    watch = Watch(page, site)
    # Too narrow for a pane: an article opens as a page.
    await page.set_viewport_size({"width": 1000, "height": 720})
    await page.goto("/")
    await page.keyboard.press("j")
    assert await focused(page) == "n0"
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    assert await focused(page) == "n1"
    await page.keyboard.press("o")
    await page.wait_for_url("**/articles/2")
    await page.keyboard.press("j")
    await page.wait_for_url("**/articles/3")
    await page.keyboard.press("k")
    await page.wait_for_url("**/articles/2")
    await page.keyboard.press("u")
    await page.wait_for_url(f"{site}/")
    await page.keyboard.press("?")
    assert await page.locator("#keys").is_visible()
    await page.keyboard.press("Escape")
    assert not await page.locator("#keys").is_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("jog")
    assert await page.locator(".search input").input_value() == "jog"
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/sources")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await page.wait_for_url("**/accounting")
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await page.wait_for_url("**/operations")
    assert watch.faults == []


async def test_forms_work_in_a_browser(page: Page, site: str, shelf: Shelf) -> None:
    number = shelf.job("acme", "https://acme.example/1", "dead", reason="timeout")
    watch = Watch(page, site)
    await page.goto("/accounting")
    await page.locator("[data-all]").check()
    await page.locator(".bulk button", has_text="Retry").click()
    await page.wait_for_url("**/accounting?state=dead*")
    assert "1 item went back" in str(await page.locator(".notice").text_content())
    assert shelf.run("SELECT state FROM fetch_job WHERE id = %s", (number,))[0] == "pending"
    await page.goto("/sources/acme")
    await page.get_by_role("button", name="Check now").click()
    await page.wait_for_url("**/sources/acme?done=checking")
    assert watch.faults == []


async def test_a_score_shows_its_parts_and_follows_the_watchlist(
    page: Page, site: str, shelf: Shelf, database: str
) -> None:
    scored = ScoredShelf(shelf)
    scored.article("Example Firewall exploited in the wild", f"Words. {_MARKUP[0]}")
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    watch = Watch(page, site)
    await page.goto("/")
    score, why = page.locator(".score"), page.locator(".why")
    assert not await why.is_visible()
    await score.hover()
    assert await why.is_visible()
    await page.mouse.move(0, 0)
    assert not await why.is_visible()
    await score.focus()
    assert "exploited in the wild" in str(await why.text_content())
    before = int(str(await score.locator("b").first.text_content()))
    await page.locator("body").press("g")
    await page.locator("body").press("w")
    await page.wait_for_url("**/watchlist")
    form = page.locator("form.watch")
    await form.locator("[name=kind]").select_option("product")
    await form.locator("[name=term]").fill("example firewall")
    await form.locator("[name=note]").fill(_MARKUP[0])
    await page.get_by_role("button", name="Watch").click()
    await page.wait_for_url("**/watchlist?added=1")
    await page.get_by_role("link", name="example firewall").click()
    await page.wait_for_url("**/?watch=1")
    assert int(str(await score.locator("b").first.text_content())) > before
    await page.goto("/watchlist")
    await page.get_by_role("button", name="Remove example firewall").click()
    await page.wait_for_url("**/watchlist?removed=1")
    assert "Nothing is watched for yet" in str(await page.locator(".empty").text_content())
    assert watch.faults == []


async def test_colours_follow_the_system_and_the_choice(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    shelf.article("one")
    dark = "getComputedStyle(document.body).backgroundColor"
    for script in (True, False):
        context = await browser.new_context(
            **signed_in, color_scheme="light", java_script_enabled=script
        )
        page = await context.new_page()
        await page.goto("/")
        assert await page.locator("html").get_attribute("data-theme") is None
        await page.locator(".theme button").click()
        await page.wait_for_load_state()
        assert await page.locator("html").get_attribute("data-theme") == "dark"
        if script:
            assert await page.evaluate(dark) == "rgb(20, 22, 24)"
        await page.goto("/sources")
        assert await page.locator("html").get_attribute("data-theme") == "dark"
        await context.close()


async def test_nothing_hangs_over_the_edge_of_a_phone(
    browser: Browser, signed_in: SignedIn, shelf: Shelf, database: str
) -> None:
    long = "Unbroken" * 60
    cells = "".join(f"<td>{'ab' * 32}</td>" for _ in range(8))
    html = (
        f"<p>{long}</p><table><tr>{cells}</tr></table><pre>{long}</pre><p><code>{long}</code></p>"
    )
    shelf.source("acme", name=long[:200], health="failing", reason="timeout", detail=long)
    number = shelf.article(
        long, text=long, html=html, authors=[long], tags=[long] * 40, language="ar"
    )
    shelf.revision(number, 1, long + "x", long)
    shelf.job("acme", f"https://acme.example/{long}", "dead", title=long, summary=long, detail=long)
    resting(shelf, long)
    shelf.run(
        "INSERT INTO watchlist_entry (kind, term, weight, note, actor)"
        " VALUES ('vendor', %s, 1, %s, %s)",
        (long[:200], long[:400], long),
    )
    scored = ScoredShelf(shelf)
    scored.article(long, f"exploited in the wild {long}", mention("domain", long))
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    context = await browser.new_context(**signed_in, viewport={"width": 360, "height": 640})
    page = await context.new_page()
    paths = ("/", "/articles/1", "/articles/1/changes", "/sources", "/sources/acme")
    for path in (*paths, "/accounting", "/operations", "/watchlist", "/sources/add", "/nothing"):
        await page.goto(path)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (over, path) == (0, path)
    await context.close()


def resting(shelf: Shelf, words: str) -> None:
    """A host that rests and one that waits for its pace, every field of them these words."""
    shelf.run(
        """
        INSERT INTO host (host, open_until, failures, reason, detail)
        VALUES (%s, now() + interval '9 days', 9, 'timeout', %s) ON CONFLICT DO NOTHING
        """,
        (words, words),
    )
    shelf.run(
        """
        INSERT INTO host (host, next_allowed_at) VALUES (%s, now() + interval '1 h')
        ON CONFLICT DO NOTHING
        """,
        (f"{words}.pace",),
    )


def hostile(shelf: Shelf, key: str, payload: str, url: str) -> int:
    """An article, its old revision and a dead item whose every field is the payload."""
    shelf.source(key, name=payload[:200], health="failing", reason="timeout", detail=payload)
    number = shelf.article(
        payload,
        key,
        text=payload,
        html=payload,
        summary=payload,
        authors=[payload],
        tags=[payload],
        url=url,
        notes=[payload],
        published_raw=payload,
        method="feed",
    )
    shelf.revision(number, 1, f"{payload} before", payload)
    shelf.job(key, f"{url}#dead", "dead", title=payload, summary=payload, detail=payload)
    return number


UNSAFE_TARGETS = """() => Array.from(document.querySelectorAll('a[href], form[action]'))
    .map((e) => new URL(e.getAttribute('href') || e.getAttribute('action'), location).href)
    .filter((target) => !/^(https?|mailto):/.test(target))"""


async def test_hostile_words_stay_words(page: Page, site: str, shelf: Shelf) -> None:
    given = [
        hostile(shelf, f"m{n}", payload, f"https://x.example/{n}/{payload}")
        for n, payload in enumerate(_MARKUP)
    ]
    given += [hostile(shelf, f"u{n}", url, url) for n, url in enumerate(_URLS)]
    last = hostile(shelf, "all", "\n".join(_MARKUP), "https://x.example/all")
    for words in (*_MARKUP, *_URLS):
        resting(shelf, words)
    watch = Watch(page, site)
    lists = (
        "/",
        "/sources",
        "/accounting",
        "/operations",
        "/sources/all",
        f"/articles/{last}/changes",
    )
    search = "/?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    mistake = "/?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for path in (*lists, *(f"/articles/{number}" for number in given), search):
        await page.goto(path, wait_until="domcontentloaded")
        assert (await page.evaluate(UNSAFE_TARGETS), path) == ([], path)
    assert watch.faults == []
    await page.goto(mistake)
    assert await page.locator("#mistake mark").inner_text() == '"><script>alert(1)</script>'
    # That a search is wrong is an answer of its own, which the console tells.
    assert [fault for fault in watch.faults if "status of 422" not in fault] == []


async def test_a_search_works_by_keys_and_without_script(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader hides in printers.")
    for script in (True, False):
        context = await browser.new_context(**signed_in, java_script_enabled=script)
        page = await context.new_page()
        await page.goto("/")
        await page.locator(".ask input[name=q]").fill("loader actr:x")
        await page.keyboard.press("Enter")
        assert await page.locator("#mistake mark").inner_text() == "actr:"
        assert await page.locator(".ask input[name=q]").input_value() == "loader actr:x"
        await page.locator(".ask input[name=q]").fill("loader")
        await page.get_by_role("button", name="Search").click()
        assert await page.locator(".snippet mark").inner_text() == "loader"
        await page.locator(".facets a").first.click()
        asked = await page.locator(".ask input[name=q]").input_value()
        assert asked == "loader source:acme"
        await page.locator(".help > summary").click()
        assert await page.locator(".help dl").is_visible()
        await context.close()


def test_static_files_are_our_own() -> None:
    static = Path(__file__).parents[2] / "src" / "ctiscraper" / "web" / "static"
    for path in static.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text


async def test_the_parts_of_a_score_lead_to_their_words_without_script(
    browser: Browser, signed_in: SignedIn, database: str, shelf: Shelf
) -> None:
    text = "A loader is exploited in the wild. It calls evil.com and drops a payload."
    start = text.index("evil.com")
    scored = ScoredShelf(shelf)
    scored.article("Words", text, mention("domain", "evil.com", places=((start, start + 8),)))
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    context = await browser.new_context(**signed_in, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/articles/1")
    await page.locator(".scored > summary").click()
    for name in ("is exploited", "evil[.]com", "payload"):
        await page.locator(".scored a", has_text=name).first.click()
        led_to = page.locator("mark.e:target")
        assert await led_to.inner_text() == name.replace("[.]", ".")
        assert await led_to.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"
    hrefs = await page.locator(".scored a").evaluate_all(
        "(all) => all.filter((a) => !document.querySelector(a.getAttribute('href'))).length"
    )
    assert hrefs == 0
    await context.close()
