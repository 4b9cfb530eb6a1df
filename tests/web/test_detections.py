"""Detections over the API and on their pages: who may do what, and that nothing typed is lost."""

import io
import zipfile
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from detect.material import COMMAND, TEXT
from people import person, token_of
from web import claims
from web.shelf import Shelf
from web.signing import PASSWORD, SAME_SITE, hidden, post, user
from web.test_login import lost_session
from web.test_pages import FORM, attribute, page, words

HOSTILE = "<script>alert(1)</script>"


@pytest_asyncio.fixture
async def app(opened: Database) -> AsyncIterator[FastAPI]:
    async with open_sandbox() as sandbox:
        yield create_app(WebServices(database=opened, detections=Detections(opened, sandbox)))


@pytest_asyncio.fixture
async def article(database: str, shelf: Shelf) -> int:
    shelf.article(f"A report {HOSTILE}", text=TEXT)
    await claims.name(
        database,
        shelf,
        1,
        claims.at(TEXT, COMMAND, "command_line", verdict=None),
        claims.at(TEXT, "evil.example"),
        claims.at(TEXT, "powershell -w hidden -ep bypass -c Sync-Folders", "command_line"),
    )
    return 1


async def as_role(app: FastAPI, opened: Database, role: Role) -> httpx2.AsyncClient:
    token = await token_of(opened, await person(opened, role))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token}"},
    )


