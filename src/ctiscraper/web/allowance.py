"""How often somebody may ask for something that costs others: so many times in so long."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from time import monotonic

_CALLERS_MOST = 10_000


class Allowance:
    """At most `most` takings within `seconds`, for each caller, in this process."""

    def __init__(
        self, most: int, seconds: float, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self.most = most
        self._seconds = seconds
        self._clock = clock
        self._taken: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def take(self, caller: Hashable) -> float:
        """Return 0 when the caller may, else the seconds until he may again."""
        now = self._clock()
        taken = self._taken.setdefault(caller, deque())
        self._taken.move_to_end(caller)
        if len(self._taken) > _CALLERS_MOST:
            self._taken.popitem(last=False)
        while taken and taken[0] <= now - self._seconds:
            taken.popleft()
        if len(taken) >= self.most:
            return max(1.0, taken[0] + self._seconds - now)
        taken.append(now)
        return 0.0
