"""How a worker ends, whatever its tasks are at."""

import asyncio
from collections.abc import Callable

from ctiscraper.tasks.work import Worker
from patience import until
from tasks.yard import Yard


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
