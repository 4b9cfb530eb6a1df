"""Builders of the state of operations."""

from dataclasses import replace

from ctiscraper.operations import (
    NO_VECTORS,
    DatabaseState,
    Ended,
    Enriching,
    Flow,
    HostsState,
    Modelling,
    Operations,
    Standing,
    TierWork,
    Traffic,
    Work,
    WorkerState,
)
from make import NOW


def database(**changes: object) -> DatabaseState:
    state = DatabaseState(
        reachable=True, writable=True, version="15.17", schema="2", schema_wanted="2"
    )
    return replace(state, **changes)  # type: ignore[arg-type]  # a builder


def tier(name: str = "standard", **changes: object) -> TierWork:
    nothing = TierWork(
        tier=name,
        due=0,
        resting=0,
        later=0,
        in_flight=0,
        sources_due=0,
        hosts_due=0,
        oldest_seconds=0.0,
    )
    return replace(nothing, **changes)  # type: ignore[arg-type]  # a builder


def flow(**changes: object) -> Flow:
    nothing = Flow(
        ended=Ended(stored=0, duplicate=0, filtered=0, failed=0, dead=0),
        refunds=0,
        burnt=0,
        ended_recently=0,
        recent_seconds=300.0,
        ended_hour=0,
        dead_hour=0,
        refunds_hour=0,
        burnt_hour=0,
    )
    return replace(nothing, **changes)  # type: ignore[arg-type]  # a builder


def worker(**changes: object) -> WorkerState:
    busy = WorkerState(pid=7, started_at=NOW, silent_seconds=1.0, idle_seconds=2.0, done=3)
    return replace(busy, **changes)  # type: ignore[arg-type]  # a builder


def hosts(**changes: object) -> HostsState:
    none = HostsState(known=0, leased=0, resting=0, rests=(), paces=())
    return replace(none, **changes)  # type: ignore[arg-type]  # a builder


def work(**changes: object) -> Work:
    """A state of work; whoever is named works, and nobody else does."""
    workers = changes.get("workers", ())
    assert isinstance(workers, tuple)
    nothing = Work(
        tiers=(tier("premium"), tier("standard"), tier("basic")),
        flow=flow(),
        standing=Standing(dead=0, failed=0, filtered=0),
        enriching=Enriching(waiting=0, failed=0, oldest_seconds=0.0),
        vectors=NO_VECTORS,
        modelling=Modelling(
            waiting=0,
            running=0,
            failed=0,
            oldest_seconds=0.0,
            tokens_today=0,
            cost_today=0.0,
            faults={"timeout": 1},
        ),
        traffic=Traffic(
            requests=0,
            requests_day=0,
            checks=0,
            unchanged=0,
            check_bytes=0,
            saved_bytes=0,
            pages=0,
            page_bytes=0,
        ),
        workers=(),
        worker_count=len(workers),
        hosts=hosts(),
        balanced=True,
    )
    return replace(nothing, **changes)  # type: ignore[arg-type]  # a builder


def operations(**changes: object) -> Operations:
    return Operations(database=database(), work=work(**changes))
