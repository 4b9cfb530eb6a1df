"""The pages of detections in a real browser: what axe finds, what hangs over, hostile words."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from ctiscraper.analysis.analysed import RULES
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import listen, serve
from detect.material import COMMAND, TEXT
from web import claims
from web.said import claim, configured, say
from web.shelf import Shelf
from web.test_pages_browser import (  # noqa: F401 - fixtures
    SignedIn,
    Watch,
    browser,
    shelf,
    signed_in,
)

pytestmark = pytest.mark.browser

LONG = "C:\\ProgramData\\" + "Unbroken" * 30
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str) -> AsyncIterator[str]:
    with listen("127.0.0.1", 0) as listening:
        async with Database(database, size=4) as opened, open_sandbox() as sandbox:
            detections = Detections(opened, sandbox)
            services = WebServices(database=opened, detections=detections, models=configured())
            app = create_app(services)
            serving = asyncio.create_task(serve(app, listening))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.cancel()
            await asyncio.wait({serving})


@pytest_asyncio.fixture(loop_scope="session")
async def drafted(database: str, shelf: Shelf) -> str:  # noqa: F811 - a fixture
    """An article of long and hostile words, and the address of its detections."""
    line = f"evil-{HOSTILE}.exe --first={LONG} --second"
    text = f"{TEXT}\n\nThen {line}\n\n" + "long words " * 200
    shelf.article(f"{HOSTILE} {'Unbroken' * 25}", text=text)
    await claims.name(
        database,
        shelf,
        1,
        claims.at(text, COMMAND, "command_line", verdict=None),
        claims.at(text, line, "command_line", verdict=None),
        claims.at(text, "powershell -w hidden -ep bypass -c Sync-Folders", "command_line"),
        claims.at(text, "evil.example"),
        claims.at(text, "C:\\ProgramData\\AclHost\\AclNums.dll", "file_path", verdict=None),
    )
    rule = claim(f"{HOSTILE} {'Unbroken' * 30}", text, line, "evil.example", rule=f"id: {LONG * 5}")
    say(shelf, 1, rule, task=RULES, model="a/very-long-name" * 9, dropped=2, why='{"no_yaml": 2}')
    say(shelf, 1, task=RULES, state="failed", fault="bad_answer", detail=LONG, raw=HOSTILE)
    say(shelf, 1, task=RULES, state="running", said=1234, model="third", unread=9, hidden=9)
    return "/articles/1/detection"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
async def test_axe_finds_nothing_and_nothing_hangs_over(
    browser: Browser,  # noqa: F811 - a fixture
    signed_in: SignedIn,  # noqa: F811 - a fixture
    site: str,
    drafted: str,
    width: int,
    scheme: str,
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = await browser.new_context(**{**signed_in, **look})
    page = await context.new_page()
    watch = Watch(page, site)
    await page.goto(drafted)
    await page.get_by_role("button", name="Draft Sigma rules").click()
    await page.get_by_text("new drafts").wait_for()
    for path in (drafted, "/detections", "/detections?state=accepted", "/detections/1?as=kql"):
        if path != drafted or urlsplit(page.url).path != drafted:
            await page.goto(path)
        over = await page.evaluate("document.documentElement.scrollWidth")
        assert (path, over) == (path, width)
        found = await Axe().run(page)
        assert (path, [one["id"] for one in found.response["violations"]]) == (path, [])
    await page.locator("textarea").fill("title: [")
    await page.get_by_role("button", name="Check").click()
    await page.get_by_text("not saved yet").wait_for()
    assert await page.locator("textarea").input_value() == "title: ["
    found = await Axe().run(page)
    assert [one["id"] for one in found.response["violations"]] == []
    assert watch.faults == []
    await context.close()
