"""Set-up, login and account in a real browser."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Literal

import pyotp
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from people import person, session_of
from web.signing import OTHER, PASSWORD, user
from web.test_pages_browser import Watch, browser, site

__all__ = ["browser", "site"]

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def people(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=2) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, site: str) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=site)
    yield await context.new_page()
    await context.close()


async def enter(page: Page, password: str = PASSWORD) -> None:
    await page.goto("/login")
    await page.get_by_label("Login").fill("jane")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in", exact=True).click()


async def forget(page: Page) -> None:
    """Lose the session with no page open that would still ask with it."""
    await page.goto("about:blank")
    await page.context.clear_cookies()


async def opened_details(page: Page) -> None:
    """Show all that a page shows on demand."""
    for more in await page.locator("details.more > summary").all():
        await more.click()


@pytest.mark.parametrize("script", [True, False])
async def test_a_new_installation_is_set_up(
    browser: Browser, site: str, people: Database, *, script: bool
) -> None:
    token = await Accounts(people, Passwords()).offer_setup()
    context = await browser.new_context(base_url=site, java_script_enabled=script)
    page = await context.new_page()
    watch = Watch(page, site)
    await page.goto(f"/setup#token={token}")
    field = page.get_by_label("Secret of the address")
    if script:
        assert not await field.is_visible()
        assert page.url == f"{site}/setup"
    else:
        await field.fill(token)
    await page.get_by_label("Login").fill("jane")
    await page.get_by_label("Name, as others see it").fill("Jane Doe")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("The same again").fill(PASSWORD)
    await page.get_by_role("button", name="Begin").click()
    await page.wait_for_url(f"{site}/")
    assert "Jane Doe" in str(await page.locator(".who summary").text_content())
    await page.locator(".who summary").click()
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login")
    assert watch.faults == []
    await context.close()


async def test_somebody_logs_in_changes_his_password_and_leaves(
    page: Page, site: str, people: Database
) -> None:
    await user(people)
    watch = Watch(page, site)
    await enter(page)
    await page.wait_for_url(f"{site}/")
    await page.goto("/account")
    await page.locator("summary", has_text="Change it").click()
    await page.get_by_label("Password now").fill(PASSWORD)
    await page.get_by_label("New password").fill(OTHER)
    await page.get_by_label("The same again").fill(OTHER)
    await page.get_by_role("button", name="Change the password").click()
    await page.wait_for_url("**/account?done=password")
    assert watch.faults == []
    await forget(page)
    await enter(page)
    assert "is wrong" in await page.locator("#wrong").inner_text()
    await enter(page, OTHER)
    await page.wait_for_url(f"{site}/")


async def test_an_app_is_asked_for_its_code(page: Page, site: str, people: Database) -> None:
    await user(people)
    watch = Watch(page, site)
    await enter(page)
    await page.goto("/account")
    await page.get_by_role("button", name="Set up an app").click()
    picture = page.locator("figure.code svg")
    box = await picture.bounding_box()
    assert box is not None
    assert box["width"] > 150
    secret = pyotp.TOTP((await page.locator(".secret").inner_text()).replace(" ", ""))
    await page.get_by_label("Code", exact=True).fill(secret.at(people.clock()))
    await page.get_by_role("button", name="Ask for codes from now on").click()
    codes = await page.locator(".recovery code").all_inner_texts()
    assert len(codes) == 10
    await forget(page)
    await enter(page)
    await page.get_by_label("Code of your app").fill(
        secret.at(people.clock() + timedelta(seconds=30))
    )
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{site}/")
    await forget(page)
    await enter(page)
    await page.get_by_label("Code of your app").fill(codes[0].upper())
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{site}/")
    assert watch.faults == []


async def test_a_passkey_is_made_and_lets_in_once_for_each_challenge(
    browser: Browser, site: str, people: Database
) -> None:
    await user(people)
    named = site.replace("127.0.0.1", "localhost")
    context = await browser.new_context(base_url=named)
    page = await context.new_page()
    watch = Watch(page, named)
    session = await context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    await enter(page)
    await page.goto("/account")
    await page.get_by_label("Name of a new one").fill("Laptop")
    await page.get_by_role("button", name="Make a passkey").click()
    await page.wait_for_url("**/account?done=passkey")
    assert await page.locator("bdi", has_text="Laptop").is_visible()
    await forget(page)

    await page.goto("/login?next=/sources")
    async with page.expect_request("**/login/passkey") as sent:
        await page.get_by_role("button", name="Log in with a passkey").click()
        await page.wait_for_url(f"{named}/sources")
    assert watch.faults == []
    body = (await sent.value).post_data
    await forget(page)
    replayed = await page.request.post(
        "/login/passkey",
        data=str(body),
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
        },
    )
    assert replayed.status == 401

    # Whoever the device does not verify is not let in.
    place = {"authenticatorId": made["authenticatorId"], "isUserVerified": False}
    await session.send("WebAuthn.setUserVerified", place)
    await page.goto("/login")
    await page.get_by_role("button", name="Log in with a passkey").click()
    said = page.locator("[data-said]")
    await said.get_by_text("No passkey was given").wait_for()
    await session.send("WebAuthn.setUserVerified", place | {"isUserVerified": True})

    [jane] = [one for one in await Users(people).all() if one.login == "jane"]
    await person(people, Role.ADMIN, "boss")
    await Users(people).disable(jane.id)
    await page.get_by_role("button", name="Log in with a passkey").click()
    await page.locator("#wrong").wait_for()
    assert "lets nobody in" in await page.locator("#wrong").inner_text()
    await context.close()


async def test_a_passkey_wants_a_name_and_says_so(page: Page, people: Database) -> None:
    await user(people)
    await page.goto("/login")
    await page.get_by_role("button", name="Log in with a passkey").click()
    await page.get_by_text("open http://localhost:").wait_for()


async def test_what_was_typed_is_sent_after_the_login(
    page: Page, site: str, people: Database
) -> None:
    await user(people)
    await enter(page)
    await page.goto("/watchlist")
    await page.get_by_label("Name, words or domain").fill("copper heron")
    await page.context.clear_cookies(name="ctiscraper")
    await page.get_by_role("button", name="Watch").click()
    await page.get_by_label("Login").fill("jane")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await page.get_by_role("button", name="Send it now").click()
    await page.wait_for_url(f"{site}/watchlist?added=1")
    assert await page.get_by_text("copper heron").is_visible()


@pytest.mark.parametrize("script", [True, False])
async def test_an_administrator_ends_what_lets_somebody_in(
    browser: Browser, site: str, people: Database, *, script: bool
) -> None:
    await user(people)
    john = await user(people, "john", Role.VIEWER)
    await session_of(people, john)
    context = await browser.new_context(base_url=site, java_script_enabled=script)
    page = await context.new_page()
    await enter(page)
    await page.wait_for_url(f"{site}/")
    await page.goto("/users")
    assert await page.locator("details.more").count() == 1
    await page.locator("summary", has_text="End access of John").click()
    await page.get_by_role("checkbox", name="Password").uncheck()
    await page.get_by_role("button", name="End access of John").click()
    await page.get_by_text("Of John was ended: sessions: 1, tokens: 0").wait_for()
    assert (await Users(people).get(john)).has_password
    await context.close()


async def test_the_pages_fit_a_phone_and_hold_long_words(
    browser: Browser, site: str, people: Database
) -> None:
    long = "Unbroken" * 12
    jane = await Users(people).add("x" * 100, name=long, role=Role.ADMIN, password_hash="x")
    for number in range(5):
        await person(people, Role.VIEWER, f"{number}{'y' * 90}")
    secret = await session_of(people, jane)
    async with people.connection() as conn:
        await conn.execute("UPDATE user_session SET agent = repeat('Agent', 80)")
    context = await browser.new_context(base_url=site, viewport={"width": 360, "height": 640})
    page = await context.new_page()
    for path in ("/login", "/password"):
        await page.goto(path)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (over, path) == (0, path)
    await context.add_cookies([{"name": "ctiscraper", "value": secret, "url": site}])
    for path in ("/account", "/users", "/sudo"):
        await page.goto(path)
        await opened_details(page)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (over, path) == (0, path)
    await page.locator(".who summary").click()
    over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over == 0
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_are_for_everybody(
    browser: Browser, site: str, people: Database, scheme: Literal["light", "dark"]
) -> None:
    secret = await session_of(people, await user(people))
    await user(people, "john", Role.VIEWER)
    context = await browser.new_context(base_url=site, color_scheme=scheme)
    page = await context.new_page()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    faults = []
    for path in ("/login", "/password", "/account", "/users", "/sudo"):
        if path == "/account":
            await context.add_cookies([{"name": "ctiscraper", "value": secret, "url": site}])
        await page.goto(path)
        await opened_details(page)
        found = await Axe().run(page, options=rules)
        faults += [(path, fault["id"]) for fault in found.response["violations"]]
    assert faults == []
    await context.close()
