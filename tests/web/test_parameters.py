"""Parameters read at once are read as the framework reads them, and none becomes SQL."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.web.parameters import described
from ctiscraper.web.schemas import ArticleParameters
from ctiscraper.web.token_rate import TokenRate
from web import claims
from web.shelf import Shelf

DESCRIPTION = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


async def test_the_last_of_a_name_counts(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    for number in range(3):
        shelf.article(f"Number {number}")
    answer = await client.get("/api/v1/articles?limit=1&limit=2")
    assert len(answer.json()["articles"]) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=", "query.limit"),
        ("nothing=1", "query.nothing"),
        ("since=tomorrow", "query.since"),
        ("order=oldest", "query.order"),
        ("tier=%ff", "query.tier"),
        ("&".join(f"p{n}=1" for n in range(1_001)), "query"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx2.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"/api/v1/articles?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_they_are_described() -> None:
    names = [each["name"] for each in described(ArticleParameters)["parameters"]]
    assert names == list(ArticleParameters.model_fields)


def test_all_that_the_description_refers_to_is_in_it() -> None:
    document: dict[str, Any] = json.loads(DESCRIPTION.read_text("utf-8"))
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert known
    assert set(_refs(document)) <= known


# What ends a text of SQL or a condition, adds to it, or leaves its rest out.
SQL = (
    "x' OR '1'='1",
    'x" OR "1"="1',
    "x'; DROP TABLE article CASCADE; --",
    "x' UNION SELECT login FROM app_user --",
    "x\\' OR 1=1 --",
    "\0",  # no text of PostgreSQL holds it
)
PAGES = (
    ("/", ("q", "tag", "source", "language", "cursor")),
    ("/indicators", ("q", "under", "source")),
    ("/accounting", ("source", "reason")),
    ("/audit", ("actor", "action", "about")),
)


def parameters_of_lists() -> list[tuple[str, str]]:
    """Path and name of each parameter of a question that ends."""
    document: dict[str, Any] = json.loads(DESCRIPTION.read_text("utf-8"))
    return [
        (re.sub(r"\{\w+\}", "1", path.replace("{key}", "acme")), each["name"])
        for path, operations in document["paths"].items()
        for each in operations.get("get", {}).get("parameters", ())
        if each["in"] == "query" and path != "/api/v1/events"
    ]


async def test_no_parameter_becomes_sql(
    client: httpx2.AsyncClient, app: FastAPI, database: str, shelf: Shelf
) -> None:
    app.state.token_rate = TokenRate(100_000)
    number = shelf.article("Lantern", text="See lantern.example there.", tags=["lantern"])
    await claims.name(database, shelf, number, claims.mention("lantern.example"))
    shelf.job("acme", "https://acme.example/dead", "dead", title="Lantern")
    await client.post(
        "/api/v1/watchlist", json={"kind": "keyword", "term": "lantern", "weight": 0.5}
    )
    await client.post("/api/v1/triage/changes", json={"articles": [number], "tag": "lantern"})
    of_api = parameters_of_lists()
    assert len(of_api) > 50
    for path, name in of_api:
        for words in SQL:
            answer = await client.get(path, params={name: words})
            assert answer.status_code in {200, 404, 422}, (path, name, words)
            assert "lantern" not in answer.text.lower(), (path, name, words)
    for path, names in PAGES:
        for name in names:
            for words in SQL:
                answer = await client.get(path, params={name: words})
                assert answer.status_code in {200, 422}, (path, name, words)
    assert shelf.run("SELECT count(*) FROM article") == (1,)


def _refs(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for each in node.values() for ref in _refs(each)]
    return [ref for each in node for ref in _refs(each)] if isinstance(node, list) else []
