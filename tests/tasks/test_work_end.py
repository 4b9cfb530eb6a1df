"""How a worker ends, whatever its tasks are at."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from ctiscraper.db.session import Database
from ctiscraper.tasks.work import Worker
from patience import until
from tasks.test_work import Yard


@pytest_asyncio.fixture
async def yard(database: str, tmp_path: Path) -> AsyncIterator[Yard]:
    async with Database(database) as opened:
        yield Yard(opened, folder=tmp_path)


async def test_a_cancellation_that_is_lost_keeps_no_worker_from_its_end(yard: Yard) -> None:
    await yard.hold("one.example", 1)
    yard.script.lost = 2
    worker = Worker(yard.services)
    running = asyncio.create_task(worker.run())
    await until(lambda: _came(lambda: bool(yard.script.done) and yard.script.linking))
    worker.stop()
    await asyncio.wait_for(running, 30)
    assert yard.script.lost == 0
    assert await yard.nothing_held()


async def _came(holds: Callable[[], bool]) -> bool:
    return holds()
