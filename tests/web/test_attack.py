"""What is known of ATT&CK: by the pack in use, in the page, the API and the Navigator's file."""

import httpx2
from fastapi import FastAPI

from ctiscraper.db.packs import Packs
from ctiscraper.packs.registry import KNOWN, build_default
from web import claims
from web.shelf import Shelf

ATTACK = KNOWN["attack"]


async def named(database: str, shelf: Shelf, *ids: str) -> None:
    for number in range(2):
        article = shelf.article(f"n{number}")
        await claims.name(
            database, shelf, article,
            *(claims.mention(one, "technique", name=one, verdict=None, host="") for one in ids),
        )  # fmt: skip


async def test_the_matrix_follows_the_pack_in_use(
    client: httpx2.AsyncClient, app: FastAPI, database: str, shelf: Shelf
) -> None:
    await named(database, shelf, "T1059.001", "T1566")
    assert (await client.get("/api/v1/techniques/layer")).status_code == 404
    await Packs(app.state.services.database).install(build_default(ATTACK), build=ATTACK.build())
    app.state.attack._recent.clear()
    answer = await client.get("/api/v1/techniques/layer")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    layer = answer.json()
    assert layer["domain"] == "enterprise-attack"
    scores = {one["techniqueID"]: one.get("score") for one in layer["techniques"]}
    assert (scores["T1059.001"], scores["T1566"]) == (2, 2)
    page = (await client.get("/techniques")).text
    assert "Navigator layer" in page
    assert "Initial Access" in page
    downloaded = await client.get("/techniques/layer.json?matrix=mobile-attack")
    assert downloaded.json()["domain"] == "mobile-attack"


async def test_techniques_are_counted_over_what_the_filters_leave(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    await named(database, shelf, "T1059.001")
    [count] = (await client.get("/api/v1/techniques")).json()
    assert (count["technique"]["value"], count["articles"]) == ("T1059.001", 2)
    assert (await client.get("/api/v1/techniques?source=nobody")).json() == []
    wrong = await client.get("/api/v1/techniques/layer?matrix=chess")
    assert wrong.status_code == 422
