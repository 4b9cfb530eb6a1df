"""How often a token may ask: so many requests in any minute, of all processes together.

Each counts for itself, and once a second tells the others by the database what it has counted: a
statement for each request would cost a third of what the cheapest of them do.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ctiscraper.db.token_use import SLOT_SECONDS, SLOTS, Shared

MOST = 600
SECONDS = 60.0
SHARED_SECONDS = 1.0
# Beyond so many the one that was silent longest is forgotten.
TOKENS_MOST = 1_000


@dataclass(slots=True)
class _Token:
    """What is known of one token: when it asked here, and how often elsewhere."""

    asked: deque[float] = field(default_factory=deque)
    untold: int = 0
    told: deque[tuple[int, int]] = field(default_factory=deque)
    elsewhere: int = 0
    shared_at: float = -math.inf


class TokenRate:
    """The requests of the last minute, by token."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._tokens: OrderedDict[str, _Token] = OrderedDict()

    def to_share(self, token_id: str) -> int | None:
        """Return how many requests the others are to be told of, None while they have just been.

        Whoever is given a number tells it, and says by `heard` what came back.
        """
        token, now = self._of(token_id), self._clock()
        if now - token.shared_at < SHARED_SECONDS:
            return None
        token.shared_at = now
        untold, token.untold = token.untold, 0
        return untold

    def heard(self, token_id: str, told: int, shared: Shared) -> None:
        """Take what all had counted before `told` was added to it."""
        token = self._of(token_id)
        while token.told and token.told[0][0] <= shared.slot - SLOTS:
            token.told.popleft()
        token.elsewhere = max(0, shared.asked - sum(count for _, count in token.told))
        if told:
            token.told.append((shared.slot, told))

    def wait(self, token_id: str) -> int:
        """Return the seconds until this token may ask; 0 lets it ask now, and counts it.

        What is refused is not counted: whoever waits as told is let in, if he asks nowhere else.
        """
        token, now = self._of(token_id), self._clock()
        asked = token.asked
        while asked and asked[0] <= now - SECONDS:
            asked.popleft()
        excess = len(asked) + token.elsewhere - self._most + 1
        if excess > len(asked):
            return SLOT_SECONDS
        if excess > 0:
            return max(1, math.ceil(asked[excess - 1] + SECONDS - now))
        asked.append(now)
        token.untold += 1
        return 0

    def _of(self, token_id: str) -> _Token:
        token = self._tokens.setdefault(token_id, _Token())
        self._tokens.move_to_end(token_id)
        while len(self._tokens) > TOKENS_MOST:
            self._tokens.popitem(last=False)
        return token
