"""A sign of life in a file, for whoever supervises this process from outside."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from ctiscraper.errors import SettingsError

BEAT_SECONDS = 5.0

log = structlog.get_logger()


class Pulse:
    """A file that says when its process last was well; without a path nothing is written.

    It needs no database: an outage of that must not end every worker. What is written is the
    machine's monotonic clock, which nobody sets.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._was_written = self._is_failing = False

    def beat(self) -> None:
        """Say that this process is well. Raises SettingsError where the file never was written.

        One that was may be so again, as once a full disk has room: until then it is said in the
        log, where whoever ends this process for its silence finds why.
        """
        if self._file is None:
            return
        try:
            _write(self._file)
        except OSError as error:
            if not self._was_written:
                raise SettingsError(
                    f"CTISCRAPER_PULSE_FILE cannot be written: {error}; name a file in a folder "
                    "that this process may write to"
                ) from error
            if not self._is_failing:
                log.error("pulse_not_written", detail=str(error))  # noqa: TRY400 - tried again
            self._is_failing = True
        else:
            self._was_written, self._is_failing = True, False

    def age(self) -> float | None:
        """Return how many seconds ago the process was well, None when that cannot be read."""
        if self._file is None:
            return None
        try:
            then = int(self._file.read_bytes())
        except (OSError, ValueError):
            return None
        # A pulse of before the machine's last start counts as none.
        age = (time.monotonic_ns() - then) / 1e9
        return age if age >= 0 else None

    async def keep(self, is_well: Callable[[], bool] = lambda: True) -> None:
        """Go on saying so for as long as it is; returns only by being cancelled."""
        while True:
            if is_well():
                self.beat()
            await asyncio.sleep(BEAT_SECONDS)


def _write(file: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o600)
    try:
        # One short write over the last: a reader sees either.
        os.pwrite(descriptor, b"%020d\n" % time.monotonic_ns(), 0)
    finally:
        os.close(descriptor)
