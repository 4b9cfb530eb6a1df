"""What there is to do, who does it and how it goes: read models of operations, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ctiscraper.errors import ModelFault

# Beyond this waiting items are not counted: whatever has to be decided by the number is decided.
COUNTED_MOST = 100_000
# What keeps sums from their end on a large or busy database.
TOO_LONG = "adding up took too long"
# Why a host rests that did nothing wrong.
OURS_AWAY = "our own network, database or disk was away"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierWork:
    """What waits and what is under way for the sources of one tier.

    `due` items may be fetched now, `resting` ones are due at hosts that are left alone, `later`
    ones wait for their time. `sources_due` and `hosts_due` leave resting hosts out.
    `oldest_seconds` is how long the oldest item or check that may be done has been due.
    """

    tier: str
    due: int
    resting: int
    later: int
    in_flight: int
    sources_due: int
    hosts_due: int
    oldest_seconds: float

    @property
    def waiting(self) -> int:
        """Items and checks that a worker could take up now."""
        return self.due + self.sources_due


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How items ended since counting began; a second look at an article counts again."""

    stored: int
    duplicate: int
    filtered: int
    failed: int
    dead: int

    @property
    def total(self) -> int:
        """All that ended."""
        return self.stored + self.duplicate + self.filtered + self.failed + self.dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How work goes.

    `refunds` are attempts given back because the fault was not the item's, `burnt` those that
    were used up without an end. `ended_recently` covers `recent_seconds`, five to six minutes.
    """

    ended: Ended
    refunds: int
    burnt: int
    ended_recently: int
    recent_seconds: float
    ended_hour: int
    dead_hour: int
    refunds_hour: int
    burnt_hour: int

    @property
    def per_minute(self) -> float:
        """Items ended a minute, lately."""
        return self.ended_recently * 60 / self.recent_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Items that stand where they ended, each counted up to `COUNTED_MOST`."""

    dead: int
    failed: int
    filtered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enriching:
    """Stored texts that wait to be looked through, and those that could not be.

    Each counted up to `COUNTED_MOST`; `oldest_seconds` is how long a new text has waited.
    """

    waiting: int
    failed: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelling:
    """What models are asked: texts that wait, are answered and failed, and today's cost.

    Each counted up to `COUNTED_MOST`; `faults` are of the latest that failed. `server_fault` is
    why the server of models is left alone, None while it is not. `seen_seconds` is how long ago
    a model worker last found a server there, which it tries every minute; None for never.
    """

    waiting: int
    running: int
    failed: int
    oldest_seconds: float
    tokens_today: int
    cost_today: float
    faults: Mapping[str, int]
    server_fault: ModelFault | None = None
    server_detail: str = ""
    seen_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Texts that have vectors by the model in use, that wait for theirs, and that have none.

    Each counted up to `COUNTED_MOST`. `withheld` are marked so that they may not go to the model.
    `model` is empty before any made one. With `indexed` the
    nearest are found by pgvector's index, else by comparing all of them, exactly.
    """

    model: str
    texts: int
    waiting: int
    failed: int
    withheld: int
    indexed: bool


NO_VECTORS = Vectors(model="", texts=0, waiting=0, failed=0, withheld=0, indexed=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was asked of sites: `requests` since counting began, the rest in the last 24 hours.

    `requests_day` is exact to the hour. `check_bytes` are as they came over the wire,
    `page_bytes` those of the pages kept, decoded; `saved_bytes` what answers of 304 would
    have weighed.
    """

    requests: int
    requests_day: int
    checks: int
    unchanged: int
    check_bytes: int
    saved_bytes: int
    pages: int
    page_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A worker process that gave a sign of life lately.

    `idle_seconds` is since it last ended an item; `done` counts the items it has had in hand since
    it started.
    """

    pid: int
    started_at: datetime
    silent_seconds: float
    idle_seconds: float
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """A host that is not asked just now.

    `seconds` is how long yet: for a resting one until its breaker closes, else until the pace
    allows the next request. `robots_delay` is the Crawl-delay that its robots.txt asks for.
    """

    host: str
    seconds: float
    reason: str | None = None
    detail: str = ""
    failures: int = 0
    robots_delay: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsState:
    """The hosts in numbers, with the longest rests and the slowest paces of those that wait."""

    known: int
    leased: int
    resting: int
    rests: tuple[HostState, ...]
    paces: tuple[HostState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The database as it answered; the rest of the fields say nothing when it did not.

    `clock_apart` is how far its clock stands from ours, in seconds; `detail` why it did not
    answer. `schema` is the revision it holds, `schema_wanted` what this program needs. `busy` is
    when it answered while all connections of the process that asks were in use.
    """

    reachable: bool
    writable: bool = False
    version: str = ""
    schema: str | None = None
    schema_wanted: str = ""
    clock_apart: float = 0.0
    detail: str = ""
    busy: bool = False

    @property
    def behind(self) -> bool:
        """Whether the schema lacks what this program needs; a newer one has it."""
        return (self.schema or "") < self.schema_wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that is seen of the work; `balanced` is None when it could not be told in time.

    `stranded` items wait since our own database or disk failed, which said `stranded_by`.
    `worker_count` are at work, of whom `workers` are those who ended an item last, up to a hundred.
    `summed_seconds` is how long ago `standing`, `vectors`, `stranded`, `balanced` and the checks of
    `traffic` were summed, None where they could not be and so say nothing; `sums_fault`
    is what kept the last try from its end, empty where nothing did.
    """

    tiers: tuple[TierWork, ...]
    flow: Flow
    standing: Standing
    enriching: Enriching
    modelling: Modelling
    vectors: Vectors
    traffic: Traffic
    workers: tuple[WorkerState, ...]
    hosts: HostsState
    balanced: bool | None
    stranded: int = 0
    stranded_by: str = ""
    summed_seconds: float | None = 0.0
    sums_fault: str = ""
    worker_count: int = 0

    @property
    def waiting(self) -> int:
        """Items and checks of every tier that a worker could take up now."""
        return sum(tier.waiting for tier in self.tiers)

    @property
    def in_flight(self) -> int:
        """Items that workers hold."""
        return sum(tier.in_flight for tier in self.tiers)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest of what waits has been due."""
        return max(tier.oldest_seconds for tier in self.tiers)

    @property
    def backlog_per_worker(self) -> float:
        """What waits for each worker; with none it is all for the first to come."""
        return self.waiting / max(1, self.worker_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The state of the whole; without a database that can tell there is no `work`."""

    database: DatabaseState
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What keeps the database from being worked with: the part, by a word for all, and why."""

    part: Literal["database", "migrations"]
    cause: str
