"""The publisher: lines on time, whatever becomes of the database."""

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs

import make
from ctiscraper.db.session import Database
from ctiscraper.emf import MetricPlace
from ctiscraper.tasks.publish import publish
from db.stage import Stage
from test_emf import faults

PLACE = MetricPlace(namespace="CTIScraper", environment="test")


class Lines:
    """What was written, to be waited for."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def write(self, line: str) -> None:
        self._queue.put_nowait(line)

    async def until(self, **wanted: object) -> dict[str, Any]:
        """The next document with these values; every one on the way keeps to the format."""
        async with asyncio.timeout(60):
            while True:
                document: dict[str, Any] = json.loads(await self._queue.get())
                assert faults(document) == []
                if wanted.items() <= document.items():
                    return document


@asynccontextmanager
async def published(conninfo: str) -> AsyncIterator[Lines]:
    lines = Lines()
    task = asyncio.create_task(publish(conninfo, PLACE, every=0.02, write=lines.write))
    try:
        yield lines
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_depth_of_the_queue_is_published_while_it_changes(database: str) -> None:
    async with Database(database, size=2) as opened, published(database) as lines:
        stage = Stage(opened)
        whole = await lines.until(QueueDepth=0)
        assert whole["DatabaseReachable"] == whole["DatabaseWritable"] == 1
        await stage.announce([make.announced(f"https://acme.example/{n}") for n in range(3)])
        tier = await lines.until(Tier="standard", ItemsDue=3)
        assert tier["InFlight"] == 0
        await stage.claim()
        await lines.until(Tier="standard", ItemsDue=2, InFlight=1)


async def test_it_does_not_wait_behind_the_backlog(database: str) -> None:
    """Items wait, no worker runs, and a transaction holds every one of them."""
    async with Database(database, size=2) as opened:
        stage = Stage(opened)
        await stage.announce([make.announced(f"https://acme.example/{n}") for n in range(500)])
        async with opened.transaction() as conn:
            await conn.execute("SELECT 1 FROM fetch_job FOR UPDATE")
            async with published(database) as lines:
                await lines.until(Tier="standard", ItemsDue=500)


async def test_an_outage_is_published_logged_and_outlived(database: str, postgres: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    with psycopg.connect(make_conninfo(postgres), autocommit=True) as admin, capture_logs() as log:
        async with published(database) as lines:
            await lines.until(DatabaseReachable=1)
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (conninfo_to_dict(database)["dbname"],),
            )
            away = await lines.until(DatabaseReachable=0)
            assert "QueueDepth" not in away
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
            await lines.until(DatabaseReachable=1)
    assert {entry["event"] for entry in log} >= {"database_unreachable"}


class Output(io.StringIO):
    """A standard output that tells when a whole look has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = asyncio.Event()

    def flush(self) -> None:
        if self.getvalue().count("\n") == 4:
            self.looked.set()


async def test_lines_go_to_standard_output(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    task = asyncio.create_task(publish(database, PLACE, every=60))
    async with asyncio.timeout(30):
        await output.looked.wait()
    task.cancel()
    await asyncio.wait({task})
    documents = [json.loads(line) for line in output.getvalue().splitlines()]
    tiers = [document.get("Tier") for document in documents]
    assert tiers == [None, "premium", "standard", "basic"]
