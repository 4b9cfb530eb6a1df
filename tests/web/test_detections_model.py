"""Rules by a model over the API and on the page: asked for, watched, cancelled, added by people."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from answering import use
from ctiscraper.analyses import version_of
from ctiscraper.analysis.analysed import RULES
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.identity import Role
from ctiscraper.sandbox import Sandbox
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from web import claims
from web.said import claim, say
from web.shelf import Shelf
from web.test_detections import as_role, send
from web.test_pages import page, words

HOSTILE = "<script>alert(1)</script>"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


@pytest_asyncio.fixture
async def app(opened: Database, sandbox: Sandbox) -> FastAPI:
    detections = Detections(opened, sandbox)
    models = use(version=version_of)
    return create_app(WebServices(database=opened, detections=detections, models=models))


async def shown(shelf: Shelf, database: str) -> int:
    """An article that shows a command line."""
    number = shelf.article("one", text=TEXT)
    command = claims.at(TEXT, COMMAND, "command_line", verdict=None)
    await claims.name(database, shelf, number, command)
    return number


def answered(shelf: Shelf, article: int, rule: str = GOOD, **changes: object) -> int:
    """A model that answered with this rule; give the number of that."""
    made = claim(f"A task {HOSTILE}", TEXT, "DefenderUPD", level="high", rule=rule)
    given: dict[str, object] = {"prompt_version": version_of(RULES), **changes}
    return say(shelf, article, made, task=RULES, **given)  # type: ignore[arg-type]  # a builder


async def test_the_api_asks_and_adds_what_holds(
    client: httpx2.AsyncClient, shelf: Shelf, database: str
) -> None:
    article = await shown(shelf, database)
    path = f"/api/v1/articles/{article}/detections/model"
    first = await client.post(path, json={})
    assert first.status_code == 202, first.text
    [one] = first.json()["analyses"]
    assert (one["task"], one["state"], one["model"]) == (RULES, "pending", "small")
    assert first.json()["tasks"] == [RULES]
    early = await client.post(f"/api/v1/analyses/{one['id']}/detections")
    assert (early.status_code, "has no rules" in early.text) == (409, True)
    cancelled = await client.post(f"/api/v1/analyses/{one['id']}/cancel")
    assert cancelled.json()["analysis"]["state"] == "cancelled"
    again = await client.post(path, json={"again": True})
    assert again.json()["analyses"][0]["state"] == "pending"
    wrong = await client.post(path, json={"model": "nobody"})
    assert (wrong.status_code, "no model 'nobody'" in wrong.text) == (422, True)
    shelf.run("DELETE FROM model_analysis")
    number = answered(shelf, article)
    made = await client.post(f"/api/v1/analyses/{number}/detections")
    assert made.status_code == 201, made.text
    assert made.json()["refused"] == []
    [draft] = made.json()["detections"]
    assert (made.json()["added"], draft["origin"], draft["model"]) == (1, "model", "small")
    whole = (await client.get(f"/api/v1/detections/{draft['id']}")).json()
    assert whole["prompt"] == version_of(RULES)
    assert (await client.post(f"/api/v1/analyses/{number}/detections")).json()["added"] == 0
    actions = shelf.run("SELECT array_agg(action ORDER BY id) FROM audit_entry")[0]
    assert {"detection.ask", "detection.draft", "analysis.cancel"} <= set(actions)


async def test_without_a_model_it_is_refused_with_what_to_do(
    without: httpx2.AsyncClient, shelf: Shelf
) -> None:
    article = shelf.article("one", text=TEXT)
    refused = await without.post(f"/api/v1/articles/{article}/detections/model", json={})
    assert refused.status_code == 503
    assert "set CTISCRAPER_MODEL_URL and CTISCRAPER_MODEL" in refused.text
    tree = await page(without, f"/articles/{article}/detection")
    assert "no draft needs one" in words(tree, "#models")[0]
    assert words(tree, "#models button") == []
    form = await send(without, f"/articles/{article}/detection/model")
    assert form.status_code == 503
    assert shelf.run("SELECT count(*) FROM model_analysis") == (0,)


async def test_the_page_asks_waits_and_adds(
    client: httpx2.AsyncClient, shelf: Shelf, database: str
) -> None:
    article = await shown(shelf, database)
    path = f"/articles/{article}/detection"
    assert words(await page(client, path), "#models .ask-model button") == [
        "Ask a model for Sigma rules"
    ]
    sent = await send(client, f"{path}/model", model="small")
    assert (sent.status_code, sent.headers["location"]) == (303, f"{path}#models")
    waiting = await page(client, path)
    assert "waits for its turn" in words(waiting, "#models .how")[0].lower()
    assert words(waiting, "#models .ask-model") == []
    await send(client, f"{path}/model/1/cancel")
    assert "Cancelled" in words(await page(client, path), "#models .how")[0]
    await send(client, f"{path}/model", model="small", again=1)
    assert shelf.run("SELECT state FROM model_analysis") == ("pending",)
    shelf.run("DELETE FROM model_analysis")
    number = answered(shelf, article, dropped=2, why='{"no_yaml": 2}', hidden=7, repaired=True)
    done = await client.get(path)
    assert HOSTILE not in done.text
    tree = await page(client, path)
    assert version_of(RULES) in words(tree, "#models h3")[0]
    assert "2 could not be read as YAML" in " ".join(words(tree, "#models .past li"))
    added = await send(client, f"{path}/model/{number}/keep")
    assert "1 new draft" in added.text
    tree = await page(client, path)
    assert version_of(RULES) in words(tree, ".draft .by-model")[0]
    assert words(tree, "#models .dstate") == []
    # What was added is told from what was not.
    rule = (await client.get("/api/v1/detections/1")).json()["yaml"]
    shelf.run("DELETE FROM model_analysis")
    answered(shelf, article, rule)
    tree = await page(client, path)
    assert words(tree, "#models .dstate") == ["among the drafts"]
    assert "Add it to the drafts" not in (await client.get(path)).text


async def test_what_is_no_answer_of_this_article_is_not_added(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    one, other = shelf.article("one", text=TEXT), shelf.article("other", text=TEXT)
    number = answered(shelf, one)
    summary = say(shelf, one)
    for path in (
        f"/articles/{other}/detection/model/{number}/keep",
        f"/articles/{one}/detection/model/{summary}/keep",
        f"/articles/{other}/detection/model/{number}/cancel",
        f"/articles/{one}/detection/model/999/keep",
    ):
        assert (await send(client, path)).status_code == 404, path
    api = await client.post(f"/api/v1/analyses/{summary}/detections")
    assert api.status_code == 409


async def test_the_article_leads_to_the_rules(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    article = shelf.article("one", text=TEXT)
    number = answered(shelf, article)
    tree = await page(client, f"/articles/{article}")
    assert words(tree, f"#analysis-{number} h3")[0].startswith("Sigma rules")
    assert "See the rules" in words(tree, f"#analysis-{number}")[0]
    assert "logsource" not in words(tree, f"#analysis-{number}")[0]


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.ANALYST, 202)])
async def test_who_may_ask(
    app: FastAPI, opened: Database, shelf: Shelf, role: Role, status: int
) -> None:
    article = shelf.article("one", text=TEXT)
    number = answered(shelf, article, model="large")
    async with await as_role(app, opened, role) as asking:
        asked = await asking.post(f"/api/v1/articles/{article}/detections/model", json={})
        assert asked.status_code == status
        found = await asking.get(f"/articles/{article}/detection")
        assert ("Add it to the drafts" in found.text) is (role is Role.ANALYST)
        if role is Role.VIEWER:
            kept = await asking.post(f"/api/v1/analyses/{number}/detections")
            assert kept.status_code == 403
