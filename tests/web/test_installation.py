"""The pages of the installation: data packs, retention, settings."""

import re
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.config import load_settings
from ctiscraper.db.session import Database
from ctiscraper.identity import Permission, Role
from ctiscraper.shown_settings import shown_settings
from ctiscraper.web.rules import RULES
from internet.world import FakeInternet
from people import person, token_of
from web.shelf import Shelf
from web.sourced import working


async def test_settings_are_shown_to_who_may_read_them(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet() as net,
        working(database, tmp_path, net, contact="me@acme.example") as desk,
    ):
        page = (await desk.client.get("/settings")).text
        assert "CTISCRAPER_MIN_GAP" in page
        assert "me@acme.example" in page
        assert "<code>worker</code>" in page
        assert "`" not in page
        rows = (await desk.client.get("/api/v1/settings")).json()
        assert {row["origin"] for row in rows} >= {"default", "command line"}
        viewer = await token_of(desk.walk.database, await person(desk.walk.database, Role.VIEWER))
        for path in ("/settings", "/api/v1/settings"):
            refused = await desk.client.get(path, headers={"authorization": f"Bearer {viewer}"})
            assert (refused.status_code, path) == (403, path)


async def test_a_secret_is_neither_shown_nor_set(
    client: httpx2.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTISCRAPER_PROXY", "http://me:swordfish@proxy.example:3128")
    given = app.state.services
    app.state.services = replace(given, shown_settings=shown_settings(load_settings()))
    for path in ("/settings", "/api/v1/settings"):
        answer = await client.get(path)
        assert (answer.status_code, path) == (200, path)
        assert "CTISCRAPER_PROXY" in answer.text
        assert "swordfish" not in answer.text
    values = {row["name"]: row["value"] for row in (await client.get("/api/v1/settings")).json()}
    assert re.fullmatch("set, ….{4}", values["proxy"])
    assert Permission.SETTINGS_WRITE not in RULES.values()


async def test_retention_says_what_would_go(database: str, tmp_path: Path, shelf: Shelf) -> None:
    shelf.source("acme")
    for number in range(30):
        shelf.run(
            "INSERT INTO source_check (source_id, checked_at) "
            "VALUES (1, now() - interval '400 days' + make_interval(days => %s))",
            (number,),
        )
    async with FakeInternet() as net, working(database, tmp_path, net) as desk:
        page = (await desk.client.get("/operations/retention")).text
        assert 'data-label="The next run removes">10</td>' in page
        assert "for ever" in page
        report = (await desk.client.get("/api/v1/retention")).json()
        assert report["outlived"]["checks"] == 10
        assert report["keep"]["raw"]["premium"] == 365
        assert report["kept"]["checks_bytes"] > 0
        assert shelf.run("SELECT count(*) FROM source_check")[0] == 30


async def test_a_process_without_settings_says_so(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/operations/retention")).status_code == 503
    assert "without settings of its own" in (await client.get("/settings")).text


async def test_packs_are_listed(client: httpx2.AsyncClient, opened: Database) -> None:
    assert "No data pack is installed yet" in (await client.get("/operations/packs")).text
    async with opened.connection() as conn:
        await conn.execute(
            """
            INSERT INTO pack (name, version, source, licence, notice, sha256, records, active, body)
            VALUES ('attack', '17 <b>', 'https://x.example', 'Own terms', 'Say so.', 'x', 9, true,
                'body')
            """
        )
    page = (await client.get("/operations/packs")).text
    assert "17 &lt;b&gt;" in page
    assert "ctiscraper data update" in page
    [row] = (await client.get("/api/v1/packs")).json()
    assert (row["licence"], row["active"], row["records"]) == ("Own terms", True, 9)
