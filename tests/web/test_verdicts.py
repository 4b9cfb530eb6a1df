"""Decisions in the API: made once, listed, undone."""

import httpx2
import pytest
from fastapi import FastAPI

from db import claimed
from db.stage import Stage


@pytest.fixture
def stage(app: FastAPI) -> Stage:
    return Stage(app.state.services.database)


async def verdict_of(client: httpx2.AsyncClient, beginning: str) -> str:
    [thing] = (await client.get(f"/api/v1/entities?q={beginning}")).json()["entities"]
    return str(thing["verdict"])


async def test_a_decision_holds_until_it_is_undone(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    await claimed.article(stage, "one", claimed.mention("a.evil.org"), claimed.mention("good.org"))
    made = await client.post(
        "/api/v1/verdicts",
        json={"value": "evil[.]org", "scope": "domain", "verdict": "malicious", "reason": "ours"},
    )
    assert made.status_code == 201
    assert (made.json()["value"], made.json()["actor"]) == ("evil.org", "the-admin, token a test")
    assert await verdict_of(client, "a.evil") == "malicious"
    assert await verdict_of(client, "good") == "mentioned"
    number = made.json()["id"]
    undone = await client.delete(f"/api/v1/verdicts/{number}")
    assert undone.json()["undone_by"] == "the-admin, token a test"
    assert await verdict_of(client, "a.evil") == "mentioned"
    page = (await client.get("/api/v1/verdicts")).json()
    assert [one["id"] for one in page["verdicts"]] == [number]
    assert (await client.get("/api/v1/verdicts?standing=true")).json()["verdicts"] == []


async def test_the_list_goes_on_where_it_ended(client: httpx2.AsyncClient) -> None:
    for n in range(3):
        await client.post("/api/v1/verdicts", json={"value": f"d{n}.org", "verdict": "benign"})
    first = (await client.get("/api/v1/verdicts?limit=2")).json()
    rest = (await client.get(f"/api/v1/verdicts?limit=2&cursor={first['next']}")).json()
    assert [one["value"] for one in first["verdicts"] + rest["verdicts"]] == [
        "d2.org", "d1.org", "d0.org",
    ]  # fmt: skip
    assert rest["next"] is None


async def test_sent_twice_with_one_key_it_is_made_once(client: httpx2.AsyncClient) -> None:
    body = {"value": "evil.org", "verdict": "malicious"}
    answers = [
        await client.post("/api/v1/verdicts", json=body, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert len((await client.get("/api/v1/verdicts")).json()["verdicts"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"value": "what is this", "verdict": "benign"}, 422, "say its kind"),
        ({"value": "no domain!", "scope": "domain", "verdict": "benign"}, 422, "is no domain"),
        ({"value": "a.org", "scope": "source", "verdict": "benign"}, 422, "the source's key"),
        ({"value": "a.org", "source": "acme", "verdict": "benign"}, 422, "the source's key"),
        (
            {"value": "a.org", "scope": "source", "source": "nobody", "verdict": "benign"},
            404,
            "no source 'nobody'",
        ),
    ],
)
async def test_what_cannot_be_decided_is_told(
    client: httpx2.AsyncClient, body: dict[str, str], status: int, words: str
) -> None:
    answer = await client.post("/api/v1/verdicts", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


async def test_a_kind_that_is_given_is_taken(client: httpx2.AsyncClient) -> None:
    made = await client.post(
        "/api/v1/verdicts", json={"value": "what is this", "kind": "mutex", "verdict": "benign"}
    )
    assert (made.json()["kind"], made.json()["value"]) == ("mutex", "what is this")
    assert (await client.delete("/api/v1/verdicts/999")).status_code == 404
