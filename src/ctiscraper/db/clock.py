"""The database's clock, as a process without a clock of its own can tell it."""

import time
from datetime import datetime, timedelta


class ServerClock:
    """The server's time: as it last told it, and what has passed since on no calendar."""

    def __init__(self) -> None:
        self._told: datetime | None = None
        self._at = 0.0

    def set(self, moment: datetime) -> None:
        """Note what the server's clock shows now."""
        self._told, self._at = moment, time.monotonic()

    def __call__(self) -> datetime:
        """Return the server's time; the database must have been opened before."""
        assert self._told is not None, "a connection was made first"
        return self._told + timedelta(seconds=time.monotonic() - self._at)
