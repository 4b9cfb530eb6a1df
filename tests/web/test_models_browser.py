"""What models said, in a real browser: plain text whatever they wrote, led to its place."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from answering import SERVER
from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import listen, serve
from web.said import claim, configured, say
from web.shelf import Shelf
from web.test_pages_browser import _MARKUP, SignedIn, Watch, browser, shelf, signed_in

__all__ = ["browser", "shelf", "signed_in"]

pytestmark = pytest.mark.browser

TEXT = "The group used PowerShell to run its loader. It then sent data away to a server."
LONG = "a-model-with-a-very-long-name/" * 5


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str) -> AsyncIterator[str]:
    """The pages of an installation that has a model."""
    with listen("127.0.0.1", 0) as listening:
        async with Database(database, size=4) as opened:
            app = create_app(WebServices(database=opened, models=configured()))
            serving = asyncio.create_task(serve(app, listening))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.cancel()
            await asyncio.wait({serving})


def filled(shelf: Shelf) -> int:
    """An article of which much was said, all of it ugly."""
    number = shelf.article("A report on a loader", text=TEXT)
    say(
        shelf, number,
        claim("The group ran a loader.", TEXT, "run its loader", "PowerShell"),
        claim("It sent data away. " * 12, TEXT, "sent data away", actor="x" * 90, verb="uses"),
        dropped=2, why=json.dumps({"unquoted": 1, "invented": 1}), hidden=140, unread=5200,
        repaired=True, asked_by="maya (Maya)",
    )  # fmt: skip
    markup = "".join(_MARKUP[:12])
    say(
        shelf, number,
        claim(f"![x](http://evil.example/a.png) [go](http://a.example) {markup}", TEXT, "loader"),
        task=TaskName.KEY_POINTS, model=LONG,
    )  # fmt: skip
    say(shelf, number, task=TaskName.TECHNIQUES, state="running", said=1234)
    shelf.run("UPDATE article SET text = 'Old. ' || text WHERE id = %s", (number,))
    for task in (TaskName.SUMMARY, RULES):
        said = [claim(f"It was so. {LONG}", TEXT, "run its loader", TEXT) for _ in range(4)]
        say(shelf, number, *said, task=task, model=LONG)
    shelf.run("UPDATE article SET text = %s WHERE id = %s", (TEXT, number))
    shelf.run(
        "INSERT INTO model_server (name, failures, rest_until, fault, detail)"
        " VALUES (%s, 5, now() + interval '9 min', 'model_missing', %s)",
        (SERVER, f"it has no model {LONG}: `ollama pull {LONG}` there"),
    )
    say(shelf, number, task=TaskName.RELATIONS, state="pending")
    say(
        shelf, number, task=TaskName.DETECTIONS, state="failed", fault="bad_answer", attempts=5,
        detail=f"not JSON at 1:1 {'z' * 300}", raw=f"Sure! {markup}",
    )  # fmt: skip
    say(shelf, number, task=TaskName.RELEVANCE, state="cancelled", detail="the prompt changed")
    return number


async def test_a_quotation_leads_to_its_place_in_the_text(
    browser: Browser, signed_in: SignedIn, site: str, shelf: Shelf
) -> None:
    number = filled(shelf)
    context = await browser.new_context(**signed_in)
    page = await context.new_page()
    watch = Watch(page, site)
    await page.goto(f"/articles/{number}")
    await page.get_by_role("link", name="run its loader").click()
    target = page.locator("mark.q:target")
    await expect(target).to_have_text("run its loader")
    assert await target.is_visible()
    assert await page.locator("#models img, #models a[href^=http], #models script").count() == 0
    said = await page.locator("#models").inner_text()
    assert "![x](http://evil.example/a.png)" in said
    assert "prove them: 1 named what the article does not name; 1 quoted words that" in said
    assert watch.faults == []
    await context.close()


async def test_thumbs_and_questions_answer_in_place(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    number = filled(shelf)
    shelf.run("DELETE FROM model_analysis WHERE state IN ('pending', 'running')")
    context = await browser.new_context(**signed_in)
    page = await context.new_page()
    await page.goto(f"/articles/{number}")
    up = page.locator(".thumbs button[value=up]").first
    await up.click()
    await expect(page.locator(".thumbs .on")).to_have_count(1)
    assert shelf.run("SELECT good FROM model_feedback") == (True,)
    await page.get_by_text("Ask a model", exact=True).click()
    await page.get_by_label("Title in English").check()
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(page.locator("#models .is-pending")).to_have_count(1)
    # An answer that comes while the page is open is put in its place.
    shelf.run(
        'UPDATE model_analysis SET state = \'done\', claims = \'[{"text": "A title.", '
        '"quotes": [{"text": "The", "start": 0, "end": 3}], "fields": {}}]\' '
        "WHERE state = 'pending'"
    )
    await page.locator("body").click(position={"x": 2, "y": 2})
    await expect(page.locator("#models .is-pending")).to_have_count(0, timeout=15_000)
    await expect(page.get_by_text("A title.", exact=True)).to_be_visible()
    await context.close()


async def test_rules_come_in_while_their_page_is_open(
    browser: Browser, signed_in: SignedIn, site: str, shelf: Shelf
) -> None:
    number = shelf.article("A report on a loader", text=TEXT)
    known = "INSERT INTO model_server (name, models, seen_at) VALUES (%s, '{small,large}', now())"
    shelf.run(known, (SERVER,))
    context = await browser.new_context(**signed_in)
    page = await context.new_page()
    watch = Watch(page, site)
    await page.goto(f"/articles/{number}/detection")
    await page.get_by_role("combobox", name="Model").select_option("large")
    await page.get_by_role("button", name="Ask it for Sigma rules").click()
    await expect(page.locator("#models .is-pending")).to_have_count(1)
    assert shelf.run("SELECT task, model FROM model_analysis") == (RULES, "large")
    shelf.run(
        'UPDATE model_analysis SET state = \'done\', claims = \'[{"text": "A rule.", '
        '"quotes": [{"text": "The", "start": 0, "end": 3}], "fields": {"rule": "id: x"}}]\''
    )
    await page.locator("body").click(position={"x": 2, "y": 2})
    await expect(page.get_by_role("button", name="Add it to the drafts")).to_be_visible(
        timeout=15_000
    )
    assert watch.faults == []
    await context.close()


async def test_all_works_without_scripts(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    number = filled(shelf)
    context = await browser.new_context(**signed_in, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"/articles/{number}")
    await page.locator(".is-running").get_by_role("button", name="Cancel").click()
    await expect(page.locator(".is-running")).to_have_count(0)
    await page.locator(".is-failed").get_by_role("button", name="Try again").click()
    await expect(page.locator(".is-failed")).to_have_count(0)
    await page.get_by_role("link", name="Compare the models").click()
    await expect(page.locator(".versus")).to_have_count(6)
    await context.close()


async def test_what_failed_is_tried_again_from_the_page_of_models(
    browser: Browser, signed_in: SignedIn, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    for task, fault in ((TaskName.TITLE, "refused"), (TaskName.SUMMARY, "timeout")):
        say(shelf, number, task=task, state="failed", fault=fault)
    context = await browser.new_context(**signed_in, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/operations/models")
    failures = page.locator(".failures > div")
    await failures.filter(has_text="The answer did not come").get_by_role("button").click()
    await expect(page.locator(".failures > div")).to_have_count(1)
    assert shelf.run("SELECT fault FROM model_analysis WHERE state = 'failed'") == ("refused",)
    await page.get_by_role("button", name="Try all that failed again").click()
    await expect(page.locator(".failures")).to_have_count(0)
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
async def test_pages_of_models_are_whole_and_accessible(
    browser: Browser, signed_in: SignedIn, site: str, shelf: Shelf, scheme: str, width: int
) -> None:
    number = filled(shelf)
    shelf.run(
        "INSERT INTO model_spent (day, source_id, model, calls, prompt_tokens, answer_tokens, cost)"
        " SELECT current_date, source_id, 'small', 2, 100, 20, 0.5 FROM article"
    )
    shelf.run(
        "INSERT INTO model_evaluation (model, result) VALUES ('small', %s)",
        (
            (
                '{"set": "1", "tasks": [{"task": "summary", "asked": 9, "valid": 0.9,'
                ' "faithful": 1.0, "f1": 0.31, "median_seconds": 2.4}]}'
            ),
        ),
    )
    context = await browser.new_context(
        **signed_in,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]  # one of its two words
    )
    page = await context.new_page()
    watch = Watch(page, site)
    for address in (f"/articles/{number}", f"/articles/{number}/compare", "/operations/models"):
        await page.goto(address)
        found = (await Axe().run(page)).response["violations"]
        assert [(one["id"], [n["target"] for n in one["nodes"]]) for one in found] == []
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, address
    assert watch.faults == []
    await context.close()
