"""`restore-drill`: a backup becomes a scratch database, is compared, timed and removed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cti_ops.clock import duration, wait_for
from cti_ops.compare import MARK
from cti_ops.errors import Exit, OpsError, is_missing
from cti_ops.place import Answer, Place
from cti_ops.tasks import definition_of, derive, forget, run_task

POLL_SECONDS = 30.0
MOST_SECONDS = 4 * 3600.0
# What the plan allows to be lost, and how long a recovery may take.
MOST_LOST = timedelta(hours=24)
LONGEST = timedelta(hours=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a drill measured."""

    source: str
    restored_to: datetime
    begun: datetime
    available: datetime
    compared: datetime
    tables: dict[str, dict[str, Any]]
    newest_article: str

    @property
    def lost(self) -> timedelta:
        """The recovery point: what would be lost if the database were gone when it began."""
        return max(self.begun - self.restored_to, timedelta())

    @property
    def took(self) -> timedelta:
        """The recovery time, until what was restored is known to be whole."""
        return self.compared - self.begun

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as it should be."""
        return tuple(_faults(self))


def _faults(report: Report) -> Iterator[str]:
    for name, told in report.tables.items():
        if told.get("missing"):
            yield f"{name} was not restored"
        elif told.get("same") is False:
            yield f"{name} holds other rows than the original up to that moment"
        elif told["original"] and not told["restored"]:
            yield f"{name} is empty, and the original has {told['original']} rows"
    if report.lost > MOST_LOST:
        yield f"{duration(report.lost.total_seconds())} would be lost; the plan allows 24 h"
    if report.took > LONGEST:
        yield f"it took {duration(report.took.total_seconds())}; the plan allows 8 h"


def drill(place: Place, *, snapshot: str | None, at: datetime | None) -> Report:
    """Return what was measured; the scratch database is removed in any case. Raises OpsError."""
    original = _instance(place, place.named("database"))
    if original is None:
        raise OpsError(f"there is no database {place.named('database')}", Exit.NOT_FOUND)
    scratch = place.named("drill")
    if _instance(place, scratch) is not None:
        raise OpsError(
            f"{scratch} is there already, of a drill that runs or was broken off: wait for it, or "
            f"aws rds delete-db-instance --db-instance-identifier {scratch} --skip-final-snapshot",
            Exit.CONFLICT,
        )
    begun = place.clock.now()
    moment, source = _begin(place, original, scratch, snapshot=snapshot, at=at)
    place.say(f"restoring {source} of {moment:%Y-%m-%d %H:%M:%S} UTC as {scratch}")
    try:
        host = _wait_available(place, scratch)
        available = place.clock.now()
        place.say(f"{scratch} is available after {duration((available - begun).total_seconds())}")
        _take_password(place, original, scratch)
        found = _compare(place, host)
        compared = place.clock.now()
    finally:
        _remove(place, scratch)
    return Report(
        source=source,
        restored_to=moment,
        begun=begun,
        available=available,
        compared=compared,
        tables=found["tables"],
        newest_article=str(found["newest"][1]),
    )


def _begin(
    place: Place, original: Answer, scratch: str, *, snapshot: str | None, at: datetime | None
) -> tuple[datetime, str]:
    """Return the moment that is being restored, and from what."""
    rds, like = place.client("rds"), _like(original)
    if snapshot is not None:
        found = _snapshot(place, snapshot)
        rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=scratch,
            DBSnapshotIdentifier=found["DBSnapshotIdentifier"],
            **like,
        )
        return found["SnapshotCreateTime"], found["DBSnapshotIdentifier"]
    latest = original.get("LatestRestorableTime")
    if latest is None:
        raise OpsError("the database keeps no logs to restore from: give --snapshot", Exit.CONFLICT)
    moment = at or latest
    if moment > latest:
        raise OpsError(
            f"the latest moment to go back to is {latest:%Y-%m-%dT%H:%M:%SZ}: give one before it",
            Exit.CONFLICT,
        )
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=original["DBInstanceIdentifier"],
        TargetDBInstanceIdentifier=scratch,
        RestoreTime=moment,
        **like,
    )
    return moment, "the logs"


def _like(original: Answer) -> dict[str, Any]:
    """Return where a scratch database is, and what it asks of whoever connects."""
    return {
        "DBInstanceClass": original["DBInstanceClass"],
        "DBSubnetGroupName": original["DBSubnetGroup"]["DBSubnetGroupName"],
        "VpcSecurityGroupIds": [
            group["VpcSecurityGroupId"] for group in original["VpcSecurityGroups"]
        ],
        # Without it TLS would not be asked for.
        "DBParameterGroupName": original["DBParameterGroups"][0]["DBParameterGroupName"],
        "PubliclyAccessible": False,
        "MultiAZ": False,
        "DeletionProtection": False,
        "Tags": [{"Key": "Project", "Value": "cti-scraper"}, {"Key": "Drill", "Value": "yes"}],
    }


def _snapshot(place: Place, name: str) -> Answer:
    taken = [
        one
        for page in place.client("rds")
        .get_paginator("describe_db_snapshots")
        .paginate(DBInstanceIdentifier=place.named("database"))
        for one in page["DBSnapshots"]
        if one.get("Status") == "available"
    ]
    if name != "latest":
        taken = [one for one in taken if one["DBSnapshotIdentifier"] == name]
    if not taken:
        raise OpsError(
            f"there is no snapshot {name}: aws rds describe-db-snapshots "
            f"--db-instance-identifier {place.named('database')} shows those there are",
            Exit.NOT_FOUND,
        )
    newest: Answer = max(taken, key=lambda one: one["SnapshotCreateTime"])
    return newest


def _instance(place: Place, name: str) -> Answer | None:
    try:
        found: Answer = place.client("rds").describe_db_instances(DBInstanceIdentifier=name)[
            "DBInstances"
        ][0]
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _wait_available(place: Place, name: str) -> str:
    """Return the host of a database, once it can be reached."""

    def available() -> str | None:
        found = _instance(place, name)
        if found is None or found["DBInstanceStatus"] in {"failed", "incompatible-restore"}:
            state = found["DBInstanceStatus"] if found else "gone"
            raise OpsError(
                f"the restore failed: {name} is {state}; aws rds describe-events says why"
            )
        if found["DBInstanceStatus"] != "available":
            return None
        return str(found["Endpoint"]["Address"])

    return wait_for(
        place.clock,
        available,
        every=POLL_SECONDS,
        most=MOST_SECONDS,
        late=f"{name} is not available after {duration(MOST_SECONDS)}: RTO is missed",
    )


def _take_password(place: Place, original: Answer, scratch: str) -> None:
    """Give the scratch database the owner's password of today: its own is that of the backup."""
    arn = original.get("MasterUserSecret", {}).get("SecretArn")
    if not arn:
        raise OpsError("the owner's password is not managed by RDS: deploy Data", Exit.CONFLICT)
    value = place.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    place.client("rds").modify_db_instance(
        DBInstanceIdentifier=scratch,
        MasterUserPassword=json.loads(value)["password"],
        ApplyImmediately=True,
    )
    # RDS begins with it some seconds later, and is not available for as long as it takes.
    place.clock.sleep(POLL_SECONDS)
    _wait_available(place, scratch)


