"""Parameters that are read at once are read as the framework reads them."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ctiscraper.web.parameters import described
from ctiscraper.web.schemas import ArticleParameters
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


def _refs(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for each in node.values() for ref in _refs(each)]
    return [ref for each in node for ref in _refs(each)] if isinstance(node, list) else []
