"""`worker`: one worker process."""

import asyncio

from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data
from ctiscraper.config import Settings
from ctiscraper.tasks.loop import run_async
from ctiscraper.tasks.pulse import Pulse
from ctiscraper.tasks.run import work


def worker(data: Data = None) -> None:
    """Run one worker process until it is told to stop; for service supervisors."""
    run_async(_work(settings_for(data)))


async def _work(settings: Settings) -> None:
    async with open_ready_engine(settings) as engine:
        pulse = asyncio.create_task(Pulse(settings.pulse_file).keep())
        try:
            await work(settings, engine.conninfo)
        finally:
            pulse.cancel()
