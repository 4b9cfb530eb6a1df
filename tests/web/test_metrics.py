"""/metrics: read back by Prometheus's own parser."""

import re
from collections.abc import Mapping

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ctiscraper.db.session import Database
from web.shelf import Shelf

Key = tuple[str, frozenset[tuple[str, str]]]


async def families(client: httpx2.AsyncClient) -> list[Metric]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return list(text_string_to_metric_families(answer.text))


def samples(found: list[Metric]) -> Mapping[Key, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in found
        for sample in family.samples
    }


def key(name: str, **labels: str) -> Key:
    return f"ctiscraper_{name}", frozenset(labels.items())


async def test_the_state_of_the_queue_is_read_back(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.source("acme")
    shelf.run("UPDATE source_state SET next_check_at = now() - interval '3 min'")
    for number in range(3):
        shelf.job("acme", f"https://acme.example/{number}", "pending")
    shelf.job("acme", "https://acme.example/9", "dead", reason="timeout")
    shelf.run("INSERT INTO work_count (minute, lane, stored, refunds) VALUES (now(), 1, 5, 2)")
    nasty = 'a"b\\c\n.example'
    shelf.run(
        "INSERT INTO host (host, open_until, reason) VALUES (%s, now() + interval '9 s', 'dns')",
        (nasty,),
    )
    found = samples(await families(client))
    assert found[key("database_up")] == found[key("schema_current")] == 1
    assert found[key("queue_depth", tier="standard", state="due")] == 3
    assert found[key("queue_depth", tier="premium", state="due")] == 0
    assert found[key("sources_due", tier="standard")] == 1
    assert 180 <= found[key("oldest_waiting_seconds", tier="standard")] < 240
    assert found[key("ended_items", state="dead")] == 1
    assert found[key("items_total", outcome="stored")] == 5
    assert found[key("refunds_total")] == 2
    assert found[key("workers")] == 0
    assert found[key("vector_index")] == 0
    assert found[key("vector_texts", model="", state="waiting")] == 0
    assert found[key("backlog_per_worker")] == 4
    assert 0 < found[key("host_rest_seconds", host=nasty, reason="dns")] <= 9


async def test_names_and_help_keep_to_the_conventions(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.run("INSERT INTO worker_heartbeat (worker, pid) VALUES (gen_random_uuid(), 1)")
    found = await families(client)
    assert len(found) > 25
    for family in found:
        assert re.fullmatch(r"ctiscraper_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
        assert family.type in {"gauge", "counter"}
        assert not re.search(r"_(ms|minutes|kb|kilobytes)$", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
    assert len({family.name for family in found}) == len(found)


async def test_a_database_that_is_away_is_a_metric(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    assert samples(await families(client))[key("database_up")] == 1
    await opened.close()
    app.state.operations.clear()
    app.state.board.forget()
    found = samples(await families(client))
    assert found[key("database_up")] == 0
    assert not any(name.startswith("ctiscraper_queue") for name, _ in found)


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1"])
async def test_only_this_machine_is_answered(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get("/metrics", headers={"host": host})).status_code == 421


async def test_many_who_ask_cost_as_much_as_one(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    before = samples(await families(client))
    shelf.job("acme", "https://acme.example/1", "pending")
    assert samples(await families(client)) == before
