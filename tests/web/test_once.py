"""Writes that carry an Idempotency-Key: one effect, whatever the line does to the answers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

import make
from ctiscraper.db import once as kept_once
from ctiscraper.db.session import Database
from db.stage import Stage


@pytest_asyncio.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with Database(database, size=2) as opened:
        yield Stage(opened)


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def discard(client: httpx2.AsyncClient, key: str, number: int = 1) -> httpx2.Response:
    return await client.post("/api/v1/queue/discard", json={"ids": [number]}, headers=keyed(key))


async def test_a_write_that_is_sent_again_gives_the_first_answer(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    first = await discard(client, "one")
    again = await discard(client, '"one"')
    assert (first.status_code, first.json()) == (200, {"count": 1})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert (await discard(client, "two")).json() == {"count": 0}


async def test_a_key_with_another_request_is_refused(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    assert (await discard(client, "one")).status_code == 200
    refused = await discard(client, "one", number=2)
    assert refused.status_code == 422
    assert "take a new one" in refused.json()["detail"]
    elsewhere = await client.post("/api/v1/queue/retry", json={"ids": [1]}, headers=keyed("one"))
    assert elsewhere.status_code == 422


async def test_twenty_twins_have_one_effect(stage: Stage, client: httpx2.AsyncClient) -> None:
    await dead_letter(stage)
    answers = await asyncio.gather(*(discard(client, "twins") for _ in range(20)))
    found = Counter(answer.status_code for answer in answers)
    assert found[200] >= 1
    assert set(found) <= {200, 409}
    assert {answer.json()["count"] for answer in answers if answer.status_code == 200} == {1}
    assert all(a.headers["retry-after"] for a in answers if a.status_code == 409)
    assert (await discard(client, "twins")).json() == {"count": 1}


async def test_a_write_that_was_refused_may_be_tried_again(client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post("/api/v1/sources/acme/check", headers=keyed("early"))
        assert answer.status_code == 404


async def test_a_claim_of_a_process_that_ended_is_void_after_a_while(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    assert (await discard(client, "lost")).status_code == 200
    await stage.run("UPDATE written_once SET status = NULL")
    assert (await discard(client, "lost")).status_code == 409
    await stage.run(
        "UPDATE written_once SET claimed_at = now() - make_interval(secs => "
        f"{kept_once.CLAIM_SECONDS + 1})"
    )
    assert (await discard(client, "lost")).json() == {"count": 0}


async def test_keys_are_forgotten_after_a_day(stage: Stage, client: httpx2.AsyncClient) -> None:
    await discard(client, "old")
    await stage.run("UPDATE written_once SET claimed_at = now() - interval '25 hours'")
    await discard(client, "new")
    [(key,)] = await stage.rows("SELECT key FROM written_once")
    assert str(key).endswith(" new")


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "k" * 256, '"'])
async def test_what_is_no_key_is_refused(client: httpx2.AsyncClient, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1", "replace"))]
    answer = await client.post("/api/v1/queue/discard", json={"ids": [1]}, headers=headers)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


async def test_readers_need_no_key(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/queue", headers=keyed("not used"))
    assert answer.status_code == 200


async def dead_letter(stage: Stage) -> None:
    """Have one dead item, the first of all."""
    await stage.announce([make.announced("https://acme.example/a/1")])
    await stage.run("UPDATE fetch_job SET state = 'dead', finished_at = now(), reason = 'timeout'")
