"""What long names and small screens make of the pages, in a real browser."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Page

from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from ctiscraper.web.render import ago
from web.shelf import Shelf
from web.test_pages_browser import (  # noqa: F401 - fixtures
    SignedIn,
    browser,
    page,
    shelf,
    signed_in,
    site,
)

pytestmark = pytest.mark.browser

LONG = "Unbroken" * 25
SMALL = """() => Array.from(document.querySelectorAll("main :is(button, select, summary)"))
    .filter((one) => one.checkVisibility() && !one.matches(".unseen"))
    .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
    .filter(([, box]) => box.height < 24 || box.width < 24).map(([words]) => words)"""


async def test_a_long_name_leaves_the_other_columns_in_sight(
    page: Page,  # noqa: F811 - a fixture
    shelf: Shelf,  # noqa: F811 - a fixture
) -> None:
    shelf.source("acme", name=LONG)
    shelf.article("A title")
    shelf.run(
        "INSERT INTO watchlist_entry (kind, term, weight, note, actor)"
        " VALUES ('vendor', 'Acme', 1, '', %s)",
        (LONG,),
    )
    await page.set_viewport_size({"width": 1280, "height": 800})
    for path in ("/sources", "/accounting", "/sources/scoreboard", "/watchlist"):
        await page.goto(path)
        hidden = await page.evaluate(
            "Math.max(...Array.from(document.querySelectorAll('.wide'),"
            " (one) => one.scrollWidth - one.clientWidth))"
        )
        assert (path, hidden) == (path, 0)


async def test_what_can_be_done_with_users_is_in_sight_on_a_tablet(
    page: Page,  # noqa: F811 - a fixture
    database: str,
) -> None:
    async with Database(database, size=1) as opened:
        await Users(opened).add("long" * 20, name=LONG[:100], role=Role.ANALYST)
    await page.set_viewport_size({"width": 820, "height": 800})
    await page.goto("/users")
    hidden = await page.evaluate(
        "(() => { const one = document.querySelector('.wide');"
        " return one.scrollWidth - one.clientWidth })()"
    )
    assert hidden == 0


async def test_the_accounts_are_written_as_a_sum(
    page: Page,  # noqa: F811 - a fixture
    shelf: Shelf,  # noqa: F811 - a fixture
) -> None:
    shelf.article("A title")
    await page.goto("/accounting")
    signs = await page.evaluate(
        "Array.from(document.querySelectorAll('.sum.adds > div'),"
        " (one) => getComputedStyle(one, '::after').content)"
    )
    assert signs == ['"="', *['"+"'] * 5, "none"]


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_longest_name_of_a_user_fits_where_work_is_given(
    page: Page,  # noqa: F811 - a fixture
    shelf: Shelf,  # noqa: F811 - a fixture
    database: str,
    width: int,
) -> None:
    number = shelf.article("A title")
    async with Database(database, size=1) as opened:
        await Users(opened).add("long", name=LONG[:100], role=Role.ANALYST)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"/articles/{number}")
    bar = await page.locator(".triage").bounding_box()
    select = await page.locator(".triage select").bounding_box()
    assert bar is not None
    assert select is not None
    assert select["x"] + select["width"] <= bar["x"] + bar["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") == width


async def test_on_a_phone_the_page_that_is_open_is_in_sight_and_fingers_have_room(
    browser: Browser,  # noqa: F811 - a fixture
    signed_in: SignedIn,  # noqa: F811 - a fixture
    shelf: Shelf,  # noqa: F811 - a fixture
) -> None:
    number = shelf.article("A title", tags=["one"])
    context = await browser.new_context(**signed_in, viewport={"width": 360, "height": 640})
    page = await context.new_page()  # noqa: F811 - of a phone
    for path in ("/operations", "/settings", "/accounting", "/", f"/articles/{number}", "/users"):
        await page.goto(path)
        if path != "/users":
            box = await page.locator(".top nav [aria-current]").bounding_box()
            assert box is not None
            assert box["x"] >= 0, path
            assert box["x"] + box["width"] <= 360, path
        assert (path, await page.evaluate(SMALL)) == (path, [])
    await context.close()


async def test_what_narrows_the_list_is_counted_without_the_words_of_the_search(
    page: Page,  # noqa: F811 - a fixture
    shelf: Shelf,  # noqa: F811 - a fixture
) -> None:
    shelf.article("A title")
    await page.goto("/?q=title")
    assert await page.locator(".narrow > summary").inner_text() == "Narrow"
    await page.goto("/?q=title&source=acme&tier=standard")
    assert await page.locator(".narrow > summary").inner_text() == "Narrow 2"
    await page.goto("/?q=nothing")
    assert await page.locator(".empty").is_visible()
    assert not await page.locator(".pane .hint").is_visible()


def test_days_to_come_are_the_nearest() -> None:
    now = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    assert ago(now + timedelta(days=30, seconds=-5), now) == "in 30 days"
    assert ago(now + timedelta(days=29, hours=11), now) == "in 29 days"
    assert ago(now + timedelta(hours=47), now) == "in 47 h"
    assert ago(now - timedelta(days=29, hours=23), now) == "29 days ago"
