"""axe on every page that the rules know, with nothing on it and with something."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from ctiscraper.analyses import version_of
from ctiscraper.analysis.analysed import RULES as SIGMA_RULES
from ctiscraper.db.nearest import Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.embedding import Embedding
from ctiscraper.meaning import Meaning
from ctiscraper.questions import Questions
from ctiscraper.types import Keep, Tier
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.rules import API, RULES
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from newsroom import Newsroom
from people import person, token_of
from test_questions import QUOTE, Model, sentences
from web import claims
from web.said import claim, configured, say
from web.serving import serving
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages_browser import SignedIn, Watch, browser, shelf, signed_in
from worded_vectors import WordedEmbedder

__all__ = ["browser", "shelf", "signed_in"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# What a name in an address stands for, where there is something.
NAMES: Mapping[str, str] = {
    "article_id": "1",
    "detection_id": "1",
    "entity_id": "1",
    "form": "opml",
    "key": "acme",
    "search_id": "1",
    "story_id": "1",
    "token": "none",
}
# What is no page for people to read: files, feeds, and what programs ask.
NO_PAGES = frozenset(
    {
        "/articles/{article_id}.md",
        "/detections/export.zip",
        "/detections/{detection_id}.yml",
        "/feeds/{token}.atom",
        "/feeds/{token}.json",
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/oidc/again",
        "/oidc/balancer",
        "/oidc/callback",
        "/oidc/start",
        "/sources/export.{form}",
        "/techniques/layer.json",
    }
)
PAGES = tuple(
    path
    for method, path in (rule.split(" ", 1) for rule in RULES)
    if method == "GET" and not path.startswith(API) and path not in NO_PAGES
)

DAYS = dict.fromkeys(Tier, 90)
# Of an installation that somebody set up, the page for that is no more.
GONE = frozenset({410})


@dataclass
class Installation:
    """A site that has every part, and the app behind it."""

    app: FastAPI
    database: Database


@pytest_asyncio.fixture(loop_scope="session")
async def installed(database: str) -> AsyncIterator[Installation]:
    async with Database(database, size=6) as opened, open_sandbox() as sandbox:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        meaning = Meaning(opened, embedding, Nearest())
        model = Model(sentences(("It is a task.", QUOTE, 1)))
        app = create_app(
            WebServices(
                database=opened,
                detections=Detections(opened, sandbox),
                matrix=MATRIX,
                keep=Keep(raw=DAYS, revisions=DAYS, checks=DAYS),
                models=configured(),
                meaning=meaning,
                questions=Questions(meaning=meaning, server=model, model="tiny"),  # type: ignore[arg-type]  # what it is asked for here
            )
        )
        yield Installation(app, opened)


@pytest_asyncio.fixture(loop_scope="session")
async def site(installed: Installation) -> AsyncIterator[str]:
    async with serving(installed.app) as address:
        yield address


async def fill(installed: Installation, shelf: Shelf) -> None:
    """Have something on every page."""
    conninfo = installed.database.conninfo
    shelf.source("acme", name="Acme " + "Unbroken" * 20, health="failing", reason="timeout")
    number = shelf.article("Unbroken" * 25, text=TEXT)
    command = claims.at(TEXT, COMMAND, "command_line", verdict=None)
    await claims.name(conninfo, shelf, number, command, claims.at(TEXT, "evil.example"))
    shelf.check("acme")
    newsroom = Newsroom(conninfo, installed.database)
    for site in range(3):
        newsroom.tell("sha256 " + "ab" * 32, "cve CVE-2026-1", source=f"site-{site}", hours=site)
    await newsroom.assign()
    for task in ("summary", SIGMA_RULES):
        made = claim("A task is made.", TEXT, "DefenderUPD", rule=GOOD)
        say(shelf, number, made, task=task, prompt_version=version_of(task))
    token = await token_of(installed.database, await person(installed.database, login="filler"))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(installed.app),
        base_url="http://127.0.0.1/api/v1",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        for path, given in (
            ("/searches", {"name": "Tasks", "query": "task", "shared": True}),
            ("/watchlist", {"kind": "keyword", "term": "lantern", "weight": 0.5}),
            (f"/articles/{number}/notes", {"body": "A note."}),
            (f"/articles/{number}/detections", None),
        ):
            answer = await client.post(path, json=given)
            assert answer.status_code in {200, 201}, (path, answer.text)


def address_of(path: str) -> str:
    """Return an address of this page; a name without a value is a page that was forgotten."""
    return re.sub(r"\{(\w+)\}", lambda name: NAMES[name[1]], path)


async def faults(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['target']}" for one in found]


async def look_at_all(page: Page, site: str, missing: frozenset[int] = GONE) -> list[str]:
    """Return what is wrong with any page; `missing` are statuses that are well beside 200."""
    watch = Watch(page, site)
    found = []
    for path in PAGES:
        answer = await page.goto(address_of(path), wait_until="load")
        assert answer is not None, path
        assert answer.status in {200, *missing}, (path, answer.status)
        assert "text/html" in answer.headers["content-type"], path
        if answer.status in missing:
            # The browser says so itself.
            watch.faults.clear()
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        wrong = [*await faults(page), *watch.faults, *([f"{wide} px over"] if wide > 0 else [])]
        watch.faults.clear()
        found += [f"{path}: {one}" for one in wrong]
    return found


def test_every_address_has_its_values() -> None:
    assert {rule.split(" ", 1)[1] for rule in RULES} >= NO_PAGES
    assert "/ask" in PAGES
    assert "/articles/{article_id}/detection" in PAGES
    for path in PAGES:
        assert "{" not in address_of(path)


def look(scheme: str, width: int) -> SignedIn:
    return {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}


@pytest.mark.parametrize("shown", [look("light", 1400), look("dark", 390)], ids=["wide", "phone"])
async def test_axe_finds_nothing_on_any_page_with_something_on_it(
    browser: Browser, signed_in: SignedIn, installed: Installation, shelf: Shelf, shown: SignedIn
) -> None:
    await fill(installed, shelf)
    context = await browser.new_context(**{**signed_in, **shown})
    assert await look_at_all(await context.new_page(), signed_in["base_url"]) == []
    await context.close()


@pytest.mark.parametrize("shown", [look("light", 390), look("dark", 1400)], ids=["phone", "wide"])
async def test_axe_finds_nothing_on_any_page_with_nothing_on_it(
    browser: Browser, signed_in: SignedIn, shown: SignedIn
) -> None:
    context = await browser.new_context(**{**signed_in, **shown})
    page = await context.new_page()
    assert await look_at_all(page, signed_in["base_url"], GONE | {404}) == []
    await context.close()
