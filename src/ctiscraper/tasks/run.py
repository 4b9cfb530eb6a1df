"""The entry of a worker process: its orders, its event loop, its signals and its end."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from io import FileIO
from typing import TypeVar

import msgspec
import structlog

from ctiscraper.bootstrap import open_services
from ctiscraper.config import Settings, load_settings
from ctiscraper.errors import CTIScraperError, SettingsError
from ctiscraper.tasks.work import Tally, Worker
from ctiscraper.telemetry import configure_logs

try:
    import uvloop
except ImportError:
    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _new_loop = uvloop.new_event_loop

# How long a worker whose parent is gone may still take; after that it ends whatever it does.
ORPHAN_SECONDS = 10.0
ORPHANED = 70
# What starts a worker process that then reads its order.
COMMAND = (sys.executable, "-m", "ctiscraper.tasks.run")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = structlog.get_logger()

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What a worker process is told by its parent, over a pipe: nothing of it is on view in `ps`.

    `settings` are the parent's, as plain values.
    """

    conninfo: str
    settings: Mapping[str, object]
    once: bool = False


def write_order(conninfo: str, settings: Settings, *, once: bool) -> bytes:
    """Return an order as the one line that a worker reads first."""
    order = WorkOrder(conninfo=conninfo, settings=settings.model_dump(mode="json"), once=once)
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


def run_async(main: Coroutine[object, object, Value]) -> Value:
    """Return what a coroutine gives, run in the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(main)


async def work(settings: Settings, conninfo: str, *, once: bool = False) -> Tally:
    """Work until a signal says stop, or with `once` until nothing is due; give what was done."""
    async with open_services(settings, conninfo) as services:
        worker = Worker(services, once=once)
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, worker.stop)
        return await worker.run()


def work_ordered(stream: FileIO) -> Tally:
    """Work as the parent at the other end of `stream` says, until it says stop or is gone.

    The stream must be unbuffered: a thread waits in it until the process ends.

    Raises SettingsError and StorageError.
    """
    order = read_order(stream)
    settings = load_settings(**order.settings)
    _end_with_parent(stream)
    return run_async(work(settings, order.conninfo, once=order.once))


def _end_with_parent(stream: FileIO) -> None:
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
    configure_logs(json=True)
    try:
        work_ordered(FileIO(0, closefd=False))
    except CTIScraperError as error:
        log.error("worker_failed", error=str(error))  # noqa: TRY400 - the message names cause and way out
        sys.exit(1)


if __name__ == "__main__":
    main()
