"""A breaker: who failed several times in a row is let alone for a while, then tried once."""

from collections.abc import Callable
from dataclasses import dataclass, field

FAILURES = 5
FIRST_PAUSE = 15.0
LONGEST_PAUSE = 300.0


@dataclass(slots=True)
class Breaker:
    """Opens after `failures` in a row; each probe that fails doubles the pause.

    `clock` gives seconds that never go back.
    """

    clock: Callable[[], float]
    failures: int = FAILURES
    first_pause: float = FIRST_PAUSE
    longest_pause: float = LONGEST_PAUSE
    _in_a_row: int = 0
    _pause: float = 0.0
    _closed_until: float = field(default=float("-inf"))
    _probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nobody is let through now, unless it be one who tries."""
        return self._in_a_row >= self.failures

    def wait(self) -> float:
        """Return for how many seconds nobody may ask; 0 lets one through, to `tell` or `forget`."""
        if not self.is_open:
            return 0.0
        left = self._closed_until - self.clock()
        if left > 0:
            return left
        if self._probing:
            return self.first_pause
        self._probing = True
        return 0.0

    def tell(self, *, well: bool) -> None:
        """Take how it went for one who was let through."""
        self._probing = False
        if well:
            self._in_a_row, self._pause = 0, 0.0
            return
        self._in_a_row += 1
        if self.is_open:
            doubled = min(self._pause * 2, self.longest_pause)
            self._pause = doubled or self.first_pause
            self._closed_until = self.clock() + self._pause

    def forget(self) -> None:
        """Take that one who was let through gave up by himself."""
        self._probing = False
