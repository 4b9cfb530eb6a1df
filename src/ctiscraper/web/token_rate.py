"""How often a token may ask: so many requests in any minute, counted by each process."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST = 600
SECONDS = 60.0
# Beyond so many the one that was silent longest is forgotten.
TOKENS_MOST = 1_000


class TokenRate:
    """The requests of the last minute, by token."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, token_id: str) -> int:
        """Return the seconds until this token may ask; 0 lets it ask now, and counts it.

        What is refused is not counted: whoever waits as told is let in.
        """
        now = self._clock()
        asked = self._asked.setdefault(token_id, deque())
        self._asked.move_to_end(token_id)
        while len(self._asked) > TOKENS_MOST:
            self._asked.popitem(last=False)
        while asked and asked[0] <= now - SECONDS:
            asked.popleft()
        if len(asked) >= self._most:
            return max(1, math.ceil(asked[0] + SECONDS - now))
        asked.append(now)
        return 0
