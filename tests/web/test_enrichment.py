"""Articles that could not be looked through, and those that are looked through again."""

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.db.enrichments import Finding
from ctiscraper.intelligence import Extractor
from db import claimed
from db.stage import Stage


@pytest.fixture
def stage(app: FastAPI) -> Stage:
    return Stage(app.state.services.database)


async def fail(stage: Stage) -> None:
    texts = await claimed.claim(stage)
    await stage.enrichments.keep([Finding(text=one, failure="parser_timeout") for one in texts])


async def test_failures_are_listed_and_tried_again(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    numbers = [await claimed.store(stage, name) for name in ("one", "two")]
    await fail(stage)
    page = (await client.get("/api/v1/enrichment/failures?limit=1")).json()
    rest = await client.get(f"/api/v1/enrichment/failures?cursor={page['next']}")
    both = [*page["failures"], *rest.json()["failures"]]
    assert sorted(one["article"] for one in both) == numbers
    assert {one["failure"] for one in both} == {"parser_timeout"}
    metrics = (await client.get("/metrics")).text
    assert "ctiscraper_enrichment_failed 2.0" in metrics
    retried = await client.post("/api/v1/enrichment/retry", json={"articles": numbers[:1]})
    assert retried.json() == {"count": 1}
    assert (await client.post("/api/v1/enrichment/retry", json={})).json() == {"count": 1}
    metrics = (await client.get("/metrics")).text
    assert "ctiscraper_enrichment_waiting 2.0" in metrics
    assert "ctiscraper_enrichment_failed 0.0" in metrics
    operations = (await client.get("/api/v1/operations")).json()["work"]["enriching"]
    assert (operations["waiting"], operations["failed"]) == (2, 0)
    assert "2 to be looked through" in (await client.get("/operations")).text


async def test_articles_are_looked_through_again_by_what_is_named(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    number = await claimed.article(stage, "one")
    for body, count in (
        ({"only": ["names"]}, 1),
        ({"only": ["names"], "since": "2030-01-01"}, 0),
        ({"only": ["observables"], "source": "acme", "articles": [number]}, 1),
    ):
        answer = await client.post("/api/v1/queue/reprocess", json=body)
        assert (answer.status_code, answer.json()) == (200, {"count": count})
    [text] = await claimed.claim(stage)
    assert set(text.extractors) == {Extractor.NAMES, Extractor.OBSERVABLES}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"only": ["nonsense"]}, 422),
        ({"only": []}, 422),
        ({"since": "2026-01-01", "source": "acme"}, 422),
        ({}, 422),
        ({"only": ["names"], "source": "nobody"}, 404),
    ],
)
async def test_a_wish_that_names_nothing_is_refused(
    client: httpx2.AsyncClient, body: dict[str, object], status: int
) -> None:
    assert (await client.post("/api/v1/queue/reprocess", json=body)).status_code == status
