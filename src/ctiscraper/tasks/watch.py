"""Looking at operations: what the database tells, what robots.txt adds, and what is amiss."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from ctiscraper.collect.robots import RobotsRules
from ctiscraper.config import AGENT
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.errors import StorageError
from ctiscraper.fault_words import advice_on, said_of
from ctiscraper.operations import (
    TOO_LONG,
    DatabaseState,
    HostState,
    Modelling,
    Operations,
    Work,
)
from ctiscraper.tasks.bell import Bell, BellState, SilentBell
from ctiscraper.tasks.findings import (
    Finding,
    Verdict,
    finding,
    judge_clock,
    judge_schema,
    judge_storage,
)

# Work that waits longer is more than its hosts' pace explains.
LONG_WAIT = 3600.0
# A worker that ended nothing for so long while items wait does not work.
STALLED_SECONDS = 600.0
# Fewer refunds than this in an hour are single faults, not an outage.
MANY_REFUNDS = 20
# A ring that was not taken so lately says more than a Redis that answers.
FAILED_LATELY = 60.0
# The parts that work goes on without, by what is found of them, as anybody may be told them.
DEGRADED = {"redis": "redis", "storage": "storage", "database clock": "clock"}
# A model worker looks for its server every minute: one that is there is seen long before.
MODELS_SILENT = 900.0
# What is said of sums that there are none of.
NOT_SUMMED = "not added up"
# Of fewer hosts than this the half may well rest.
MANY_HOSTS = 10

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsReport:
    """The state of operations and what is to be said of it, the worst first."""

    degraded: bool
    findings: tuple[Finding, ...]
    database: DatabaseState
    work: Work | None
    bell: BellState | None = None

    @property
    def degraded_parts(self) -> tuple[str, ...]:
        """The parts that are not as they should be while pages can be served, by name alone."""
        amiss = {one.part for one in self.findings if one.verdict is not Verdict.OK}
        return tuple(name for part, name in DEGRADED.items() if part in amiss)


async def report(board: OperationsBoard, bell: Bell | None = None) -> OperationsReport:
    """Return the state of operations with its findings, that of the bell among them."""
    seen, state = await asyncio.gather(observe(board), (bell or SilentBell()).look())
    return _report(seen, state)


def report_away(detail: str) -> OperationsReport:
    """Return what is to be said when no database could be opened at all."""
    return _report(Operations(database=DatabaseState(reachable=False, detail=detail)))


def _report(seen: Operations, bell: BellState | None = None) -> OperationsReport:
    found = findings(seen, bell)
    return OperationsReport(
        degraded=any(one.verdict is not Verdict.OK for one in found),
        findings=found,
        database=seen.database,
        work=seen.work,
        bell=bell if bell is not None and bell.configured else None,
    )


async def observe(board: OperationsBoard) -> Operations:
    """Return the state of operations, with the delays that the hosts' robots.txt ask for."""
    seen = await board.read()
    if seen.work is None or seen.database.busy:
        return seen
    hosts = seen.work.hosts
    try:
        robots = await board.robots({host.host for host in (*hosts.rests, *hosts.paces)})
    except StorageError:
        return seen
    delays = {host: _crawl_delay(body) for host, body in robots.items()}
    rests, paces = _delayed(hosts.rests, delays), _delayed(hosts.paces, delays)
    return replace(seen, work=replace(seen.work, hosts=replace(hosts, rests=rests, paces=paces)))


def findings(seen: Operations, bell: BellState | None = None) -> tuple[Finding, ...]:
    """Return how each part is, the worst first, with advice where something can be done."""
    found = [*_database(seen.database), *_bell(bell)]
    if seen.work is not None:
        found += [judge(seen.work) for judge in _JUDGES]
        found += [*judge_models(seen.work.modelling), *_sums(seen.work)]
    order = (Verdict.FAIL, Verdict.WARN, Verdict.OK)
    return tuple(sorted(found, key=lambda one: order.index(one.verdict)))


