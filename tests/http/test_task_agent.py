"""The agent of ECS is asked as its documentation says, and nobody else by this way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ctiscraper.errors import FetchError, SettingsError
from ctiscraper.http.task_agent import TaskAgent


@asynccontextmanager
async def agent(status: str) -> AsyncIterator[tuple[str, list[tuple[str, object]]]]:
    asked: list[tuple[str, object]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        asked.append((head.splitlines()[0], json.loads(await reader.readexactly(length))))
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/x", asked


async def test_a_task_is_protected_and_let_go() -> None:
    async with agent("200 OK") as (uri, asked), TaskAgent(uri) as told:
        await told.protect(60)
        await told.protect(0)
    line = "PUT /api/x/task-protection/v1/state HTTP/1.1"
    assert asked == [
        (line, {"ProtectionEnabled": True, "ExpiresInMinutes": 60}),
        (line, {"ProtectionEnabled": False}),
    ]


async def test_an_agent_that_refuses_or_is_away_is_told() -> None:
    async with agent("400 Bad Request") as (uri, _), TaskAgent(uri) as told:
        with pytest.raises(FetchError, match="answered 400"):
            await told.protect(60)
    async with TaskAgent(uri) as told:
        with pytest.raises(FetchError, match="does not answer"):
            await told.protect(60)


@pytest.mark.parametrize(
    "uri", ["http://evil.example/", "https://169.254.170.2/x", "http://169.254.169.254/", "x"]
)
def test_nobody_else_is_asked(uri: str) -> None:
    with pytest.raises(SettingsError, match="ECS_AGENT_URI"):
        TaskAgent(uri)