def _compare(place: Place, host: str) -> Answer:
    """Return what a task found in both databases."""
    release = definition_of(place, place.named("migrate"))
    container = next(one for one in release["containerDefinitions"] if one["name"] == "roles")
    told = {pair["name"]: pair["value"] for pair in container["environment"]}
    # user@HOST:port, the one name in it.
    before, _, rest = told["DATABASE_URL"].partition("@")
    told["RESTORED_URL"] = f"{before}@{host}:{rest.partition(':')[2]}"
    script = Path(__file__).with_name("compare.py").read_text("utf-8")
    definition = derive(
        place,
        "drill",
        [
            {
                "name": "compare",
                "entryPoint": ["python", "-c"],
                "command": [script],
                "environment": [{"name": k, "value": v} for k, v in sorted(told.items())],
            }
        ],
    )
    try:
        ended = run_task(place, definition)
    finally:
        forget(place, definition)
    results = [line for line in ended.lines if line.startswith(MARK)]
    if not ended.well or not results:
        raise OpsError(f"the databases could not be compared: {ended.told()}")
    found: Answer = json.loads(results[-1].removeprefix(MARK))
    return found


def _remove(place: Place, scratch: str) -> None:
    if _instance(place, scratch) is None:
        return
    place.client("rds").delete_db_instance(
        DBInstanceIdentifier=scratch, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
    )
    place.say(f"{scratch} is being deleted")


def report_lines(report: Report) -> Iterator[str]:
    """Yield the report for people."""
    yield f"restored   {report.source}, {report.restored_to:%Y-%m-%d %H:%M:%S} UTC"
    yield f"began      {report.begun:%Y-%m-%d %H:%M:%S} UTC"
    yield f"available  {report.available:%Y-%m-%d %H:%M:%S} UTC"
    yield f"compared   {report.compared:%Y-%m-%d %H:%M:%S} UTC"
    yield f"RPO        {duration(report.lost.total_seconds())} (allowed: 24 h)"
    yield f"RTO        {duration(report.took.total_seconds())} (allowed: 8 h)"
    yield f"newest     an article of {report.newest_article}"
    for name, told in report.tables.items():
        if "same" in told:
            rows = f"{told['restored']} of {told['original']} rows"
            yield f"table      {name}: {rows}, {'the same' if told['same'] else 'OTHER'}"
    counted = sum(1 for told in report.tables.values() if "missing" not in told)
    yield f"tables     {counted} of {len(report.tables)} are there"


def report_json(report: Report) -> str:
    """Return the report as one document."""
    return json.dumps(
        {
            "source": report.source,
            "restored_to": report.restored_to.isoformat(),
            "begun": report.begun.isoformat(),
            "available": report.available.isoformat(),
            "compared": report.compared.isoformat(),
            "rpo_seconds": report.lost.total_seconds(),
            "rto_seconds": report.took.total_seconds(),
            "newest_article": report.newest_article,
            "tables": report.tables,
            "wrong": list(report.faults),
        },
        indent=2,
        sort_keys=True,
    )
