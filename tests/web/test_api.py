"""The JSON API: shapes, filters, tags, refusals."""

from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from ctiscraper import views
from ctiscraper.web.changes import Changes
from ctiscraper.web.openapi import description
from web.shelf import Shelf

OPENAPI = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


async def test_list_pages_to_its_end(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    for number in range(5):
        shelf.article(f"n{number}")
    seen: list[str] = []
    path = "/api/v1/articles?limit=2"
    while path:
        page = (await client.get(path)).json()
        seen += [a["title"] for a in page["articles"]]
        path = f"/api/v1/articles?limit=2&cursor={page['next']}" if page["next"] else ""
    assert seen == ["n0", "n1", "n2", "n3", "n4"]


async def test_list_is_not_sent_again_to_who_holds_it(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one")
    first = await client.get("/api/v1/articles")
    again = await client.get("/api/v1/articles", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get("/api/v1/articles", headers={"if-none-match": '"x"'})
    assert other.status_code == 200


SHAPES: list[tuple[str, Any]] = [
    ("/api/v1/articles", views.ArticlePage),
    ("/api/v1/articles/{id}", views.ArticleDetail),
    ("/api/v1/articles/{id}/revisions", tuple[views.RevisionRef, ...]),
    ("/api/v1/articles/{id}/revisions/1", views.RevisionText),
    ("/api/v1/articles/{id}/changes", Changes),
    ("/api/v1/sources", tuple[views.SourceOverview, ...]),
    ("/api/v1/sources/acme", views.SourceDetail),
    ("/api/v1/accounting", views.AccountingReport),
    ("/api/v1/queue", views.QueuePage),
    ("/api/v1/queue/reasons", tuple[views.ReasonCount, ...]),
]


async def test_answers_have_the_shape_that_is_described(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", tags=["x"], authors=["A"])
    shelf.snapshot(number)
    shelf.revision(number, 1, "old")
    shelf.article("copy", "bolt", duplicate_of=number)
    shelf.job("acme", "https://acme.example/dead", "dead", reason="timeout")
    shelf.check("acme", status=200)
    for path, shape in SHAPES:
        answer = await client.get(path.format(id=number))
        assert (answer.status_code, path) == (200, path)
        TypeAdapter(shape).validate_json(answer.content)
        assert msgspec.json.decode(answer.content, type=shape)


NOT_UNDERSTOOD = (
    "/api/v1/articles?unknown=1",
    "/api/v1/articles?limit=0",
    "/api/v1/articles?limit=201",
    "/api/v1/articles?tier=gold",
    "/api/v1/articles?cursor=bad",
    "/api/v1/articles?since=never",
    "/api/v1/articles?q=%00",
    "/api/v1/articles?source=UPPER",
    "/api/v1/articles/0",
    "/api/v1/articles/99999999999999999999",
    "/api/v1/articles/1?x=1",
    "/api/v1/articles/1/revisions/0",
    "/api/v1/sources?x=1",
    "/api/v1/sources/UPPER",
    "/api/v1/accounting?x=1",
    "/api/v1/queue?state=stored",
    "/api/v1/queue/reasons?limit=1",
    "/health/live?x=1",
)


async def test_what_is_not_understood_is_refused(client: httpx2.AsyncClient) -> None:
    for path in NOT_UNDERSTOOD:
        answer = await client.get(path)
        assert (answer.status_code, path) == (422, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_search_that_takes_too_long_is_told_how_to_narrow_it(
    client: httpx2.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.db.article_filters.SEARCH_SECONDS", 0.001)
    for number in range(10):
        shelf.article(f"n{number}", text=" ".join(f"word{n}" for n in range(20_000)))
    slow = " OR ".join(f'"word{n} word{n + 2}"' for n in range(40))
    answer = await client.get("/api/v1/articles", params={"q": slow})
    assert answer.status_code == 400
    assert "narrow it" in answer.json()["detail"]


async def test_what_is_not_there_is_said_so(client: httpx2.AsyncClient) -> None:
    for path in ("articles/7", "articles/7/revisions/1", "sources/nobody", "nothing", ""):
        answer = await client.get(f"/api/v1/{path}")
        assert (answer.status_code, path) == (404, path)
        assert answer.json()["title"] == "Not Found"


async def test_times_without_zone_are_utc(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("late")
    shelf.article("early", sort_at="2026-01-01T00:00:00Z")
    page = (await client.get("/api/v1/articles?until=2026-06-01")).json()
    assert [a["title"] for a in page["articles"]] == ["early"]


def test_description_is_the_committed_one(app: FastAPI) -> None:
    assert OPENAPI.read_text("utf-8") == description(app), (
        "write it anew: python -m ctiscraper.web.openapi docs/reference/openapi.json"
    )


async def test_description_is_served(client: httpx2.AsyncClient, app: FastAPI) -> None:
    assert (await client.get("/api/v1/openapi.json")).json() == app.openapi()


async def test_ended_items_are_acted_on(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    dead = [shelf.job("acme", f"https://acme.example/d{n}", "dead") for n in range(2)]
    held = shelf.job("acme", "https://acme.example/held", "filtered")
    number = shelf.article("one")
    shelf.snapshot(number)
    shelf.run("UPDATE fetch_job SET snapshot_id = 1 WHERE article_id = %s", (number,))
    for action, body in (
        ("retry", {"ids": [dead[0], held]}),
        ("discard", {"ids": [dead[1], 99]}),
        ("release", {"ids": [held]}),
        ("reprocess", {"articles": [number]}),
    ):
        answer = await client.post(f"/api/v1/queue/{action}", json=body)
        assert (answer.status_code, answer.json(), action) == (200, {"count": 1}, action)
    accounts = (await client.get("/api/v1/accounting")).json()["total"]
    # A kept article that is read again stays counted as kept.
    assert (accounts["dead"], accounts["filtered"], accounts["pending"]) == (0, 1, 2)