async def test_the_api_drafts_checks_changes_decides_and_hands_over(
    client: httpx2.AsyncClient, article: int, shelf: Shelf
) -> None:
    made = await client.post(f"/api/v1/articles/{article}/detections")
    assert made.status_code == 201, made.text
    assert made.json()["added"] == 3
    assert "ordinary" in made.json()["refused"][0]["reason"]
    listed = (await client.get("/api/v1/detections?limit=2")).json()
    assert len(listed["detections"]) == 2
    rest = await client.get(f"/api/v1/detections?cursor={listed['next']}")
    assert len(rest.json()["detections"]) == 1
    of_it = (await client.get(f"/api/v1/articles/{article}/detections")).json()
    first = of_it[0]["id"]
    one = await client.get(f"/api/v1/detections/{first}")
    assert one.headers["etag"] == '"v1"'
    text = one.json()["yaml"]
    path = f"/api/v1/detections/{first}"
    assert (await client.put(path, json={"yaml": text})).status_code == 428
    changed = await client.put(
        path, json={"yaml": text.replace("experimental", "test")}, headers={"if-match": '"v1"'}
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')
    stale = await client.put(f"{path}?version=1", json={"yaml": text})
    assert (stale.status_code, "has changed this rule" in stale.text) == (409, True)
    bad = await client.put(f"{path}?version=2", json={"yaml": "title: ["})
    assert bad.status_code == 422
    decided = await client.post(f"{path}/decision", json={"state": "accepted", "version": 2})
    assert decided.json()["summary"]["state"] == "accepted"
    packed = await client.get("/api/v1/detections/export.zip")
    archive = zipfile.ZipFile(io.BytesIO(packed.content))
    assert [archive.read(name).decode() for name in archive.namelist()] == [decided.json()["yaml"]]
    single = await client.get(f"{path}.yml")
    assert single.text == decided.json()["yaml"]
    assert "attachment" in single.headers["content-disposition"]
    actions = shelf.run("SELECT array_agg(action ORDER BY id) FROM audit_entry")[0]
    assert [one for one in actions if one.startswith("detection")] == [
        "detection.draft", "detection.change", "detection.decide", "detection.export",
        "detection.export",
    ]  # fmt: skip


async def test_rules_of_others_are_checked_and_converted_and_nothing_is_kept(
    client: httpx2.AsyncClient, article: int
) -> None:
    await client.post(f"/api/v1/articles/{article}/detections")
    text = (await client.get("/api/v1/detections/1")).json()["yaml"]
    given = {"yaml": text, "article": article}
    found = (await client.post("/api/v1/detections/check", json=given)).json()
    assert found["replay"]["matched"] == 1
    assert found["issues"] == []
    for target in ("splunk", "elasticsearch", "esql", "kql"):
        query = await client.post(
            "/api/v1/detections/convert", json={"yaml": text, "target": target}
        )
        assert "DefenderUPD" in query.json()["text"]
    none = (await client.post("/api/v1/detections/check", json={"yaml": "a: &a [*a]"})).json()
    assert "anchors" in none["issues"][0]["what"]
    query = await client.post("/api/v1/detections/convert", json={"yaml": "x", "target": "kql"})
    assert query.json()["failure"]
    assert len((await client.get("/api/v1/detections")).json()["detections"]) == 3


@pytest.mark.parametrize(
    ("role", "draft", "accept"), [(Role.VIEWER, 403, 403), (Role.ANALYST, 201, 403)]
)
async def test_who_may_draft_and_who_may_accept(
    app: FastAPI, opened: Database, article: int, role: Role, draft: int, accept: int
) -> None:
    async with await as_role(app, opened, role) as asking:
        made = await asking.post(f"/api/v1/articles/{article}/detections")
        assert made.status_code == draft
        answer = await asking.post(
            "/api/v1/detections/1/decision", json={"state": "accepted", "version": 1}
        )
        assert answer.status_code == accept
        shown = await asking.get(f"/articles/{article}/detection")
        assert shown.status_code == 200
        assert ("Draft" in shown.text) is (role is Role.ANALYST)
        assert "Accept</button>" not in shown.text


async def send(client: httpx2.AsyncClient, path: str, **fields: object) -> httpx2.Response:
    return await client.post(path, content=urlencode(fields), headers=FORM)


async def test_the_pages_draft_and_show_the_words_that_rules_rest_on(
    client: httpx2.AsyncClient, article: int
) -> None:
    empty = await page(client, f"/articles/{article}/detection")
    assert words(empty, ".empty h2") == ["No rule was drafted yet"]
    drafted = await send(client, f"/articles/{article}/detection")
    assert drafted.status_code == 200
    assert "3 new drafts" in drafted.text
    assert "gave no rule" in drafted.text
    assert HOSTILE not in drafted.text
    tree = await page(client, f"/articles/{article}/detection")
    assert "schtasks" in words(tree, ".excerpt mark")
    listed = await page(client, "/detections?state=draft&level=high&technique=")
    assert len(words(listed, "tbody tr")) >= 1
    assert words(await page(client, "/detections?state=accepted"), ".empty h2") == [
        "No detection is so"
    ]
    one = await page(client, "/detections/1?as=kql")
    assert words(one, ".tabs [aria-current]") == ["KQL"]
    assert "DeviceProcessEvents" in words(one, ".query")[0]
    assert "Matches none of" in words(one, ".verdicts")[0]


async def test_what_was_typed_is_checked_saved_or_shown_again(
    client: httpx2.AsyncClient, article: int
) -> None:
    await send(client, f"/articles/{article}/detection")
    text = (await client.get("/api/v1/detections/1")).json()["yaml"]
    typed = text.replace("DefenderUPD", "Nowhere")
    checked = await send(client, "/detections/1", yaml=typed, version=1, action="check")
    assert checked.status_code == 200
    assert "not saved yet" in checked.text
    assert "Matches 0 of 1" in checked.text
    assert "Nowhere" in checked.text
    broken = await send(
        client, "/detections/1", yaml=f"title: [{HOSTILE}", version=1, action="save"
    )
    assert broken.status_code == 422
    assert "title: [&lt;script&gt;" in broken.text
    saved = await send(
        client, "/detections/1", yaml=text.replace("\n", "\r\n") + "# mine\r\n", version=1,
        action="save",
    )  # fmt: skip
    assert saved.headers["location"] == "/detections/1?done=saved"
    assert "\r" not in (await client.get("/detections/1.yml")).text
    late = await send(client, "/detections/1", yaml=typed, version=1, action="save")
    assert late.status_code == 409
    assert "Nowhere" in late.text
    assert "# mine" in late.text
    tree = await page(client, "/detections/1")
    assert attribute(tree, "form [name=version]", "value") == "2"
    refused = await send(client, "/detections/1/decision", state="accepted", version=1)
    assert refused.status_code == 409
    accepted = await send(client, "/detections/1/decision", state="accepted", version=2)
    assert accepted.status_code == 303
    assert words(await page(client, "/detections/1"), ".head .dstate") == ["accepted"]
    packed = await client.get(f"/detections/export.zip?article={article}")
    assert len(zipfile.ZipFile(io.BytesIO(packed.content)).namelist()) == 1


async def test_a_rule_that_was_typed_outlives_the_session(
    app: FastAPI, opened: Database, stranger: httpx2.AsyncClient, article: int
) -> None:
    detections = app.state.services.detections
    await detections.draft(article, by="ann")
    await user(opened)
    await lost_session(stranger, opened, app)
    typed = (await detections.drafts.get(1)).yaml + "# what I found <b>\n"
    lost = await post(stranger, "/detections/1", yaml=typed, version="1", action="save")
    assert (lost.status_code, "Your session has ended" in lost.text) == (401, True)
    fields = hidden(lost.text, "/login")
    resumed = await post(stranger, "/login", login="jane", password=PASSWORD, **fields)
    kept = hidden(resumed.text, "/detections/1")
    assert kept["yaml"] == typed
    done = await stranger.post("/detections/1", data=kept, headers=SAME_SITE)
    assert done.headers["location"] == "/detections/1?done=saved"
    assert (await detections.drafts.get(1)).yaml == typed
