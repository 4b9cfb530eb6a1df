"""The worker processes of one parent: started, watched over, started again, ended."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import structlog

log = structlog.get_logger()

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A worker that lived this long was well: the next end is not counted with the last.
STEADY_SECONDS = 60.0
# The time that a worker has from SIGTERM to SIGKILL.
STOP_SECONDS = 10.0
LOG_LIMIT = 8 * 1024 * 1024


@dataclass(slots=True)
class Crew:
    """`size` worker processes of one command line, each told `order` on its standard input.

    With `once` a worker that ends well is done; else, and after any other end, it is started
    again, later each time. What the workers say goes to the end of `log_file`.
    """

    command: Sequence[str]
    order: bytes
    size: int
    log_file: Path
    once: bool = False
    restarts: int = 0
    _places: list[asyncio.Task[None]] = field(default_factory=list)
    _processes: set[asyncio.subprocess.Process] = field(default_factory=set)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process numbers of the workers that run."""
        return tuple(process.pid for process in self._processes)

    async def __aenter__(self) -> Self:
        """Start the workers, and give the crew."""
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self._places = [asyncio.create_task(self._fill_place()) for _ in range(self.size)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers, by force those that do not."""
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
            code = await self._run_one()
            if self.once and code == 0:
                return
            if loop.time() - began >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            self.restarts += 1
            log.warning("worker_ended", code=code, again_in=pause, log=str(self.log_file))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _run_one(self) -> int:
        """Return the code with which a new worker ended."""
        with self.log_file.open("ab") as sink:
            process = await self._start(sink)
        self._processes.add(process)
        # When this is cancelled the process stays in the set, to be ended with the others.
        code = await process.wait()
        self._processes.discard(process)
        return code

    async def _start(self, sink: BinaryIO) -> asyncio.subprocess.Process:
        """Start a worker and give it its order; the pipe stays open as long as we live."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=sink,
            # Ctrl-C on the terminal is for the parent, who ends the workers in order.
            start_new_session=True,
        )
        assert process.stdin is not None, "asked for a pipe"
        process.stdin.write(self.order)
        return process


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process: gently, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
