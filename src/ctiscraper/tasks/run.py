"""The entry of a worker process: its orders, its event loop, its signals and its end."""

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from io import FileIO

import msgspec
import structlog

from ctiscraper.allocator import give_back_free_pages, give_back_large_blocks
from ctiscraper.bootstrap import open_services
from ctiscraper.config import Settings, with_passwords
from ctiscraper.db.server import read_server
from ctiscraper.errors import CTIScraperError, SettingsError
from ctiscraper.garbage import leave_out_what_stays
from ctiscraper.loop import run_async
from ctiscraper.tasks.bell import bell_of
from ctiscraper.tasks.work import WAKEABLE_SECONDS, Tally, Worker
from ctiscraper.telemetry import configure_logs
from ctiscraper.types import Tier

# How long a worker whose parent is gone may still take; after that it ends whatever it does.
ORPHAN_SECONDS = 10.0
ORPHANED = 70
# A worker that did not look for work for so long is wedged, whatever its process seems to do.
SILENT_SECONDS = 30.0
TRIM_SECONDS = 20.0
# Standard output: the parent reads it for signs of life.
PULSE = 1
# What starts a worker process that then reads its order.
COMMAND = (sys.executable, "-m", "ctiscraper.tasks.run")
# A statement takes milliseconds; each further connection costs memory and a first time of its own.
CONNECTIONS = 2
SERVICE = "ctiscraper-worker"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What a worker process is told by its parent, over a pipe: nothing of it is on view in `ps`.

    `settings` are the parent's, as plain values.
    """

    conninfo: str
    settings: Mapping[str, object] = field(default_factory=dict)
    once: bool = False
    source_id: int | None = None
    tiers: tuple[Tier, ...] = ()


def write_order(
    conninfo: str,
    settings: Settings,
    *,
    once: bool = False,
    source_id: int | None = None,
    tiers: Sequence[Tier] = (),
) -> bytes:
    """Return an order as the one line that a worker reads first."""
    order = WorkOrder(
        conninfo=conninfo,
        settings=settings.model_dump(mode="json"),
        once=once,
        source_id=source_id,
        tiers=tuple(tiers),
    )
    return msgspec.json.encode(order) + b"\n"


def read_order(stream: FileIO) -> WorkOrder:
    """Return the order on the first line of a stream. Raises SettingsError."""
    try:
        return msgspec.json.decode(stream.readline(), type=WorkOrder)
    except msgspec.DecodeError as error:
        raise SettingsError(
            "this is how 'ctiscraper up' starts its workers, with an order on standard input: "
            "by hand, run 'ctiscraper worker'"
        ) from error


def settings_of(order: WorkOrder) -> tuple[WorkOrder, Settings]:
    """Return an order with the settings in it, and passwords as they are now.

    Raises SettingsError.
    """
    # All of them, those that are None too: the environment has been read by the parent.
    settings = Settings.model_validate(order.settings)
    if settings.database_password_file or settings.redis_password_file:
        # The parent wrote its order when it began: they may have been renewed since.
        settings = with_passwords(settings)
    if settings.database_password_file and settings.database_url:
        order = replace(order, conninfo=settings.database_url)
    return order, settings


async def work(settings: Settings, order: WorkOrder, *, pulse: int | None = None) -> Tally:
    """Work until a signal says stop, or with `once` until nothing is due; give what was done.

    With the file number `pulse` a byte goes there every second for as long as all is well.
    """
    # Before there is a thread: those that have heaps of their own by then keep them.
    give_back_large_blocks()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            open_services(settings, order.conninfo, connections=CONNECTIONS, service=SERVICE)
        )
        worker = Worker(services, once=order.once, source_id=order.source_id, tiers=order.tiers)
        if settings.redis_url is not None and not order.once:
            await _hear_the_bell(stack, settings, worker)
        for watch in (_stop_when(stopping, worker), _show_life(worker, pulse), _stay_small()):
            stack.callback(asyncio.create_task(watch).cancel)
        return await worker.run()


async def _hear_the_bell(stack: AsyncExitStack, settings: Settings, worker: Worker) -> None:
    """Let the bell wake a worker, which then looks by itself less often."""
    # Celery costs 30 MB: only workers that listen to it carry it.
    ears = await asyncio.to_thread(importlib.import_module, "ctiscraper.tasks.ears")
    worker.bell = bell_of(settings)
    worker.idle_seconds = WAKEABLE_SECONDS
    stack.push_async_callback(worker.bell.aclose)
    await stack.enter_async_context(ears.Ears(settings, worker.serve, worker.tiers))


async def _show_life(worker: Worker, pulse: int | None) -> None:
    """Tell the parent every second that this worker is well; a wedged one falls silent."""
    if pulse is None:
        return
    os.set_blocking(pulse, False)
    while True:
        give_sign(worker, pulse)
        await asyncio.sleep(1.0)


def give_sign(worker: Worker, pulse: int) -> None:
    """Write a sign of life to a file, if the worker is well."""
    if worker.silence < SILENT_SECONDS:
        show_parent_life(pulse)


def show_parent_life(pulse: int = PULSE) -> None:
    """Write a sign of life to the parent; one that does not read is no reason to wait for it."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(pulse, b".")


def give_back_what_is_free() -> None:
    """Give the system the pages of whatever nobody holds, rings of objects among it.

    By itself Python looks for old rings when there is a quarter more than at the last look: with
    all that a worker has loaded those are tens of megabytes that come and go.
    """
    gc.collect()
    give_back_free_pages()


async def _stay_small() -> None:
    """Give back now and then what large answers left behind."""
    leave_out_what_stays()
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(give_back_what_is_free)


async def _stop_when(stopping: asyncio.Event, worker: Worker) -> None:
    await stopping.wait()
    worker.stop()


def work_ordered(stream: FileIO) -> Tally:
    """Work as the parent at the other end of `stream` says, until it says stop or is gone.

    The stream must be unbuffered: a thread waits in it until the process ends.

    Raises SettingsError and StorageError.
    """
    order, settings = settings_of(read_order(stream))
    configure_logs(json=settings.json_logs, level=settings.log_level or "info")
    end_with_parent(stream)
    return run_async(_work_on(order, settings))


async def _work_on(order: WorkOrder, settings: Settings) -> Tally:
    # Asked once before the pool does, so that a database that is away is named at once.
    by_file = settings.database_password_file is not None
    await read_server(order.conninfo, password_in_file=by_file)
    return await work(settings, order, pulse=PULSE)


def end_with_parent(stream: FileIO) -> None:
    """Stop when the pipe from the parent ends, which it does however the parent ended."""

    def watch() -> None:
        while stream.read(64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_SECONDS)
        # Only a wedged process is still here.
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main() -> None:
    """Be a worker process."""
    configure_logs()
    try:
        work_ordered(FileIO(0, closefd=False))
    except CTIScraperError as error:
        log.error("worker_failed", error=str(error))  # noqa: TRY400 - the message names cause and way out
        sys.exit(1)


if __name__ == "__main__":
    main()
