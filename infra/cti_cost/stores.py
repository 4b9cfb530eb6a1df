"""What databases, buckets, images and copies cost."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from cti_cost.errors import CostError
from cti_cost.figures import Span, span
from cti_cost.lines import (
    BACKUPS,
    DELIVERY,
    GUARDS,
    HOURS,
    RDS,
    REDIS,
    S3,
    WATCHING,
    Asked,
    Line,
    number,
)
from cti_cost.templates import Resource

_DAYS = 30
# Days of Performance Insights that nothing is asked for.
_FREE_INSIGHTS = 7
# The least that a proxy is charged for.
_PROXY_CPUS = 2
_TIERING = "INTELLIGENT_TIERING"


def databases(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what databases cost, from the storage they begin with to the most they may grow to."""
    for database in found:
        place, both = database.place, 2 if database.get("MultiAZ") else 1
        kind = database["DBInstanceClass"]
        hours = asked.usage["database_hours"] * both
        yield asked.line(RDS, f"instance, {kind}", place, f"rds_{kind}", hours)
        first = number(database["AllocatedStorage"])
        size = span(first, number(database.get("MaxAllocatedStorage", first)))
        price = f"rds_{database['StorageType']}{'_multi_az' if both > 1 else ''}"
        yield asked.line(RDS, "storage", place, price, size)
        yield from _beside(asked, database)


def _beside(asked: Asked, database: Resource) -> Iterator[Line]:
    """Yield what a database brings with it: backups, its owner's password, and being watched."""
    place = database.place
    if database.get("BackupRetentionPeriod", 1):
        beyond = asked.usage["automatic_backups"]
        yield asked.line(BACKUPS, "automatic backups", place, "snapshot", beyond)
    if database.get("ManageMasterUserPassword"):
        yield asked.line(GUARDS, "secret that RDS keeps", place, "secret", span(1))
    if database.get("MonitoringInterval"):
        lines = asked.usage["monitoring_gigabytes"]
        yield asked.line(WATCHING, "enhanced monitoring", place, "logs_in", lines)
    if database.get("PerformanceInsightsRetentionPeriod", _FREE_INSIGHTS) > _FREE_INSIGHTS:
        raise CostError(f"{place}: no price of Performance Insights beyond {_FREE_INSIGHTS} days")


def proxies(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what proxies before databases cost."""
    for proxy in found:
        hours = HOURS * _PROXY_CPUS
        yield asked.line(RDS, "RDS Proxy", proxy.place, "rds_proxy", hours)


def caches(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what nodes of Redis and their snapshots cost."""
    for cache in found:
        kind = cache["CacheNodeType"]
        hours = HOURS * int(cache["NumCacheClusters"])
        yield asked.line(REDIS, f"nodes, {kind}", cache.place, f"cache_{kind}", hours)
        # One snapshot is free.
        days = max(int(cache.get("SnapshotRetentionLimit", 0)) - 1, 0)
        kept = asked.usage["redis_snapshot"] * days
        yield asked.line(BACKUPS, "snapshots of Redis", cache.place, "cache_snapshot", kept)


def buckets(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what is kept in buckets, what is written, and what is copied elsewhere."""
    for bucket in found:
        kept, written = asked.usage[bucket.place], asked.usage[f"{bucket.place} writes"]
        if _tiered(bucket):
            seldom = kept * asked.usage["infrequent_share"]
            yield asked.line(S3, "seldom read", bucket.place, "s3_infrequent", seldom)
            yield asked.line(S3, "moved to its tier", bucket.place, "s3_transitions", written)
            kept -= seldom
        yield asked.line(S3, "kept", bucket.place, "s3_standard", kept)
        yield asked.line(S3, "writes", bucket.place, "s3_writes", written)
        if bucket.get("ReplicationConfiguration"):
            yield from _replicated(asked, bucket)


def _tiered(bucket: Resource) -> bool:
    rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
    return any(
        transition["StorageClass"] == _TIERING
        for rule in rules
        if rule["Status"] == "Enabled"
        for transition in rule.get("Transitions", [])
    )


def _replicated(asked: Asked, bucket: Resource) -> Iterator[Line]:
    moved, objects = asked.usage["replicated_gigabytes"], asked.usage["replicated_objects"]
    yield asked.line(S3, "copied to another region", bucket.place, "between_regions", moved)
    price = "s3_infrequent_writes"
    yield asked.line(S3, "writes of the copies", bucket.place, price, objects)


def repositories(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what images cost that are kept."""
    for repository in found:
        kept = asked.usage[repository.place]
        yield asked.line(DELIVERY, "images", repository.place, "ecr_storage", kept)


def backup_plans(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what copies of the database cost: the first whole, the others what changed."""
    for plan in found:
        for rule in plan["BackupPlan"]["BackupPlanRule"]:
            days = number(rule["Lifecycle"]["DeleteAfterDays"])
            kept = _copies(asked, days)
            yield asked.line(BACKUPS, "daily copies", plan.place, "snapshot", kept)
            for copy in rule.get("CopyActions", []):
                away = _copies(asked, number(copy["Lifecycle"]["DeleteAfterDays"]))
                yield asked.line(BACKUPS, "copies elsewhere", plan.place, "snapshot", away)
                moved = asked.usage["database_daily"] * _DAYS
                item = "copied to another region"
                yield asked.line(BACKUPS, item, plan.place, "between_regions", moved)


def _copies(asked: Asked, days: Decimal) -> Span:
    return asked.usage["database_used"] + asked.usage["database_daily"] * (days - 1)
