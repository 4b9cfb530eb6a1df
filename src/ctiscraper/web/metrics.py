"""Operations as Prometheus reads them."""

from collections.abc import Iterable
from dataclasses import asdict

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from ctiscraper.operations import (
    DatabaseState,
    Enriching,
    Flow,
    HostsState,
    Modelling,
    TierWork,
    Traffic,
    Vectors,
    Work,
)
from ctiscraper.tasks.bell import BellState
from ctiscraper.web.deps import OperationsDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute

router = Routes(route_class=GuardedRoute)


@router.get("/metrics", include_in_schema=False)
async def metrics(report: OperationsDep) -> Response:
    """The same figures as the operations page, in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricFamilies(report.database, report.work, report.bell))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class MetricFamilies(Collector):
    """The metrics of one look."""

    def __init__(
        self, database: DatabaseState, work: Work | None, bell: BellState | None = None
    ) -> None:
        self._database = database
        self._work = work
        self._bell = bell

    def collect(self) -> Iterable[Metric]:
        """Return every metric; without a database that can tell only those of the database."""
        yield from _database(self._database)
        if self._bell is not None:
            yield from _bell(self._bell)
        if self._work is None:
            return
        yield from _queue(self._work.tiers)
        yield from _backlog(self._work)
        if self._work.summed_seconds is not None:
            yield from _items(self._work)
        yield from _enriching(self._work.enriching)
        yield from _modelling(self._work.modelling)
        if self._work.summed_seconds is not None:
            yield from _vectors(self._work.vectors)
        yield from _flow(self._work.flow)
        yield from _traffic(self._work.traffic)
        if self._work.summed_seconds is not None:
            yield from _checks(self._work.traffic)
        yield from _workers(self._work)
        yield from _hosts(self._work.hosts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ctiscraper_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"ctiscraper_{name}", text, value=value)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(f"ctiscraper_{name}", text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _database(state: DatabaseState) -> Iterable[Metric]:
    yield _gauge("database_up", "1 if the database answers.", state.reachable)
    yield _gauge("database_writable", "1 if the database can be written to.", state.writable)
    yield _gauge(
        "schema_current",
        "1 if the database's schema has what this program needs.",
        state.reachable and not state.behind,
    )
    yield _gauge(
        "database_clock_offset_seconds",
        "How far the database's clock is ahead of this process's.",
        state.clock_apart,
    )


def _bell(state: BellState) -> Iterable[Metric]:
    yield _gauge("bell_up", "1 if Redis answers and takes messages.", state.reachable)
    yield _counter(
        "rings_failed",
        "Rings of this process that Redis did not take; work starts later, none is lost.",
        state.failed,
    )


def _queue(tiers: tuple[TierWork, ...]) -> Iterable[Metric]:
    states = ("due", "resting", "later", "in_flight")
    yield _labelled(
        "queue_depth",
        "Items by tier and state: due at hosts that may be asked, due at hosts that rest, "
        "waiting for their time, held by workers; each counted up to 100000.",
        ("tier", "state"),
        (((t.tier, state), getattr(t, state)) for t in tiers for state in states),
    )
    yield _labelled(
        "sources_due",
        "Sources whose check is due, by tier.",
        ("tier",),
        (((t.tier,), t.sources_due) for t in tiers),
    )
    yield _labelled(
        "hosts_due",
        "Hosts that have work due and are free to be asked, by tier.",
        ("tier",),
        (((t.tier,), t.hosts_due) for t in tiers),
    )
    yield _labelled(
        "oldest_waiting_seconds",
        "How long the oldest item or check that may be done has been due, by tier.",
        ("tier",),
        (((t.tier,), t.oldest_seconds) for t in tiers),
    )


def _backlog(work: Work) -> Iterable[Metric]:
    yield _gauge(
        "backlog_per_worker",
        "Items and checks that wait, for each worker alive; with none, all of them.",
        work.backlog_per_worker,
    )


def _items(work: Work) -> Iterable[Metric]:
    yield _labelled(
        "ended_items",
        "Items that stand where they ended, by state; each counted up to 100000.",
        ("state",),
        (((state,), count) for state, count in asdict(work.standing).items()),
    )
    yield _gauge(
        "storage_waiting",
        "Items that wait since our own database or disk failed; counted up to 100000.",
        work.stranded,
    )
    if work.balanced is not None:
        yield _gauge(
            "accounting_balanced",
            "1 if every announced item stands in exactly one place.",
            work.balanced,
        )


def _enriching(state: Enriching) -> Iterable[Metric]:
    yield _gauge(
        "enrichment_waiting",
        "Stored texts that wait to be looked through; counted up to 100000.",
        state.waiting,
    )
    yield _gauge(
        "enrichment_failed",
        "Stored texts that could not be looked through; counted up to 100000.",
        state.failed,
    )
    yield _gauge(
        "enrichment_oldest_seconds",
        "How long the oldest of the new texts has waited to be looked through.",
        state.oldest_seconds,
    )


def _modelling(state: Modelling) -> Iterable[Metric]:
    yield _labelled(
        "model_queue_depth",
        "Texts that models are asked about: waiting and being answered; counted up to 100000.",
        ("state",),
        ((("waiting",), state.waiting), (("running",), state.running)),
    )
    yield _gauge(
        "model_oldest_seconds",
        "How long ago the oldest of those that wait was asked for.",
        state.oldest_seconds,
    )
    yield _gauge(
        "model_failed",
        "Analyses by models that failed and stand; counted up to 100000.",
        state.failed,
    )
    yield _labelled(
        "model_faults",
        "Why the latest thousand analyses that failed did.",
        ("fault",),
        (((fault,), count) for fault, count in sorted(state.faults.items())),
    )
    yield _gauge("model_tokens_today", "Tokens that models cost today (UTC).", state.tokens_today)
    yield _gauge(
        "model_cost_today", "What models cost today (UTC), by the prices set.", state.cost_today
    )


def _vectors(state: Vectors) -> Iterable[Metric]:
    yield _labelled(
        "vector_texts",
        "Texts by what they have of vectors: made, waiting, failed, withheld; up to 100000.",
        ("model", "state"),
        (
            ((state.model, "made"), state.texts),
            ((state.model, "waiting"), state.waiting),
            ((state.model, "failed"), state.failed),
            ((state.model, "withheld"), state.withheld),
        ),
    )
    yield _gauge(
        "vector_index",
        "Whether vectors are searched by pgvector's index (1), or all are compared (0).",
        int(state.indexed),
    )


def _flow(flow: Flow) -> Iterable[Metric]:
    family = CounterMetricFamily(
        "ctiscraper_items",
        "Items ended, by outcome, since counting began; a second look counts again.",
        labels=("outcome",),
    )
    for outcome, count in asdict(flow.ended).items():
        family.add_metric((outcome,), count)
    yield family
    yield _counter(
        "refunds", "Attempts given back because the fault was not the item's.", flow.refunds
    )
    yield _counter("attempts_burnt", "Attempts used up without an end.", flow.burnt)
    yield _gauge("items_per_minute", "Items ended a minute, lately.", flow.per_minute)


def _traffic(traffic: Traffic) -> Iterable[Metric]:
    yield _counter(
        "requests", "Requests made, robots.txt and redirects included.", traffic.requests
    )
    for name, text, value in (
        ("requests_last_day", "Requests made in the last 24 hours.", traffic.requests_day),
        ("pages_last_day", "Article pages kept in the last 24 hours.", traffic.pages),
        (
            "page_bytes_last_day",
            "Bytes of the article pages kept in the last 24 hours, decoded.",
            traffic.page_bytes,
        ),
    ):
        yield _gauge(name, text, value)


def _checks(traffic: Traffic) -> Iterable[Metric]:
    for name, text, value in (
        ("checks_last_day", "Checks of sources in the last 24 hours.", traffic.checks),
        (
            "unchanged_checks_last_day",
            "Checks of the last 24 hours that found nothing changed.",
            traffic.unchanged,
        ),
        (
            "check_received_bytes_last_day",
            "Bytes that checks received over the wire in the last 24 hours.",
            traffic.check_bytes,
        ),
        (
            "saved_bytes_last_day",
            "Bytes that conditional requests saved in the last 24 hours.",
            traffic.saved_bytes,
        ),
    ):
        yield _gauge(name, text, value)


def _workers(work: Work) -> Iterable[Metric]:
    yield _gauge("workers", "Worker processes alive.", work.worker_count)
    if work.workers:
        yield _gauge(
            "worker_idle_seconds",
            "How long ago the busiest worker ended an item.",
            min(worker.idle_seconds for worker in work.workers),
        )


def _hosts(hosts: HostsState) -> Iterable[Metric]:
    states = {
        "known": hosts.known,
        "leased": hosts.leased,
        "resting": hosts.resting,
    }
    yield _labelled(
        "hosts",
        "Hosts: all that are known, those that a worker speaks to, those that rest.",
        ("state",),
        (((state,), count) for state, count in states.items()),
    )
    yield _labelled(
        "host_rest_seconds",
        "How long a host still rests after failures; the longest twenty.",
        ("host", "reason"),
        (((host.host, host.reason or ""), host.seconds) for host in hosts.rests),
    )
    yield _labelled(
        "host_pace_seconds",
        "How long until a host may be asked again by its pace; the longest twenty.",
        ("host",),
        (((host.host,), host.seconds) for host in hosts.paces),
    )
    yield _labelled(
        "host_crawl_delay_seconds",
        "Crawl-delay in the robots.txt of the hosts that rest or wait for their pace.",
        ("host",),
        (
            ((host.host,), host.robots_delay)
            for host in (*hosts.rests, *hosts.paces)
            if host.robots_delay is not None
        ),
    )
