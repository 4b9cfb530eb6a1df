"""Worker processes like those of production, started anew whenever one ends."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ctiscraper.tasks.run import COMMAND

Process = subprocess.Popen[bytes]


class Crew:
    """As many workers as there are `environments`, each with what its own adds to ours."""

    def __init__(
        self, order: bytes, environments: Sequence[Mapping[str, str]], log: Path | None = None
    ) -> None:
        self._order = order
        self._log = log
        self._environments = environments
        self._places: list[Process | None] = [None] * len(environments)
        self.ended = 0

    @property
    def workers(self) -> list[Process]:
        """The processes, those that ended since the last `fill` among them."""
        return [worker for worker in self._places if worker is not None]

    def fill(self) -> None:
        """Start a worker in each place that has none."""
        for place, worker in enumerate(self._places):
            if worker is not None and worker.poll() is None:
                continue
            if worker is not None:
                self.ended += 1
                _close(worker)
            self._places[place] = self._started(self._environments[place])

    def _started(self, environment: Mapping[str, str]) -> Process:
        with (self._log or Path(os.devnull)).open("ab") as said:
            worker = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stderr=said, env={**os.environ, **environment}
            )
        assert worker.stdin is not None
        worker.stdin.write(self._order)
        worker.stdin.flush()
        return worker

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
            _close(worker)


def _close(worker: Process) -> None:
    assert worker.stdin is not None
    worker.stdin.close()


@contextmanager
def crew_of(
    order: bytes,
    size: int = 1,
    environments: Sequence[Mapping[str, str]] | None = None,
    log: Path | None = None,
) -> Iterator[Crew]:
    """Run workers; what they say is added to `log`, or lost without one."""
    crew = Crew(order, environments or [{}] * size, log)
    try:
        yield crew
    finally:
        crew.end()