def span(seconds: float) -> str:
    """Return a length of time in its largest unit."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def size(count: float) -> str:
    """Return a number of bytes in its largest unit."""
    unit = "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):  # noqa: B007 - the unit that it ends with is said
        if count < 1000:  # noqa: PLR2004 - the step from a unit to the next
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"  # noqa: PLR2004 - three digits


@lru_cache(maxsize=64)
def _crawl_delay(body: str) -> float | None:
    return RobotsRules.parse(body).crawl_delay(AGENT)


def _delayed(
    hosts: tuple[HostState, ...], delays: dict[str, float | None]
) -> tuple[HostState, ...]:
    return tuple(replace(host, robots_delay=delays.get(host.host)) for host in hosts)


def _database(state: DatabaseState) -> Iterable[Finding]:
    if not state.reachable:
        yield finding(
            "database",
            Verdict.FAIL,
            state.detail,
            "start it, or mend DATABASE_URL; workers go on by themselves once it answers",
        )
        return
    if not state.writable:
        yield finding(
            "database",
            Verdict.FAIL,
            "it is read-only: nothing can be collected",
            "name the primary server in DATABASE_URL, or make room and let it be written to",
        )
    elif state.busy:
        yield finding(
            "database",
            Verdict.WARN,
            f"PostgreSQL {state.version}, writable, but every connection of this process is in use",
            "if that lasts, see in pg_stat_activity what takes so long; others wait for it",
        )
    else:
        yield finding("database", Verdict.OK, f"PostgreSQL {state.version}, writable")
    clock = judge_clock(state.clock_apart)
    if clock.verdict is not Verdict.OK:
        yield clock
    if state.behind:
        yield judge_schema(state.schema, state.schema_wanted)


def judge_bell(state: BellState) -> Finding:
    """Return how a Redis is that is set."""
    failed = ""
    if state.failed_seconds is not None:
        failed = f"{_counted(state.failed, 'ring', 'rings')} not taken since this process began"
    advice = "nothing is lost: workers look for work by themselves until it is there"
    if not state.reachable:
        words = f"{state.detail}; {failed}" if failed else state.detail
        return finding("redis", Verdict.WARN, words, advice)
    words = f"it answers, {sum((state.waiting or {}).values()):,} rings unheard"
    if state.failed_seconds is None:
        return finding("redis", Verdict.OK, words)
    words += f"; {failed}, the last {span(state.failed_seconds)} ago: {state.failure}"
    lately = state.failed_seconds < FAILED_LATELY
    return finding("redis", *((Verdict.WARN, words, advice) if lately else (Verdict.OK, words)))


def _bell(state: BellState | None) -> Iterable[Finding]:
    if state is not None and state.configured:
        yield judge_bell(state)


def _workers(work: Work) -> Finding:
    if not work.workers:
        if not (work.waiting or work.in_flight):
            return finding("workers", Verdict.OK, "none at work, and nothing to do")
        what = f"{_counted(work.waiting, 'item or check', 'items and checks')} wait"
        if not work.waiting:
            what = f"{_counted(work.in_flight, 'item', 'items')} were left in hand"
        return finding(
            "workers",
            Verdict.FAIL,
            f"{what} and no worker is at work",
            "run 'ctiscraper worker', or 'ctiscraper up' for everything",
        )
    idle = min(worker.idle_seconds for worker in work.workers)
    due = sum(tier.due for tier in work.tiers)
    if due and idle > STALLED_SECONDS and not work.flow.ended_recently:
        return finding(
            "workers",
            Verdict.WARN,
            f"{work.worker_count:,} at work, but none has ended an item for {span(idle)}",
            "look into their log, then start them anew: what they hold is taken back",
        )
    return finding("workers", Verdict.OK, f"{work.worker_count:,} at work")


def _queue(work: Work) -> Finding:
    words = f"{work.waiting:,} waiting, {work.in_flight:,} in flight"
    if not work.waiting:
        return finding("queue", Verdict.OK, words)
    words += f", the oldest for {span(work.oldest_seconds)}"
    if work.oldest_seconds < LONG_WAIT or not work.workers:
        return finding("queue", Verdict.OK, words)
    return finding(
        "queue",
        Verdict.WARN,
        words,
        "if hosts are due in number, run more workers (CTISCRAPER_WORKERS); "
        "if it is one host, its pace is the limit and only time helps",
    )


def _storage(work: Work) -> Finding:
    if work.summed_seconds is None:
        return finding("storage", Verdict.OK, NOT_SUMMED)
    return judge_storage(work.stranded, work.stranded_by)


def _dead_letters(work: Work) -> Finding:
    hour, standing = work.flow.dead_hour, f"{work.standing.dead:,} stand"
    if work.summed_seconds is None:
        standing = "how many stand is not known"
    if not hour:
        return finding("dead letters", Verdict.OK, f"{standing}, none in the last hour")
    return finding(
        "dead letters",
        Verdict.WARN,
        f"{hour:,} in the last hour, {standing}",
        "see their causes with 'ctiscraper dead list' or on the Accounting page, "
        "then retry or discard them",
    )


def _refunds(work: Work) -> Finding:
    hour, ended = work.flow.refunds_hour, work.flow.ended_hour
    words = f"{hour:,} given back in the last hour, {work.flow.burnt_hour:,} burnt"
    if hour < max(MANY_REFUNDS, ended):
        return finding("attempts", Verdict.OK, words)
    return finding(
        "attempts",
        Verdict.WARN,
        f"{words}, {ended:,} items ended",
        "this is a fault on our side, or of the network: see 'ctiscraper doctor'; no item is lost",
    )


def _hosts(work: Work) -> Finding:
    hosts = work.hosts
    words = f"{hosts.resting:,} of {hosts.known:,} rest after failures of theirs or ours"
    if hosts.known < MANY_HOSTS or hosts.resting * 2 < hosts.known:
        return finding("hosts", Verdict.OK, words)
    return finding(
        "hosts",
        Verdict.WARN,
        words,
        "so many at once are hardly their fault: check the way out with 'ctiscraper doctor'",
    )


def _accounting(work: Work) -> Finding:
    if work.balanced is None:
        words = NOT_SUMMED if work.summed_seconds is None else f"{NOT_SUMMED}: {TOO_LONG}"
        return finding("accounting", Verdict.OK, words)
    if work.balanced:
        return finding("accounting", Verdict.OK, "every announced item stands somewhere")
    return finding(
        "accounting",
        Verdict.FAIL,
        "the sum does not hold for at least one source",
        "this is a fault of the program: report it with the output of 'ctiscraper accounting'",
    )


def _sums(work: Work) -> Iterable[Finding]:
    """Yield how old the sums are that could not be made anew, and why, where that is so."""
    if not work.sums_fault:
        return
    words = "not known yet"
    if work.summed_seconds is not None:
        words = f"of {span(work.summed_seconds)} ago"
    advice = "what ended and stands, vectors and checks are so old; the rest is of now"
    if work.sums_fault == TOO_LONG:
        advice += ". See in pg_stat_activity what keeps the database busy"
    yield finding("sums", Verdict.WARN, f"{words}: {work.sums_fault}", advice)


def judge_models(state: Modelling) -> Iterable[Finding]:
    """Yield why texts wait for a server of models, or for somebody to ask it, if they do."""
    fault = state.server_fault
    if fault is not None:
        waiting = _counted(state.waiting, "text waits", "texts wait")
        words = f"{said_of(fault)} ({state.server_detail}): {waiting}"
        yield finding("language models", Verdict.WARN, words, advice_on(fault, waits=True))
    elif _nobody_asks(state):
        waiting = _counted(state.waiting, "text waits", "texts wait")
        seen = "yet" if state.seen_seconds is None else f"for {span(state.seen_seconds)}"
        yield finding(
            "language models",
            Verdict.WARN,
            f"{waiting}, the oldest for {span(state.oldest_seconds)}, and no model worker has had "
            f"an answer of a server {seen}",
            "name the server in CTISCRAPER_MODEL_URL and run 'ctiscraper model-worker' (with "
            "Compose 'docker compose --profile llm up -d'), or ask for nothing more with "
            "'ctiscraper analysis cancel --all'",
        )


def _nobody_asks(state: Modelling) -> bool:
    """Whether texts wait for long with no sign of a worker, which one gives without budget too."""
    if not state.waiting or state.running or state.oldest_seconds < MODELS_SILENT:
        return False
    return state.seen_seconds is None or state.seen_seconds >= MODELS_SILENT


_JUDGES = (_workers, _queue, _storage, _dead_letters, _refunds, _hosts, _accounting)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
