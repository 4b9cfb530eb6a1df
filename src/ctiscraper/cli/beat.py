"""`beat`: the process that rings the bell for all workers, and sees to upkeep and metrics."""

from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.pulse import Pulse
from ctiscraper.tasks.rounds import go_round


def beat(data: Data = None) -> None:
    """Ring the bell on Redis every few seconds until told to stop; more than one does no harm."""
    run_async(until_signal(_beat(settings_for(data))))


async def _beat(settings: Settings) -> int:
    async with (
        open_ready_engine(settings) as engine,
        Beat(settings) as ringing,
        alongside(go_round(settings, engine.conninfo, metrics=True)) as rounds,
        alongside(ringing.watch()) as watched,
        alongside(
            Pulse(settings.pulse_file).keep(lambda: ringing.well and not rounds.done())
        ) as told,
    ):
        await until_one_ends(rounds, watched, told)
    return 0
