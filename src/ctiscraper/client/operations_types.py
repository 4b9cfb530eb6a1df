"""Types of operations; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from ctiscraper.client.shared_types import ModelFault


class BellState(Struct, frozen=True, kw_only=True):
    """Whether workers can be woken; `detail` says what is wrong and what can be done.

    `waiting` counts messages nobody has heard yet, by tier. `failed` counts this process's
    rings that were not taken, the last of them `failed_seconds` ago for the reason of
    `failure`.
    """

    configured: bool
    reachable: bool
    detail: str = ""
    waiting: dict[str, int] | None = None
    failed: int = 0
    failed_seconds: float | None = None
    failure: str = ""


class DatabaseState(Struct, frozen=True, kw_only=True):
    """The database as it answered; the rest of the fields say nothing when it did not.

    `clock_apart` is how far its clock stands from ours, in seconds; `detail` why it did not
    answer. `schema` is the revision it holds, `schema_wanted` what this program needs. `busy`
    is when it answered while all connections of the process that asks were in use.
    """

    reachable: bool
    writable: bool = False
    version: str = ""
    schema: str | None = None
    schema_wanted: str = ""
    clock_apart: float = 0.0
    detail: str = ""
    busy: bool = False


class Ended(Struct, frozen=True, kw_only=True):
    """How items ended since counting began; a second look at an article counts again."""

    stored: int
    duplicate: int
    filtered: int
    failed: int
    dead: int


class Enriching(Struct, frozen=True, kw_only=True):
    """Stored texts that wait to be looked through, and those that could not be.

    Each counted up to `COUNTED_MOST`; `oldest_seconds` is how long a new text has waited.
    """

    waiting: int
    failed: int
    oldest_seconds: float


VerdictOutput: TypeAlias = Literal["ok", "warn", "fail"]
"""How a part is."""


class Finding(Struct, frozen=True, kw_only=True):
    """One part of the installation; `advice` is what can be done, empty when nothing need be."""

    part: str
    verdict: VerdictOutput
    words: str
    advice: str = ""


class Flow(Struct, frozen=True, kw_only=True):
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


class HostState(Struct, frozen=True, kw_only=True):
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


class HostsState(Struct, frozen=True, kw_only=True):
    """The hosts in numbers, with the longest rests and the slowest paces of those that wait."""

    known: int
    leased: int
    resting: int
    rests: tuple[HostState, ...]
    paces: tuple[HostState, ...]


class Keep(Struct, frozen=True, kw_only=True):
    """For how many days each tier's things are kept; 0 is for ever."""

    raw: dict[str, int]
    revisions: dict[str, int]
    checks: dict[str, int]


class KeptAmount(Struct, frozen=True, kw_only=True):
    """About how much there is, as the server's statistics have it; bytes with their indexes."""

    checks: int
    checks_bytes: int
    revisions: int
    revisions_bytes: int
    snapshots: int
    snapshots_bytes: int


class Modelling(Struct, frozen=True, kw_only=True):
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
    faults: dict[str, int]
    server_fault: ModelFault | None = None
    server_detail: str = ""
    seen_seconds: float | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """Items that stand where they ended, each counted up to `COUNTED_MOST`."""

    dead: int
    failed: int
    filtered: int


class TierWork(Struct, frozen=True, kw_only=True):
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


class Traffic(Struct, frozen=True, kw_only=True):
    """What was asked of sites: `requests` since counting began, the rest in the last 24 hours.

    `requests_day` is exact to the hour. `check_bytes` are as they came over the wire,
    `page_bytes` those of the pages kept, decoded; `saved_bytes` what answers of 304 would have
    weighed.
    """

    requests: int
    requests_day: int
    checks: int
    unchanged: int
    check_bytes: int
    saved_bytes: int
    pages: int
    page_bytes: int


class Vectors(Struct, frozen=True, kw_only=True):
    """Texts that have vectors by the model in use, that wait for theirs, and that have none.

    Each counted up to `COUNTED_MOST`. `withheld` are marked so that they may not go to the
    model. `model` is empty before any made one. With `indexed` the nearest are found by
    pgvector's index, else by comparing all of them, exactly.
    """

    model: str
    texts: int
    waiting: int
    failed: int
    withheld: int
    indexed: bool


class WorkerState(Struct, frozen=True, kw_only=True):
    """A worker process that gave a sign of life lately.

    `idle_seconds` is since it last ended an item; `done` counts the items it has had in hand
    since it started.
    """

    pid: int
    started_at: datetime
    silent_seconds: float
    idle_seconds: float
    done: int


class Work(Struct, frozen=True, kw_only=True):
    """All that is seen of the work; `balanced` is None when it could not be told in time.

    `stranded` items wait since our own database or disk failed, which said `stranded_by`.
    `worker_count` are at work, of whom `workers` are those who ended an item last, up to a
    hundred. `summed_seconds` is how long ago `standing`, `vectors`, `stranded`, `balanced` and
    the checks of `traffic` were summed, None where they could not be and so say nothing;
    `sums_fault` is what kept the last try from its end, empty where nothing did.
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


class OperationsReport(Struct, frozen=True, kw_only=True):
    """The state of operations and what is to be said of it, the worst first."""

    degraded: bool
    findings: tuple[Finding, ...]
    database: DatabaseState
    work: Work | None
    bell: BellState | None = None


class Outlived(Struct, frozen=True, kw_only=True):
    """How much there is that is past its time."""

    checks: int
    revisions: int
    snapshots: int
    workers: int


class PackRow(Struct, frozen=True, kw_only=True):
    """A data pack that is kept; `active` is the one in use."""

    name: str
    version: str
    source: str
    licence: str
    notice: str
    records: int
    size: int
    active: bool
    built_in: bool
    installed_at: datetime


class RetentionReport(Struct, frozen=True, kw_only=True):
    """For how many days things are kept by tier (0 is for ever), how much, and what would go."""

    keep: Keep
    kept: KeptAmount
    outlived: Outlived


class ShownSetting(Struct, frozen=True, kw_only=True):
    """A setting as it may be shown; `origin` is default, environment, file or command line.

    `variable` is what sets it. Of a secret `value` says only whether it is set, with the end of
    its hash, by which two can be told apart.
    """

    name: str
    variable: str
    value: str
    origin: str
    description: str
    secret: bool = False
