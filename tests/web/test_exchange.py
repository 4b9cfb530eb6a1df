"""Each exchange has an id, a line that says how it was answered, and no more than that."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from ctiscraper.errors import Reason, StorageError
from web.shelf import Shelf


def requests_of(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "request"]


async def lines_for(client: httpx2.AsyncClient, path: str, method: str = "GET") -> list[EventDict]:
    with capture_logs(processors=[merge_contextvars]) as lines:
        await client.request(method, path)
    return lines


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/", "/", 200),
        ("/articles/1", "/articles/{article_id}", 200),
        ("/articles/999", "/articles/{article_id}", 404),
        ("/api/v1/articles/1", "/api/v1/articles/{article_id}", 422),
        ("/api/v1/openapi.json", "/api/v1/openapi.json", 200),
        ("/static/base.css", "/static/*", 200),
        ("/nothing/at/all", "(none)", 404),
    ],
)
async def test_a_line_names_the_route_by_its_pattern(
    client: httpx2.AsyncClient, shelf: Shelf, path: str, route: str, status: int
) -> None:
    shelf.article("one")
    [line] = requests_of(await lines_for(client, f"{path}?token=canary"))
    assert (line["method"], line["route"], line["status"]) == ("GET", route, status)
    assert line["path"] == path
    assert line["log_level"] == "info"
    assert "canary" not in str(line)


async def test_a_change_that_is_refused_has_its_line(client: httpx2.AsyncClient) -> None:
    [line] = requests_of(await lines_for(client, "/theme", "POST"))
    assert (line["method"], line["status"]) == ("POST", 403)


async def test_probes_that_go_well_are_told_to_who_looks_closely(
    client: httpx2.AsyncClient,
) -> None:
    [line] = requests_of(await lines_for(client, "/health/live"))
    assert (line["log_level"], line["route"]) == ("debug", "/health/live")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.DATABASE, "The database does not answer"),
        (Reason.MEMORY, "This machine has too little memory"),
        (Reason.STORAGE, "raw store"),
    ],
)
async def test_what_is_away_is_told_by_its_name_and_no_place_of_the_machine(
    app: FastAPI, client: httpx2.AsyncClient, reason: Reason, said: str
) -> None:
    @app.get("/api/v1/away")
    async def away() -> None:
        raise StorageError(reason, "at /srv/secret/place")

    answer = await client.get("/api/v1/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert said.lower() in answer.json()["detail"].lower()
    assert "secret" not in answer.text


async def test_a_fault_and_its_request_share_their_id(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    @app.get("/fault")
    async def fault() -> None:
        raise ZeroDivisionError

    with capture_logs(processors=[merge_contextvars]) as lines:
        answer = await client.get("/fault")
    assert answer.status_code == 500
    assert [line["event"] for line in lines] == ["web.fault", "request"]
    assert {line["request_id"] for line in lines} == {answer.headers["x-request-id"]}
    assert lines[1]["status"] == 500
    assert get_contextvars() == {}


async def test_an_answer_that_breaks_off_has_its_line(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    @app.get("/breaks")
    async def breaks() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"12345"
            raise ZeroDivisionError

        return StreamingResponse(pieces())

    with capture_logs() as lines, pytest.raises(ZeroDivisionError):
        await client.get("/breaks")
    [line] = requests_of(lines)
    assert (line["status"], line["bytes"]) == (200, 5)
