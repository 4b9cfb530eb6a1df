"""The world of the simulated week: sources, when they publish, and when their hosts fail."""

import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ctiscraper.collect.schedule import next_check_delay
from ctiscraper.collect.standing import GONE_AFTER, GONE_DELAY, items_per_day
from ctiscraper.errors import Reason
from ctiscraper.types import Tier
from week_inputs import Inputs

# A Monday whose Tuesday is Microsoft's patch day.
START = datetime(2026, 11, 9, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0
_TUESDAY, _WEDNESDAY, _SATURDAY = 1, 2, 5
_MORNING = 6
# The mix of the catalogue that comes with the program.
TIERS = {Tier.PREMIUM: 35, Tier.STANDARD: 76, Tier.BASIC: 24}


@dataclass(slots=True, eq=False)
class Feed:
    """A source: what it publishes in the week, and where its checks stand.

    `moments` are when its items appear, in seconds from the start; those before it are negative.
    `known` of them have been announced.
    """

    tier: Tier
    moments: list[float]
    conditional: bool
    dead: bool
    known: int = 0
    due: float = 0.0
    failures: int = 0
    rhythm: float | None = None

    def announce(self, now: float, entries: int) -> int:
        """Return how many items are new since the last look; the oldest may have passed by."""
        there = bisect_right(self.moments, now)
        new = min(there - self.known, entries)
        self.known = there
        return new

    def missed(self, now: float, entries: int) -> int:
        """Return how many items passed through the feed unseen since the last look."""
        return max(0, bisect_right(self.moments, now) - self.known - entries)

    def stand(self, now: float, entries: int, jitter: float, *, changed: bool) -> None:
        """Set when it is due again after an answer, as the program does."""
        if changed or self.rhythm is None:
            at = START + timedelta(seconds=now)
            there = bisect_right(self.moments, now)
            shown = self.moments[max(0, there - entries) : there]
            dates = [START + timedelta(seconds=moment) for moment in shown]
            self.rhythm = items_per_day(dates, at)
        self.failures = 0
        self.due = now + next_check_delay(self.tier, items_per_day=self.rhythm, jitter=jitter)

    def stand_failed(self, now: float, jitter: float) -> None:
        """Set when it is due again after no answer, as the program does."""
        self.failures += 1
        if self.dead and self.failures >= GONE_AFTER[Reason.NOT_FOUND]:
            self.due = now + GONE_DELAY
            return
        self.due = now + next_check_delay(
            self.tier, items_per_day=self.rhythm, failures=self.failures, jitter=jitter
        )


@dataclass(slots=True, eq=False)
class Host:
    """A host name: its feeds, what waits to be fetched there, its pace and its outages."""

    feeds: list[Feed]
    shared: bool
    outages: list[tuple[float, float]]
    items: deque[float] = field(default_factory=deque)
    next_allowed: float = 0.0
    robots_at: float = -DAY * 2
    open_until: float = 0.0
    failures: int = 0
    requests: int = 0
    in_turn: bool = False

    def is_down(self, now: float) -> bool:
        return any(begin <= now < end for begin, end in self.outages)

    def next_feed(self) -> Feed:
        """The feed that is due first."""
        return min(self.feeds, key=lambda feed: feed.due)


def make_hosts(inputs: Inputs, chance: random.Random, *, cold: bool) -> list[Host]:
    """Return hosts with their feeds; when `cold` nothing is known of any, and all is due."""
    shared: list[list[Feed]] = [[] for _ in range(inputs.shared_hosts)]
    alone: list[list[Feed]] = []
    weights = [1 / (rank + 1) for rank in range(inputs.shared_hosts)]
    for _ in range(inputs.sources):
        feed = _make_feed(inputs, chance, cold=cold)
        if chance.random() < inputs.shared_share:
            chance.choices(shared, weights)[0].append(feed)
        else:
            alone.append([feed])
    groups = [(feeds, True) for feeds in shared if feeds] + [(feeds, False) for feeds in alone]
    return [Host(feeds, large, list(_outages(inputs, chance))) for feeds, large in groups]


def _make_feed(inputs: Inputs, chance: random.Random, *, cold: bool) -> Feed:
    rate = inputs.posts_a_day_median * math.exp(chance.gauss(0, inputs.posts_a_day_sigma))
    rate = min(rate, inputs.posts_a_day_most)
    past, before = [], 0.0
    for _ in range(inputs.feed_entries):
        before -= chance.expovariate(rate / DAY)
        past.append(before)
    moments = past[::-1] + sorted(_publications(inputs, rate, chance))
    feed = Feed(
        tier=chance.choices(list(TIERS), list(TIERS.values()))[0],
        moments=moments,
        conditional=chance.random() < inputs.conditional_share,
        dead=chance.random() < inputs.dead_share,
    )
    if not cold:
        feed.known = len(past)
        feed.stand(0.0, inputs.feed_entries, chance.random(), changed=True)
        feed.due *= chance.random()
    return feed


def weight(inputs: Inputs, hour: int) -> float:
    """Return how much is published in an hour of the week against one of a working day."""
    day, clock = divmod(hour, 24)
    day %= 7
    working = inputs.night_share if clock < _MORNING else 1.0
    found = inputs.weekend_share if day >= _SATURDAY else working
    if day == _TUESDAY and clock >= 17:
        found *= inputs.patch_tuesday_factor
    elif day == _WEDNESDAY and clock < 12:
        found *= inputs.patch_wednesday_factor
    return found


def _publications(inputs: Inputs, rate: float, chance: random.Random) -> Iterator[float]:
    """When items appear, the mean of a working hour being a day's rate over 24."""
    most = inputs.patch_tuesday_factor
    at = 0.0
    while True:
        at += chance.expovariate(rate * most / DAY)
        if at >= inputs.days * DAY:
            return
        if chance.random() * most < weight(inputs, int(at // HOUR)):
            yield at


def _outages(inputs: Inputs, chance: random.Random) -> Iterator[tuple[float, float]]:
    at = 0.0
    while True:
        at += chance.expovariate(inputs.outages_a_week / (7 * DAY))
        if at >= inputs.days * DAY:
            return
        end = at + chance.expovariate(1 / (inputs.outage_hours * HOUR))
        yield at, end
        at = end
