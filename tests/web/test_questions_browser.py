"""Ask in a real browser: answered, refused, with scripts and without, for everybody."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from ctiscraper.db.nearest import Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.embedding import Embedding
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.meaning import Meaning
from ctiscraper.questions import Questions
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from test_questions import PLUM, QUESTION, QUOTE, Model, sentences
from web.serving import serving
from web.shelf import Shelf
from web.test_pages_browser import SignedIn, Watch, browser, shelf, signed_in
from worded_vectors import WordedEmbedder

__all__ = ["browser", "shelf", "signed_in"]

pytestmark = pytest.mark.browser

SAID = {
    "": sentences(("Plum steals session cookies.", QUOTE, 1), ("Invented.", QUOTE, 1)),
    "unreadable": f"It is {'Plum' * 60} [1].",
    "unproved": sentences(("Invented.", QUOTE, 1), ("Made up.", QUOTE, 1)),
}
UGLY = "<img src=x onerror=alert(1)> " + "Unbroken" * 25


class Silent(WordedEmbedder):
    """Whose server stopped answering, with much to say about that."""

    async def identity(self) -> tuple[str, str]:
        raise ModelError(ModelFault.TIMEOUT, UGLY)


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A site that searches by meaning, as long as its model of vectors answers, and has a model."""
    shelf = Shelf(database)
    shelf.source("acme", name=UGLY[:200])
    shelf.article(f"plum {UGLY}", text=f"{PLUM} {UGLY}")
    shelf.article("bread", "bolt", text="Rye bread needs sourdough.")
    async with Database(database, size=4) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        await embedding.embed_all()
        if getattr(request, "param", "") == "silent":
            embedding = Embedding(Passages(opened), Silent())
        meaning = Meaning(opened, embedding, Nearest())
        said = SAID.get(getattr(request, "param", ""), SAID[""])
        questions = Questions(meaning=meaning, server=Model(said), model="tiny")  # type: ignore[arg-type]  # what it is asked for here
        app = create_app(WebServices(database=opened, meaning=meaning, questions=questions))
        async with serving(app) as address:
            yield address


async def is_clean(page: Page) -> None:
    found = (await Axe().run(page)).response["violations"]
    assert [(one["id"], [n["target"] for n in one["nodes"]]) for one in found] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1400)])
async def test_ask_can_be_used_by_everybody(
    browser: Browser, signed_in: SignedIn, scheme: str, width: int, scripts: bool
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = await browser.new_context(**{**signed_in, **look})
    plain = await browser.new_context(**{**signed_in, **look}, java_script_enabled=False)
    page = await (context if scripts else plain).new_page()
    watch = Watch(page, signed_in["base_url"])
    await page.goto("/ask")
    if scripts:
        await is_clean(page)
    await page.get_by_label("Question").fill(QUESTION)
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(
        page.get_by_text("Plum steals session cookies.", exact=False).first
    ).to_be_visible()
    await expect(page.get_by_text("One sentence of the model had no proof")).to_be_visible()
    await expect(page.get_by_text("Made by the language model tiny, prompt ask/3:")).to_be_visible()
    await expect(page.locator(".sentences .proof")).to_have_text(QUOTE)
    assert await page.get_by_text("Invented.").count() == 0
    day = page.locator("[data-passages] time").first
    moment = await day.get_attribute("datetime") or ""
    assert datetime.fromisoformat(moment).date().isoformat() == await day.text_content()
    if scripts:
        await is_clean(page)
    await page.get_by_label("Question").fill("Best lasagne recipe?")
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(page.get_by_text("Nothing in the collection answers this.")).to_be_visible()
    await expect(page.get_by_text("Made by the language model")).to_be_hidden()
    if scripts:
        await is_clean(page)
    assert watch.faults == []
    await context.close()
    await plain.close()


@pytest.mark.parametrize(
    ("site", "told"),
    [
        (
            "unreadable",
            ["The model gave no answer that can be used (bad_answer: ", "Ask again, or"],
        ),
        ("unproved", ["None of the 2 sentences of the model has a proof in a passage"]),
    ],
    indirect=["site"],
)
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1400)])
async def test_an_answer_of_no_use_says_why_in_place_of_that_nothing_answers(
    browser: Browser, signed_in: SignedIn, told: list[str], scheme: str, width: int
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = await browser.new_context(**{**signed_in, **look})
    page = await context.new_page()
    await page.goto("/ask")
    await page.get_by_label("Question").fill(QUESTION)
    await page.get_by_role("button", name="Ask", exact=True).click()
    for words in told:
        await expect(page.get_by_text(words)).to_be_visible()
    await expect(page.get_by_text("Nothing in the collection answers this.")).to_have_count(0)
    await is_clean(page)
    await context.close()


@pytest.mark.parametrize("site", ["silent"], indirect=True)
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1400)])
async def test_ask_without_its_model_of_vectors_says_so_and_goes_by_words(
    browser: Browser, signed_in: SignedIn, scheme: str, width: int
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = await browser.new_context(**{**signed_in, **look})
    page = await context.new_page()
    await page.goto("/ask")
    await expect(page.get_by_text("The model of vectors does not answer")).to_be_visible()
    await is_clean(page)
    await page.get_by_label("Question").fill(QUESTION)
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(page.get_by_text("passages were looked for by the words")).to_be_visible()
    await is_clean(page)
    await context.close()
