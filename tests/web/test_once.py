"""Writes that carry an Idempotency-Key: one effect, whatever the line does to the answers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio

import make
from ctiscraper.db import once as kept_once
from ctiscraper.db.session import Conn, Database
from ctiscraper.web import once
from db.stage import Stage
from patience import until


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


async def end_in_between(stage: Stage) -> None:
    """Leave what a process leaves that ends after its write and before it has kept the answer."""
    await stage.run(
        "UPDATE written_once SET status = NULL, headers = NULL, body = NULL,"
        f" claimed_at = now() - make_interval(secs => {kept_once.CLAIM_SECONDS + 1})"
    )


async def test_a_write_that_broke_off_is_never_made_again_and_told_as_unknown(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    assert (await discard(client, "lost")).json() == {"count": 1}
    await end_in_between(stage)
    # It would have an effect again.
    await stage.run("UPDATE fetch_job SET state = 'dead', reason = 'timeout', released = false")
    for _ in range(2):
        told = await discard(client, "lost")
        assert told.status_code == 409
        assert "not known whether it took effect" in told.json()["detail"]
        assert "audit log" in told.json()["detail"]
        assert "retry-after" not in told.headers
    assert await stage.value("SELECT state FROM fetch_job") == "dead"
    assert (await discard(client, "lost", number=2)).status_code == 422
    assert (await discard(client, "new")).status_code == 200


async def test_a_claim_holds_for_as_long_as_its_write_takes(
    stage: Stage, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes waits for a table here, for several times as long as a claim holds."""
    monkeypatch.setattr(kept_once, "CLAIM_SECONDS", 1.0)
    monkeypatch.setattr(once, "RENEW_SECONDS", 0.1)
    await dead_letter(stage)
    async with held(stage) as release:
        first = asyncio.create_task(discard(client, "slow"))
        await until(lambda: stage.value("SELECT count(*) FROM written_once"))
        began = await stage.value("SELECT claimed_at FROM written_once")
        longer = f"SELECT claimed_at > '{began}'::timestamptz + interval '2 s' FROM written_once"
        await until(lambda: stage.value(longer))
        meanwhile = await discard(client, "slow")
        assert (meanwhile.status_code, meanwhile.headers["retry-after"]) == (409, "1")
        assert "is being answered" in meanwhile.json()["detail"]
        await release()
        assert (await first).json() == {"count": 1}
    again = await discard(client, "slow")
    assert (again.json(), again.headers["idempotency-replayed"]) == ({"count": 1}, "true")


async def test_a_write_whose_database_failed_is_told_as_unknown(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    async with held(stage):
        asked = asyncio.create_task(discard(client, "broken"))
        ended = """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()
        """
        await until(lambda: stage.rows(ended))
        assert (await asked).status_code == 503
    told = await discard(client, "broken")
    assert told.status_code == 409
    assert "not known" in told.json()["detail"]


async def test_a_write_whose_answer_is_not_kept_is_answered_all_the_same(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await dead_letter(stage)
    async with held(stage) as release:
        asked = asyncio.create_task(discard(client, "unkept"))
        await until(lambda: stage.value("SELECT count(*) FROM written_once"))
        await stage.run("ALTER TABLE written_once RENAME TO elsewhere")
        await release()
        assert (await asked).json() == {"count": 1}
    await stage.run("ALTER TABLE elsewhere RENAME TO written_once")
    assert (await discard(client, "unkept")).status_code == 409


@asynccontextmanager
async def held(stage: Stage) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let every writer of items wait until what is given is called, or the block ends."""
    async with stage.database.apart() as conn:
        await conn.execute("BEGIN")
        await conn.execute("LOCK TABLE fetch_job IN SHARE MODE")
        yield lambda: _roll_back(conn)
        await conn.execute("ROLLBACK")


async def _roll_back(conn: Conn) -> None:
    await conn.execute("ROLLBACK")


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
