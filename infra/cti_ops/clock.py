"""Time, so that tests wait for nothing."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from cti_ops.errors import OpsError

Found = TypeVar("Found")


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> datetime:
        """Return this moment."""

    def sleep(self, seconds: float) -> None:
        """Return after so long."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return this moment."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Return after so long."""
        time.sleep(seconds)


def wait_for(
    clock: Clock, ask: Callable[[], Found | None], *, every: float, most: float, late: str
) -> Found:
    """Return what `ask` finds as soon as it is something. Raises OpsError saying `late`."""
    begun = clock.now()
    while (found := ask()) is None:
        if (clock.now() - begun).total_seconds() >= most:
            raise OpsError(late)
        clock.sleep(every)
    return found


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
