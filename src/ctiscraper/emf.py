"""Operations as CloudWatch reads them: documents in the Embedded Metric Format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ctiscraper.operations import Operations, TierWork, Work

Document = dict[str, object]
# A name, its unit as CloudWatch spells it, and the value.
Metric = tuple[str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlace:
    """Where metrics go: their namespace, and the deployment they speak of."""

    namespace: str
    environment: str


def metric_documents(seen: Operations, place: MetricPlace, at: datetime) -> tuple[Document, ...]:
    """Return a document for the whole and one for each tier, each to be a log line of its own.

    A dimension has one value a document, so tiers cannot share one. What the database could
    not tell is left out: alarms take missing figures as breaching.
    """
    database = seen.database
    whole: list[Metric] = [
        ("DatabaseReachable", "Count", int(database.reachable)),
        ("DatabaseWritable", "Count", int(database.writable)),
    ]
    environment = {"Environment": place.environment}
    if seen.work is None:
        return (_document(whole, environment, place, at),)
    whole += _of_all(seen.work)
    tiers = (
        _document(_of_tier(tier), {**environment, "Tier": tier.tier}, place, at)
        for tier in seen.work.tiers
    )
    return (_document(whole, environment, place, at), *tiers)


def _of_all(work: Work) -> Iterable[Metric]:
    flow, traffic = work.flow, work.traffic
    yield "QueueDepth", "Count", work.waiting
    yield "OldestMessageAge", "Seconds", work.oldest_seconds
    yield "BacklogPerWorker", "Count", work.backlog_per_worker
    yield "InFlight", "Count", work.in_flight
    yield "Workers", "Count", work.worker_count
    yield "ItemsPerMinute", "None", flow.per_minute
    yield "DeadLettersLastHour", "Count", flow.dead_hour
    yield "RefundsLastHour", "Count", flow.refunds_hour
    yield "AttemptsBurntLastHour", "Count", flow.burnt_hour
    yield "EnrichmentWaiting", "Count", work.enriching.waiting
    yield "EnrichmentFailed", "Count", work.enriching.failed
    yield "ModelQueueDepth", "Count", work.modelling.waiting
    yield "ModelOldestAge", "Seconds", work.modelling.oldest_seconds
    yield "HostsResting", "Count", work.hosts.resting
    yield "RequestsLastDay", "Count", traffic.requests_day
    if work.summed_seconds is not None:
        yield "DeadLetters", "Count", work.standing.dead
        yield "StorageWaiting", "Count", work.stranded
        yield "BytesReceivedLastDay", "Bytes", traffic.check_bytes + traffic.page_bytes
        yield "BytesSavedLastDay", "Bytes", traffic.saved_bytes
    if work.balanced is not None:
        yield "AccountingBalanced", "Count", int(work.balanced)


def _of_tier(tier: TierWork) -> Iterable[Metric]:
    yield "QueueDepth", "Count", tier.waiting
    yield "OldestMessageAge", "Seconds", tier.oldest_seconds
    yield "ItemsDue", "Count", tier.due
    yield "ItemsLater", "Count", tier.later
    yield "ItemsResting", "Count", tier.resting
    yield "InFlight", "Count", tier.in_flight
    yield "SourcesDue", "Count", tier.sources_due
    yield "HostsDue", "Count", tier.hosts_due


def _document(
    metrics: Iterable[Metric], dimensions: dict[str, str], place: MetricPlace, at: datetime
) -> Document:
    kept = list(metrics)
    directive = {
        "Namespace": place.namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit, _ in kept],
    }
    return {
        "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: round(value, 3) for name, _, value in kept},
    }
