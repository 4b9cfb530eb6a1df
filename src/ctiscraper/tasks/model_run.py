"""The entry of a process that asks models: its order, its signals, its sign of life, its end."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from io import FileIO

import structlog

from ctiscraper.analyses import Asking
from ctiscraper.bootstrap import model_server
from ctiscraper.config import Settings
from ctiscraper.db.session import Database
from ctiscraper.detecting import Detections, open_sandbox
from ctiscraper.errors import CTIScraperError, SettingsError
from ctiscraper.http.task_agent import TaskAgent
from ctiscraper.loop import alongside, run_async
from ctiscraper.model_use import model_use
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.modelling import ModelWorker, unprotected
from ctiscraper.tasks.run import (
    PULSE,
    SILENT_SECONDS,
    STOP_SIGNALS,
    end_with_parent,
    read_order,
    settings_of,
    show_parent_life,
    write_order,
)
from ctiscraper.telemetry import configure_logs
from ctiscraper.tracing import exporting

SERVICE = "ctiscraper-models"
COMMAND = (sys.executable, "-m", "ctiscraper.tasks.model_run")
# Claims, renewals and answers are short and rare.
CONNECTIONS = 3

log = structlog.get_logger()

Sign = Callable[[], None]


async def ask_models(
    settings: Settings, conninfo: str, *, once: bool = False, sign: Sign | None = None
) -> int:
    """Ask models until a signal says stop, or with `once` until nothing may be asked.

    Returns how many texts that were. `sign` is called every second for as long as all is well.
    Raises SettingsError, also as its first call does, and StorageError.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(exporting(settings.collector(SERVICE)))
        worker = await _open_worker(stack, settings, conninfo, once=once)
        await stack.enter_async_context(alongside(_stop_when(stopping, worker)))
        if sign is not None:
            # What can never be shown ends it here, where somebody hears of it.
            sign()
            await stack.enter_async_context(alongside(_show_life(worker, sign)))
        return await worker.run()


async def _open_worker(
    stack: AsyncExitStack, settings: Settings, conninfo: str, *, once: bool
) -> ModelWorker:
    # When the server is let alone stands in the database, for all workers alike.
    use, server = model_use(settings), model_server(settings, breaks=False)
    if use is None or server is None:
        raise SettingsError(
            "no model is configured: set CTISCRAPER_MODEL_URL and CTISCRAPER_MODEL; "
            "without a model nothing needs this worker"
        )
    stack.push_async_callback(server.close)
    protect = unprotected
    if settings.ecs_agent_uri:
        agent = await stack.enter_async_context(TaskAgent(settings.ecs_agent_uri))
        protect = agent.protect
    database = await stack.enter_async_context(
        Database(conninfo, size=CONNECTIONS, password_file=settings.database_password_file)
    )
    # Nothing of it runs before somebody asks for rules.
    sandbox = open_sandbox()
    stack.push_async_callback(sandbox.aclose)
    detections = Detections(database, sandbox)
    return ModelWorker(
        Asking(database, server, use, ask_for_rules=detections.rules_by_model),
        lease_seconds=settings.lease_seconds,
        once=once,
        protect=protect,
    )


def model_crew(settings: Settings, conninfo: str) -> Crew:
    """Return the one process that asks models, for a parent that watches over it."""
    order = write_order(conninfo, settings)
    return Crew(COMMAND, order, 1, settings.data_dir / "models.log")


async def _stop_when(stopping: asyncio.Event, worker: ModelWorker) -> None:
    await stopping.wait()
    worker.stop()


async def _show_life(worker: ModelWorker, sign: Sign) -> None:
    while True:
        if worker.silence < SILENT_SECONDS:
            sign()
        await asyncio.sleep(1.0)


def main() -> None:
    """Be the process that asks models, as the parent at standard input says."""
    configure_logs()
    try:
        stream = FileIO(0, closefd=False)
        order, settings = settings_of(read_order(stream))
        configure_logs(json=settings.json_logs, level=settings.log_level or "info")
        end_with_parent(stream)
        os.set_blocking(PULSE, False)
        run_async(ask_models(settings, order.conninfo, once=order.once, sign=show_parent_life))
    except CTIScraperError as error:
        log.error("model_worker_failed", error=str(error))  # noqa: TRY400 - the message names cause and way out
        sys.exit(1)


if __name__ == "__main__":
    main()
