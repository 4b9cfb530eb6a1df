"""The watchlist through API and pages, and scores in the lists that follow from it."""

import httpx2
import pytest
from pydantic import TypeAdapter

from ctiscraper import views
from ctiscraper.db.session import Database
from make_scores import ScoredShelf, mention
from web.shelf import Shelf

API = "/api/v1/watchlist"
FORM = {
    "content-type": "application/x-www-form-urlencoded",
    "origin": "http://127.0.0.1",
}


async def stored(database: str, shelf: Shelf, *texts: str) -> list[int]:
    scored = ScoredShelf(shelf)
    numbers = [scored.article(text, text) for text in texts]
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    return numbers


async def test_an_entry_is_made_listed_and_removed(
    client: httpx2.AsyncClient, shelf: Shelf, database: str
) -> None:
    has, _ = await stored(database, shelf, "Example Firewall flaw", "Nothing")
    made = await client.post(
        API, json={"kind": "product", "term": " Example  Firewall ", "weight": 1, "note": "ours"}
    )
    assert made.status_code == 201
    entry = made.json()
    assert made.headers["location"] == f"{API}/{entry['id']}"
    assert (entry["term"], entry["recent_articles"], entry["actor"]) == (
        "Example Firewall",
        1,
        "the-admin, token a test",
    )
    TypeAdapter(views.WatchEntry).validate_json(made.content)
    assert (await client.get(made.headers["location"])).json() == entry
    assert (await client.get(API)).json() == [entry]
    [first, second] = (await client.get("/api/v1/articles?order=score&days=1")).json()["articles"]
    assert first["id"] == has
    assert first["score"] > second["score"]
    [relevance] = [part for part in first["parts"] if part["name"] == "relevance"]
    assert relevance["evidence"] == ["Example Firewall (product, 2 times)"]
    watched = (await client.get(f"/api/v1/articles?watch={entry['id']}")).json()
    assert [one["id"] for one in watched["articles"]] == [has]
    assert (await client.delete(made.headers["location"])).status_code == 204
    assert (await client.get(API)).json() == []
    detail = (await client.get(f"/api/v1/articles/{has}")).json()
    [relevance] = [part for part in detail["parts"] if part["name"] == "relevance"]
    assert (relevance["value"], relevance["weight"]) == (0, 0)


async def test_what_cannot_be_is_refused_with_its_reason(client: httpx2.AsyncClient) -> None:
    for body in (
        {"kind": "town", "term": "Oslo"},
        {"kind": "cve", "term": "12"},
        {"term": "x"},
        {"term": "acme", "weight": 2},
        {"term": "acme", "colour": "red"},
    ):
        answer = await client.post(API, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (
            422,
            "application/problem+json",
        )
        assert answer.json()["errors"]
    assert (await client.post(API, json={"term": "acme"})).status_code == 201
    assert (await client.post(API, json={"term": "ACME"})).status_code == 409
    assert (await client.get(f"{API}/99")).status_code == 404
    assert (await client.delete(f"{API}/99")).status_code == 404


async def test_an_entry_with_a_key_is_made_once(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.post(API, json={"term": "acme"}, headers={"idempotency-key": "k1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await client.get(API)).json()) == 1


async def test_files_go_in_and_out(client: httpx2.AsyncClient) -> None:
    body = b"vendor: Example\nacme\ncve: 12\n"
    dry = (await client.post(f"{API}/import?dry_run=true", content=body)).json()
    assert [row["outcome"] for row in dry["rows"]] == ["added", "added", "bad"]
    assert (await client.get(API)).json() == []
    await client.post(f"{API}/import", content=body)
    exported = await client.get(f"{API}/export.csv")
    assert exported.text.splitlines() == [
        "kind,term,weight,note",
        "keyword,acme,0.5,",
        "vendor,Example,0.5,",
    ]
    assert (await client.post(f"{API}/import", content=b"\xff")).status_code == 422


@pytest.mark.parametrize(
    "query", ["order=worst", "order=score&days=5", "min_score=2", "min_score=nan", "watch=0"]
)
async def test_lists_refuse_what_they_do_not_know(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.get(f"/api/v1/articles?{query}")).status_code == 422


async def test_the_page_adds_and_removes(
    client: httpx2.AsyncClient, shelf: Shelf, database: str
) -> None:
    assert "Nothing is watched for yet" in (await client.get("/watchlist")).text
    await stored(database, shelf, "Example Firewall flaw")
    sent = await client.post(
        "/watchlist/add",
        content="kind=product&term=Example+Firewall&weight=0.8&note=%3Cb%3Eours",
        headers=FORM,
    )
    assert (sent.status_code, sent.headers["location"]) == (303, "/watchlist?added=1")
    page = (await client.get("/watchlist?added=1")).text
    assert "1 entry added" in page
    assert "&lt;b&gt;ours" in page
    assert "<bdi>the-admin, token a test</bdi>" in page
    [entry] = (await client.get(API)).json()
    assert f'href="/?watch={entry["id"]}"' in page
    listed = (await client.get(f"/?watch={entry['id']}")).text
    assert 'Articles that have the product <b dir="auto">Example Firewall</b>' in listed
    assert "Nothing matches" in (await client.get("/?watch=99")).text
    again = await client.post(
        "/watchlist/add", content="kind=product&term=example+firewall", headers=FORM
    )
    assert again.status_code == 422
    assert "has the product" in again.text
    assert 'value="example firewall"' in again.text
    gone = await client.post(f"/watchlist/{entry['id']}/remove", headers=FORM)
    assert gone.headers["location"] == "/watchlist?removed=1"
    assert "watched for no more" in (await client.get("/watchlist?removed=1")).text


async def test_the_page_takes_many_and_names_what_is_wrong(client: httpx2.AsyncClient) -> None:
    good = await client.post(
        "/watchlist/import", content="lines=acme%0Avendor:+Example", headers=FORM
    )
    assert good.headers["location"] == "/watchlist?added=2&known=0"
    bad = await client.post("/watchlist/import", content="lines=bolt%0Acve:+1", headers=FORM)
    assert bad.status_code == 422
    assert "line 2" in bad.text
    assert {one["term"] for one in (await client.get(API)).json()} == {"acme", "Example", "bolt"}


async def test_lists_and_articles_show_a_score_with_its_parts(
    client: httpx2.AsyncClient, shelf: Shelf, database: str
) -> None:
    scored = ScoredShelf(shelf)
    number = scored.article(
        "Zero-day exploited in the wild", "words", mention("domain", "<b>.example")
    )
    shelf.article("Not scored yet")
    async with Database(database, size=1) as opened:
        await scored.join(opened)
    page = (await client.get("/?order=score&days=30")).text
    assert "The best of 30 days" in page
    assert "Not scored yet" not in page
    assert "exploited in the wild</bdi>" in page
    assert "&lt;b&gt;.example" in page
    assert "the watchlist is empty" in page
    assert "Not scored yet" in (await client.get("/")).text
    assert "Not scored yet" not in (await client.get("/?min_score=1")).text
    article = (await client.get(f"/articles/{number}?order=score")).text
    assert "what it is made of" in article
    assert "Back to the list" in article
