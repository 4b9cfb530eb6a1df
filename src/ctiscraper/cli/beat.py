"""`beat`: the process that sees to upkeep and metrics, and with Redis rings the workers' bell."""

import importlib
from contextlib import AsyncExitStack

import structlog

from ctiscraper.bootstrap import open_raw_store
from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.tasks.pulse import Pulse
from ctiscraper.tasks.rounds import go_round

log = structlog.get_logger()


def beat(data: Data = None) -> None:
    """See to upkeep until told to stop and, with Redis, ring the bell; several do no harm."""
    run_async(until_signal(_beat(settings_for(data))))


async def _beat(settings: Settings) -> int:
    with open_raw_store(settings):
        # One that cannot be had is told before a cluster is made, or its schema changed.
        pass
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_ready_engine(settings))
        bell = None
        if settings.redis_url is None:
            log.info("beat_without_redis", detail="upkeep goes on, and workers look by themselves")
        else:
            # Celery and Redis cost 30 MB: only who rings carries them.
            module = importlib.import_module("ctiscraper.tasks.beat")
            bell = await stack.enter_async_context(module.Beat(settings))
        rounds = await stack.enter_async_context(
            alongside(go_round(settings, engine.conninfo, metrics=True))
        )
        tasks = [rounds]
        if bell is not None:
            tasks.append(await stack.enter_async_context(alongside(bell.watch())))

        def is_well() -> bool:
            return (bell is None or bell.well) and not rounds.done()

        pulse = Pulse(settings.pulse_file)
        tasks.append(await stack.enter_async_context(alongside(pulse.keep(is_well))))
        await until_one_ends(*tasks)
    return 0
