"""`model-worker`: the process that asks models, for a service supervisor."""

from typing import Annotated

import typer

from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data
from ctiscraper.cli.output import counted, print_lines
from ctiscraper.config import Settings
from ctiscraper.loop import run_async
from ctiscraper.tasks.model_run import ask_models
from ctiscraper.tasks.pulse import Pulse

Once = Annotated[
    bool, typer.Option("--once", help="End once nothing more may be asked, and say how much was.")
]


def model_worker(data: Data = None, once: Once = False) -> None:
    """Ask the configured model about articles until told to stop; it never holds up collection."""
    done = run_async(_ask(settings_for(data), once=once))
    if once:
        print_lines([f"{counted(done, 'text')} asked about."])


async def _ask(settings: Settings, *, once: bool) -> int:
    async with open_ready_engine(settings) as engine:
        pulse = Pulse(settings.pulse_file)
        return await ask_models(settings, engine.conninfo, once=once, sign=pulse.beat)
