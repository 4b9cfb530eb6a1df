"""`worker`: the worker processes of one machine, for a service supervisor."""

from typing import Annotated

import typer

from ctiscraper.bootstrap import check_worker_settings
from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data, Workers
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.loop import run_async
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.pulse import Pulse
from ctiscraper.tasks.run import COMMAND, write_order
from ctiscraper.types import Tier

Tiers = Annotated[
    list[Tier] | None,
    typer.Option(
        "--tier", help="Serve sources of this tier only; may be repeated.", show_default=False
    ),
]


def worker(data: Data = None, workers: Workers = None, tier: Tiers = None) -> None:
    """Run workers until told to stop. With REDIS_URL the bell wakes them, else they look."""
    settings = settings_for(data, workers=workers)
    check_worker_settings(settings)
    run_async(_work(settings, tuple(tier or ())))


async def _work(settings: Settings, tiers: tuple[Tier, ...]) -> None:
    async with open_ready_engine(settings) as engine:
        order = write_order(engine.conninfo, settings, tiers=tiers)
        crew = Crew(COMMAND, order, settings.workers, None)
        await until_signal(_run(crew, Pulse(settings.pulse_file)))


async def _run(crew: Crew, pulse: Pulse) -> int:
    async with crew:
        await pulse.keep(lambda: bool(crew.pids))
    return 0
