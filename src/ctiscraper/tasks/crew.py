"""The worker processes of one parent: started, watched over, started again, ended."""

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import structlog

from ctiscraper.loop import to_its_end

log = structlog.get_logger()

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A worker that lived this long was well: the next end is not counted with the last.
STEADY_SECONDS = 60.0
# The time that a worker has from SIGTERM to SIGKILL.
STOP_SECONDS = 10.0
# Until its first sign of life a worker loads its parsers and waits for its database.
START_SECONDS = 120.0
# Together with the silence that a worker itself calls wedged this makes less than a minute.
PULSE_SECONDS = 25.0
LOG_LIMIT = 8 * 1024 * 1024
# Of processes, memory or files there are too few for a while.
_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


@dataclass(slots=True)
class Crew:
    """`size` worker processes of one command line, each told `order` on its standard input.

    With `once` a worker that ends well is done; else, and after any other end, it is started
    again, later each time. A worker that shows no life on its standard output for `pulse_seconds`
    is ended; None asks for no sign of life. `environment` takes the place of ours. What the
    workers say goes to the end of `log_file`, or without one to where we say things.
    """

    command: Sequence[str]
    order: bytes
    size: int
    log_file: Path | None
    once: bool = False
    pulse_seconds: float | None = PULSE_SECONDS
    environment: Mapping[str, str] | None = None
    restarts: int = 0
    _places: list[asyncio.Task[None]] = field(default_factory=list)
    _processes: set[asyncio.subprocess.Process] = field(default_factory=set)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process numbers of the workers that run."""
        return tuple(process.pid for process in self._processes)

    async def __aenter__(self) -> Self:
        """Start the workers, and give the crew."""
        log_file = self.log_file
        if log_file is not None and log_file.exists() and log_file.stat().st_size > LOG_LIMIT:
            log_file.replace(log_file.with_suffix(".log.1"))
        self._places = [asyncio.create_task(self._fill_place()) for _ in range(self.size)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the workers, by force those that do not, whoever is cancelled meanwhile."""
        await to_its_end(self._end_all())

    async def _end_all(self) -> None:
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)
        await asyncio.gather(*map(_end, list(self._processes)))
        self._processes.clear()

    async def finished(self) -> None:
        """Return when every worker of a single round is done."""
        await asyncio.gather(*self._places)

    async def _fill_place(self) -> None:
        """Keep one worker running."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            try:
                code = await self.run_one()
            except OSError as error:
                if self.once and error.errno not in _PASSING:
                    raise
                log.warning("worker_not_started", detail=str(error), again_in=pause)
            else:
                if self.once and code == 0:
                    return
                log.warning("worker_ended", code=code, again_in=pause, log=str(self.log_file or ""))
            if loop.time() - began >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            self.restarts += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def run_one(self) -> int:
        """Return the code with which a new worker ended, watched over as the others are."""
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(_for_us_alone(self.log_file)) if self.log_file else None
            process = await self._start(sink)
        self._processes.add(process)
        # When this is cancelled the process stays in the set, to be ended with the others.
        await self._watch(process)
        code = await process.wait()
        self._processes.discard(process)
        return code

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Return when a worker ends; one that falls silent is ended, as its process is no proof."""
        assert process.stdout is not None, "asked for a pipe"
        first = None if self.pulse_seconds is None else max(START_SECONDS, self.pulse_seconds)
        patience = first
        while True:
            try:
                async with asyncio.timeout(patience):
                    if not await process.stdout.read(64):
                        return
            except TimeoutError:
                log.warning("worker_wedged", pid=process.pid, silent_for=patience)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return
            patience = self.pulse_seconds

    async def _start(self, sink: BinaryIO | None) -> asyncio.subprocess.Process:
        """Start a worker and give it its order; the pipe stays open as long as we live."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            env=self.environment,
            # Ctrl-C on the terminal is for the parent, who ends the workers in order.
            start_new_session=True,
        )
        assert process.stdin is not None, "asked for a pipe"
        process.stdin.write(self.order)
        return process


def _for_us_alone(log_file: Path) -> BinaryIO:
    """Return a log to add to, which no other user of this machine can read."""
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with contextlib.suppress(PermissionError):
        # One that somebody else has made is his to close.
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process: gently, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
