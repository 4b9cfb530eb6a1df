"""How often somebody may ask, counted in this process."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

# Those who asked longest ago are forgotten beyond so many.
MOST_KEYS = 10_000


class Allowance:
    """So many requests in so many seconds by each key."""

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._seconds = seconds
        self._clock = clock
        self._asked: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Return 0 where one more is allowed, which then counts; else the seconds until one is."""
        now = self._clock()
        times = self._asked.pop(key, None) or deque()
        while times and now - times[0] >= self._seconds:
            times.popleft()
        self._asked[key] = times
        while len(self._asked) > MOST_KEYS:
            self._asked.popitem(last=False)
        if len(times) >= self.most:
            return self._seconds - (now - times[0])
        times.append(now)
        return 0.0
