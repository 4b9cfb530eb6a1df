"""Tokens and the audit log in a real browser."""

import pytest
from axe_playwright_python.async_playwright import Axe  # it has none
from playwright.async_api import Browser, Page

from ctiscraper.access.tokens import read_token
from ctiscraper.audit_views import Actor, ActorKind, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from web.test_pages_browser import (  # noqa: F401 - fixtures
    SignedIn,
    Watch,
    browser,
    page,
    shelf,
    signed_in,
    site,
)

pytestmark = pytest.mark.browser

LONG = "Unbroken" * 30
UGLY = "<img src=x onerror=alert(1)>\"'{{ 7*7 }}"
MARKED = (
    "(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1)()"
)


async def filled(database: str) -> None:
    """A log with long and hostile words."""
    people = (
        Actor(kind=ActorKind.USER, name="Ann Analyst", user_id=1, ip="192.0.2.7", request_id="a1"),
        Actor(kind=ActorKind.TOKEN, name=LONG, token_id="k3v9x0q2ab", ip="2001:db8::1"),
        Actor(kind=ActorKind.NOBODY, name=UGLY, ip=LONG, request_id=LONG),
        Actor(kind=ActorKind.COMMAND, name=""),
    )
    deeds = (
        Deed(
            action="source.change",
            object_kind="source",
            object_id="acme-research",
            before={"tier": "basic", "url": "https://acme.example/feed.xml", "note": LONG},
            after={"tier": "premium", "url": "https://acme.example/atom.xml", "note": UGLY},
            detail={"reason": "they publish more than we thought"},
        ),
        Deed(action="article.export", object_kind="article", detail={"format": "csv"}),
        Deed(action="queue.retry", object_kind=LONG, object_id=LONG, detail={LONG: LONG}),
        Deed(action=UGLY, object_kind="x", object_id=UGLY, detail={f"n{n}": n for n in range(30)}),
    )
    async with Database(database, size=1) as opened:
        for number in range(60):
            await Audit(opened).note(people[number % 4], deeds[(number // 2) % 4])


async def axe_faults(page: Page) -> list[str]:  # noqa: F811 - a fixture elsewhere
    found = await Axe().run(page)
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]]


async def test_a_token_is_made_copied_and_revoked(
    page: Page,  # noqa: F811 - a fixture
    site: str,  # noqa: F811 - a fixture
) -> None:
    watch = Watch(page, site)
    await page.goto("/tokens")
    await page.get_by_label("Which program uses it").fill(UGLY)
    await page.get_by_label("Read articles, indicators").check()
    await page.get_by_label("Expires").select_option("never")
    await page.get_by_role("button", name="Make it").click()
    secret = str(await page.locator("#secret").text_content())
    assert read_token(secret) is not None
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    assert await axe_faults(page) == []
    await page.goto("/tokens")
    assert secret not in await page.content()
    await page.get_by_role("button", name="Revoke").click()
    await page.wait_for_url("**/tokens?revoked=*")
    assert "revoked" in str(await page.locator(".tokens .ended").text_content())
    assert watch.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_pages_fit_and_can_be_used_by_everybody(
    browser: Browser,  # noqa: F811 - a fixture
    signed_in: SignedIn,  # noqa: F811 - a fixture
    database: str,
    scheme: str,
    width: int,
) -> None:
    await filled(database)
    context = await browser.new_context(
        **signed_in,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()  # noqa: F811 - a fixture elsewhere
    watch = Watch(page, signed_in["base_url"])
    for path in ("/audit", "/audit?action=source", "/audit?actor=nobody-such", "/tokens"):
        await page.goto(path)
        assert await page.evaluate(MARKED), path
        assert await axe_faults(page) == [], path
    await page.goto("/audit")
    await page.get_by_role("link", name="Older").click()
    await page.wait_for_url("**/audit?cursor=*")
    assert watch.faults == []
    await context.close()
