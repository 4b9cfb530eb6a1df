"""The simulated week: workers take turns at hosts, one event after the other."""

import heapq
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ctiscraper.collect.schedule import breaker_delay
from ctiscraper.collect.tiers import SHARES
from week_inputs import Inputs
from week_world import DAY, HOUR, Feed, Host

MINUTE = 60.0
ROBOTS_SECONDS = DAY
# A premium host is served as if it had waited this much longer, as db/hosts.py has it.
HEAD_START = 10 * MINUTE
RANK = {tier: rank for rank, tier in enumerate(SHARES)}
RETRY_SECONDS = 60.0


class Step(IntEnum):
    """What happens at a host, in this order."""

    WAKE = 0
    ARRIVED = 1
    DONE = 2


class Kind(IntEnum):
    """What is asked of a host."""

    ROBOTS = 0
    CHECK = 1
    PAGE = 2


@dataclass(slots=True)
class Turn:
    """A host in a worker's hands, and the request that is under way."""

    host: Host
    worker: int
    began: float
    most: int
    items: int = 0
    kind: Kind = Kind.CHECK
    feed: Feed | None = None
    seen: float = 0.0


@dataclass
class Record:
    """What happened, by hour and in all."""

    hours: int
    checks: list[int] = field(init=False)
    articles: list[int] = field(init=False)
    requests: list[int] = field(init=False)
    wire: list[int] = field(init=False)
    cpu: list[float] = field(init=False)
    database: list[float] = field(init=False)
    worker_hours: float = 0.0
    check_delays: list[float] = field(default_factory=list)
    item_delays: list[float] = field(default_factory=list)
    shared_delays: list[float] = field(default_factory=list)
    depths: list[float] = field(default_factory=list)
    workers: list[int] = field(default_factory=list)
    most_turns: int = 0
    announced: int = 0
    fetched: int = 0
    missed: int = 0
    unchanged: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        for name in ("checks", "articles", "requests", "wire"):
            setattr(self, name, [0] * self.hours)
        self.cpu, self.database = [0.0] * self.hours, [0.0] * self.hours

    def hour(self, at: float) -> int:
        return min(self.hours - 1, int(at // HOUR))


@dataclass(slots=True)
class Scaling:
    """Between `least` and `most` workers by their CPU, as target tracking does it."""

    least: int
    most: int
    hot: int = 0
    cool: int = 0
    ordered_until: float = 0.0

    def wanted(self, inputs: Inputs, now: float, workers: int, use: float) -> int:
        """Return how many workers there should be after a minute of this use."""
        self.hot = self.hot + 1 if use > inputs.scale_out_cpu else 0
        self.cool = self.cool + 1 if use < inputs.scale_in_cpu else 0
        if self.hot >= inputs.scale_out_minutes and now >= self.ordered_until:
            self.hot, self.ordered_until = 0, now + inputs.start_seconds
            return min(self.most, max(workers + 1, math.ceil(workers * use / inputs.scale_out_cpu)))
        if self.cool >= inputs.scale_in_minutes:
            self.cool = 0
            return max(self.least, workers - 1)
        return workers


class Week:
    """A run over hosts with a number of workers of one vCPU each."""

    def __init__(
        self,
        inputs: Inputs,
        hosts: Sequence[Host],
        workers: int,
        seed: int,
        *,
        scaling: Scaling | None = None,
    ) -> None:
        self.inputs = inputs
        self.hosts = hosts
        self.workers = workers
        self.scaling = scaling
        self.end = inputs.days * DAY
        self.record = Record(hours=inputs.days * 24)
        self.waiting = 0
        self._chance = random.Random(seed)
        self._number = itertools.count()
        self._events: list[tuple[float, int, Step, Host, Turn | None]] = []
        self._ready: list[tuple[float, int, Host]] = []
        places = scaling.most if scaling else workers
        self._turns = [0] * places
        self._cpu_free = [0.0] * places
        self._pg_free = [0.0] * inputs.pg_vcpus
        self._starting: list[float] = []
        self._busy = 0.0

    def run(self) -> Record:
        """Return what happened until the week was over."""
        for host in self.hosts:
            self._later(host.next_feed().due, Step.WAKE, host)
        minute = MINUTE
        while self._events and self._events[0][0] < self.end:
            now, _, step, host, turn = heapq.heappop(self._events)
            while minute <= now:
                self._each_minute(minute)
                minute += MINUTE
            if turn is None:
                self._wake(now, host)
            elif step is Step.ARRIVED:
                self._arrived(now, turn)
            else:
                self._done(now, turn)
        return self.record

    def _later(self, at: float, step: Step, host: Host, turn: Turn | None = None) -> None:
        heapq.heappush(self._events, (at, next(self._number), step, host, turn))

    def _each_minute(self, now: float) -> None:
        record = self.record
        record.depths.append(self.waiting)
        record.workers.append(self.workers)
        record.worker_hours += self.workers / 60
        use, self._busy = self._busy / (MINUTE * self.workers), 0.0
        while self._starting and self._starting[0] <= now:
            self._starting.pop(0)
            self.workers += 1
        if self.scaling is None:
            return
        there = self.workers + len(self._starting)
        wanted = self.scaling.wanted(self.inputs, now, there, use)
        self._starting += [now + self.inputs.start_seconds] * max(0, wanted - there)
        self.workers = min(self.workers, wanted)

    # A host falls due and waits for a worker.

    def _wake(self, now: float, host: Host) -> None:
        if host.in_turn:
            return
        if host.open_until > now:
            self._later(host.open_until, Step.WAKE, host)
            return
        feed = host.next_feed()
        if not host.items and feed.due > now:
            self._later(feed.due, Step.WAKE, host)
            return
        host.in_turn = True
        since = min(feed.due, now)
        heapq.heappush(
            self._ready, (since + RANK[feed.tier] * HEAD_START, next(self._number), host)
        )
        self._assign(now)

    def _assign(self, now: float) -> None:
        while self._ready:
            worker = min(range(self.workers), key=self._turns.__getitem__)
            if self._turns[worker] >= self.inputs.worker_hosts:
                return
            _, _, host = heapq.heappop(self._ready)
            self._turns[worker] += 1
            self.record.most_turns = max(self.record.most_turns, sum(self._turns))
            # The first of the workers that polls takes it.
            poll = 1 - self._chance.random() ** (1 / self.workers)
            tier = host.next_feed().tier
            turn = Turn(host, worker, now, SHARES[tier].turn)
            self._ask(now + poll * self.inputs.idle_seconds, turn)

    # One request after the other, a gap apart.

    def _ask(self, now: float, turn: Turn) -> None:
        host = turn.host
        feed = host.next_feed()
        if feed.due <= now:
            turn.kind, turn.feed = Kind.CHECK, feed
        elif host.items and turn.items < turn.most and now - turn.began < self.inputs.turn_seconds:
            turn.kind, turn.feed = Kind.PAGE, None
        else:
            self._give_up(now, turn)
            return
        if now - host.robots_at > ROBOTS_SECONDS:
            turn.kind = Kind.ROBOTS
        slot = max(now, host.next_allowed)
        host.next_allowed = slot + self.inputs.min_gap
        spread = self._chance.gauss(0, self.inputs.latency_sigma)
        latency = self.inputs.latency_seconds * math.exp(spread)
        self._later(slot + latency, Step.ARRIVED, host, turn)

    def _give_up(self, now: float, turn: Turn) -> None:
        """End a turn; a host that has more to do queues again behind the others."""
        host = turn.host
        self._turns[turn.worker] -= 1
        host.in_turn = False
        again = now if host.items else max(now, host.next_feed().due)
        self._later(max(again, host.open_until), Step.WAKE, host)
        self._assign(now)

    def _arrived(self, now: float, turn: Turn) -> None:
        """Let the answer wait for the worker's CPU and the database's, in the order of arrival."""
        inputs, host = self.inputs, turn.host
        hour = self.record.hour(now)
        cost, pg_cost, size = self._cost(now, turn)
        begin = max(now, self._cpu_free[turn.worker])
        self._cpu_free[turn.worker] = done = begin + cost
        if pg_cost:
            place = min(range(inputs.pg_vcpus), key=self._pg_free.__getitem__)
            self._pg_free[place] = done = max(done, self._pg_free[place]) + pg_cost
        self._busy += cost
        self.record.cpu[hour] += cost
        self.record.database[hour] += pg_cost
        self.record.requests[hour] += 1
        self.record.wire[hour] += size
        host.requests += 1
        self._later(done, Step.DONE, host, turn)

    def _cost(self, now: float, turn: Turn) -> tuple[float, float, int]:
        """Return seconds of a worker, seconds of the database, and bytes."""
        inputs = self.inputs
        if turn.host.is_down(now) or (turn.feed is not None and turn.feed.dead):
            return (inputs.failed_ms + inputs.tls_ms) / 1000, inputs.unchanged_pg_ms / 1000, 0
        if turn.kind is Kind.ROBOTS:
            return (inputs.robots_ms + inputs.tls_ms) / 1000, 0.0, inputs.robots_bytes
        if turn.kind is Kind.PAGE:
            return inputs.article_ms / 1000, inputs.article_pg_ms / 1000, inputs.page_bytes
        assert turn.feed is not None
        if turn.feed.missed(now, 0) or turn.feed.rhythm is None:
            spent = inputs.changed_ms + inputs.tls_ms
            return spent / 1000, inputs.changed_pg_ms / 1000, inputs.feed_bytes
        size = inputs.unchanged_bytes if turn.feed.conditional else inputs.feed_bytes
        return (inputs.unchanged_ms + inputs.tls_ms) / 1000, inputs.unchanged_pg_ms / 1000, size

    def _done(self, now: float, turn: Turn) -> None:
        host = turn.host
        failed = host.is_down(now) or (turn.feed is not None and turn.feed.dead)
        if failed:
            self._failed(now, turn)
            return
        host.failures = 0
        if turn.kind is Kind.ROBOTS:
            host.robots_at = now
        elif turn.kind is Kind.CHECK:
            self._checked(now, turn)
        else:
            self._fetched(now, turn)
        self._ask(now, turn)

    def _failed(self, now: float, turn: Turn) -> None:
        """Count it against source and host, which rests; items stay where they are."""
        host, feed = turn.host, turn.feed
        self.record.failed += 1
        if feed is not None:
            self.record.checks[self.record.hour(now)] += 1
            feed.stand_failed(now, self._chance.random())
        if not (host.shared and feed is not None and feed.dead):
            host.failures += 1
            rest = breaker_delay(host.failures, jitter=self._chance.random())
            host.open_until = now + max(rest, RETRY_SECONDS if host.items else 0.0)
            self._give_up(now, turn)
            return
        self._ask(now, turn)

    def _checked(self, now: float, turn: Turn) -> None:
        feed, record = turn.feed, self.record
        assert feed is not None
        record.checks[record.hour(now)] += 1
        record.check_delays.append(now - feed.due)
        record.missed += feed.missed(now, self.inputs.feed_entries)
        new = feed.announce(now, self.inputs.feed_entries)
        record.unchanged += not new
        record.announced += new
        self.waiting += new
        turn.host.items.extend([now] * new)
        feed.stand(now, self.inputs.feed_entries, self._chance.random(), changed=new > 0)

    def _fetched(self, now: float, turn: Turn) -> None:
        record, host = self.record, turn.host
        seen = host.items.popleft()
        turn.items += 1
        self.waiting -= 1
        record.fetched += 1
        record.articles[record.hour(now)] += 1
        (record.shared_delays if host.shared else record.item_delays).append(now - seen)
