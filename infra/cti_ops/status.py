"""`status`: services, alarms, work that waits, database, Redis and backups, as AWS tells them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cti_ops.errors import OpsError, error_code, is_missing
from cti_ops.place import Answer, Place
from cti_ops.rollout import failed, obstacle
from cti_ops.scaling import bounds_of

NAMESPACE = "CTIScraper"
# Beat publishes each minute; so much may be late.
METRIC_MINUTES = 10
# A day, and the hours that a backup may take.
OLDEST_BACKUP = timedelta(hours=26)
OLDEST_RESTORABLE = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """How many tasks a service has and should have, and of how many deployments."""

    name: str
    desired: int
    running: int
    pending: int
    deployments: int
    task_definition: str
    scaling_held: bool
    wrong: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that is not a service: its state, what else is told of it, and what is wrong."""

    state: str
    detail: str
    wrong: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that is told of an environment."""

    environment: str
    at: datetime
    services: tuple[ServiceState, ...]
    alarms: tuple[str, ...]
    queue: Part
    database: Part
    redis: Part
    backup: Part

    @property
    def wrong(self) -> tuple[str, ...]:
        """Everything that is not as it should be, with what to do."""
        return tuple(_wrong(self))


def _wrong(status: Status) -> Iterator[str]:
    yield from (one.wrong for one in status.services if one.wrong)
    for name in status.alarms:
        yield f"alarm {name}: see docs/runbooks and aws cloudwatch describe-alarms"
    for part in (status.queue, status.database, status.redis, status.backup):
        if part.wrong:
            yield part.wrong


def status_of(place: Place) -> Status:
    """Return the state of an environment. Raises OpsError when nothing is deployed."""
    now = place.clock.now()
    return Status(
        environment=place.environment.name,
        at=now,
        services=tuple(_service(place, one) for one in place.described()),
        alarms=tuple(_alarms(place)),
        queue=_queue(place, now),
        database=_database(place),
        redis=_redis(place),
        backup=_backup(place, now),
    )


def _service(place: Place, seen: Answer) -> ServiceState:
    name = seen["serviceName"]
    bounds = bounds_of(place, name)
    held = bounds is not None and bounds.held
    wrong = failed(seen) or obstacle(seen)
    if wrong is None and held:
        wrong = (
            f"{name}: its scaling is held; ops scale {name} {seen['desiredCount']} lets it go on"
        )
    return ServiceState(
        name=name,
        desired=seen["desiredCount"],
        running=seen["runningCount"],
        pending=seen["pendingCount"],
        deployments=len(seen.get("deployments", [])),
        task_definition=seen["taskDefinition"].rsplit("/")[-1],
        scaling_held=held,
        wrong=wrong,
    )


def _alarms(place: Place) -> Iterator[str]:
    pages = (
        place.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=place.named(""), StateValue="ALARM", AlarmTypes=["MetricAlarm"])
    )
    for page in pages:
        for alarm in page["MetricAlarms"]:
            if alarm["StateValue"] == "ALARM":
                yield alarm["AlarmName"]


def _queue(place: Place, now: datetime) -> Part:
    def last(metric: str) -> float | None:
        points = place.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=[{"Name": "Environment", "Value": place.environment.name}],
            StartTime=now - timedelta(minutes=METRIC_MINUTES),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        newest: Answer | None = max(points, key=lambda one: one["Timestamp"], default=None)
        return None if newest is None else float(newest["Maximum"])

    depth, oldest = last("QueueDepth"), last("OldestMessageAge")
    if depth is None:
        return Part(
            state="unknown",
            detail="",
            wrong=(
                f"queue: nothing was told for {METRIC_MINUTES} minutes; see "
                "docs/runbooks/scheduler-down.md"
            ),
        )
    detail = "" if oldest is None else f"the oldest waits for {oldest:.0f} s"
    return Part(state=f"{depth:.0f}", detail=detail, wrong=None)


def _database(place: Place) -> Part:
    name = place.named("database")
    found = _database_instance(place)
    if found is None:
        return Part(state="missing", detail="", wrong=f"database: there is no {name}")
    state = found["DBInstanceStatus"]
    detail = f"PostgreSQL {found.get('EngineVersion', '')}, {found['DBInstanceClass']}"
    wrong = (
        None
        if state == "available"
        else f"database: {state}; see docs/runbooks/database-unavailable.md"
    )
    return Part(state=state, detail=detail, wrong=wrong)


def _database_instance(place: Place) -> Answer | None:
    try:
        found: Answer = place.client("rds").describe_db_instances(
            DBInstanceIdentifier=place.named("database")
        )["DBInstances"][0]
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _redis(place: Place) -> Part:
    name = place.named("redis")
    try:
        found = place.client("elasticache").describe_replication_groups(ReplicationGroupId=name)[
            "ReplicationGroups"
        ][0]
    except ClientError as error:
        if error_code(error) not in {"ReplicationGroupNotFoundFault", "ReplicationGroupNotFound"}:
            raise
        return Part(state="missing", detail="", wrong=f"Redis: there is no {name}")
    state = found["Status"]
    wrong = None if state == "available" else f"Redis: {state}; see docs/runbooks/redis.md"
    return Part(state=state, detail=str(found.get("CacheNodeType", "")), wrong=wrong)


def _backup(place: Place, now: datetime) -> Part:
    taken = [
        snapshot["SnapshotCreateTime"]
        for page in place.client("rds")
        .get_paginator("describe_db_snapshots")
        .paginate(DBInstanceIdentifier=place.named("database"))
        for snapshot in page["DBSnapshots"]
        if snapshot.get("Status") == "available" and "SnapshotCreateTime" in snapshot
    ]
    if not taken:
        return Part(
            state="none", detail="", wrong="backup: there is none; see docs/runbooks/restore.md"
        )
    newest = max(taken)
    instance = _database_instance(place) or {}
    until = instance.get("LatestRestorableTime")
    wrong = None
    if now - newest > OLDEST_BACKUP:
        wrong = f"backup: the newest is of {newest:%Y-%m-%d %H:%M}; see docs/runbooks/restore.md"
    elif until is not None and now - until > OLDEST_RESTORABLE:
        wrong = f"backup: logs are kept up to {until:%Y-%m-%d %H:%M} alone; ask AWS"
    detail = f"to any moment until {until:%Y-%m-%d %H:%M}" if until else ""
    return Part(state=f"{newest:%Y-%m-%d %H:%M}", detail=detail, wrong=wrong)


def as_json(status: Status) -> str:
    """Return the state as one document."""
    document = {**asdict(status), "wrong": list(status.wrong)}
    return json.dumps(document, default=_plain, indent=2, sort_keys=True)


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON has no form for
    if isinstance(value, datetime):
        return value.isoformat()
    raise OpsError(f"{type(value).__name__} has no form in JSON")


def as_table(status: Status) -> str:
    """Return the state for people."""
    head = ("service", "desired", "running", "pending", "deployments", "task")
    rows = [
        (one.name, one.desired, one.running, one.pending, one.deployments, one.task_definition)
        for one in status.services
    ]
    parts = {
        "queue": status.queue,
        "database": status.database,
        "Redis": status.redis,
        "last backup": status.backup,
    }
    lines = [
        *columns([head, *rows]),
        "",
        *columns([(name, part.state, part.detail) for name, part in parts.items()]),
        "",
        *(f"! {line}" for line in status.wrong),
    ]
    if not status.wrong:
        lines.append("All is as it should be.")
    return "\n".join(lines)


def columns(rows: list[tuple[object, ...]]) -> Iterator[str]:
    """Yield rows with their columns below each other."""
    widths = [max(len(str(row[at])) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(
            f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
