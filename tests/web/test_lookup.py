"""Many values at once: lists, texts, spellings, limits."""

import csv
import io

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.intelligence import Extractor, Verdict
from db import claimed
from db.stage import Stage


@pytest.fixture
async def stage(app: FastAPI) -> Stage:
    stage = Stage(app.state.services.database)
    await claimed.article(
        stage, "one", claimed.mention("evil.org", verdict=Verdict.MALICIOUS),
        claimed.mention("cdn.org", verdict=Verdict.BENIGN),
        claimed.mention("S0367", "malware", name="Emotet", verdict=None, extractor=Extractor.NAMES),
        claimed.mention("T1059", "technique", verdict=None, extractor=Extractor.NAMES),
    )  # fmt: skip
    return stage


@pytest.mark.usefixtures("stage")
async def test_values_are_understood_in_any_spelling(client: httpx2.AsyncClient) -> None:
    given = ["evil[.]org", "cdn.org", "EMOTET", "203.0.113[.]9", "no such thing", "T1059", ""]
    report = (await client.post("/api/v1/lookup", json={"values": given})).json()
    assert [(one["given"], one["kind"], one["state"]) for one in report["answers"]] == [
        ("evil[.]org", "domain", "known"),
        ("cdn.org", "domain", "benign"),
        ("EMOTET", "malware", "known"),
        ("203.0.113[.]9", "ipv4", "unknown"),
        ("no such thing", "", "unknown"),
        ("T1059", "technique", "known"),
    ]
    assert (report["known"], report["benign"], report["unknown"]) == (3, 1, 2)
    assert report["answers"][0]["entity"]["articles"] == 1


@pytest.mark.usefixtures("stage")
async def test_a_text_is_looked_through(client: httpx2.AsyncClient) -> None:
    log = "GET hxxp://evil[.]org/a 200\nquery evil.org from 10.0.0.1\nquery evil.org again\n"
    as_json = (await client.post("/api/v1/lookup", json={"text": log})).json()
    plain = await client.post(
        "/api/v1/lookup", content=log.encode(), headers={"content-type": "text/plain"}
    )
    assert plain.json() == as_json
    assert [(one["kind"], one["value"], one["state"]) for one in as_json["answers"]] == [
        ("url", "http://evil.org/a", "unknown"),
        ("domain", "evil.org", "known"),
        ("ipv4", "10.0.0.1", "unknown"),
    ]


@pytest.mark.usefixtures("stage")
async def test_the_answer_comes_as_csv(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/lookup?format=csv&values=defanged", json={"values": ["evil.org", "=1+1"]}
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["given"], row["value"], row["verdict"]) for row in rows] == [
        ("evil.org", "evil[.]org", "malicious"),
        ("'=1+1", "'=1+1", ""),
    ]


async def test_more_than_is_taken_is_told(client: httpx2.AsyncClient) -> None:
    values = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(10_001)]
    listed = await client.post("/api/v1/lookup", json={"values": values})
    assert listed.status_code == 422
    assert "10000" in listed.json()["errors"][0]["message"]
    text = await client.post("/api/v1/lookup", json={"text": " ".join(values)})
    assert text.status_code == 422
    assert "10,001 different values were given, at most 10,000" in text.json()["detail"]
    most = await client.post("/api/v1/lookup", json={"values": values[:-1]})
    assert (most.status_code, most.json()["unknown"]) == (200, 10_000)
    large = await client.post("/api/v1/lookup", json={"text": "x" * 8_000_001})
    assert large.status_code == 413
    assert "8,000,000 bytes" in large.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"values": ["a"], "text": "b"}',
        b"{}",
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"values": ' + b"[" * 900 + b"]" * 900 + b"}", id="less deep"),
    ],
)
async def test_a_question_that_is_none_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/v1/lookup", content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
