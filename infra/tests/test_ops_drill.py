"""`restore-drill`: a backup is restored beside the database, compared, timed and removed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from cti_ops.cli import main
from cti_ops.compare import MARK
from cti_ops.drill import drill, report_json, report_lines
from cti_ops.errors import Exit, OpsError
from cti_ops.place import Answer
from installation import OWNER_PASSWORD, Installation, renew_owner, set_database

SCRATCH = "cti-scraper-prod-drill"
GOOD = {
    "tables": {
        "article": {"original": 120, "restored": 118, "same": True},
        "host": {"original": 9, "restored": 9},
    },
    "newest": ["2026-11-27 03:00:00+00", "2026-11-27 02:55:00+00"],
}


def says(installed: Installation, result: Any) -> None:
    installed.agent.lines["drill", "compare"] = ["starting", MARK + json.dumps(result)]


@pytest.fixture
def ready(installed: Installation) -> Installation:
    says(installed, GOOD)
    renew_owner(installed.place)
    for action in (
        "RestoreDBInstanceToPointInTime",
        "RestoreDBInstanceFromDBSnapshot",
        "ModifyDBInstance",
        "DeleteDBInstance",
    ):
        installed.watch("rds", action)
    return installed


def left(installed: Installation) -> list[str]:
    found = installed.place.client("rds").describe_db_instances()["DBInstances"]
    return [one["DBInstanceIdentifier"] for one in found]


def test_a_moment_is_restored_compared_timed_and_removed(ready: Installation) -> None:
    moment = ready.clock.now() - timedelta(minutes=10)
    report = drill(ready.place, snapshot=None, at=moment)
    (asked,) = ready.sent("RestoreDBInstanceToPointInTime")
    assert asked["SourceDBInstanceIdentifier"] == "cti-scraper-prod-database"
    assert asked["RestoreTime"] == moment
    assert asked["DBParameterGroupName"] == "tls"
    assert asked["DBSubnetGroupName"] == "places"
    assert asked["PubliclyAccessible"] is False
    assert len(asked["VpcSecurityGroupIds"]) == 1
    assert report.lost == timedelta(minutes=10)
    assert timedelta(0) < report.took < timedelta(minutes=5)
    assert report.faults == ()
    assert left(ready) == ["cti-scraper-prod-database"]
    lines = list(report_lines(report))
    assert "RPO        10 min 00 s (allowed: 24 h)" in lines
    assert "table      article: 118 of 120 rows, the same" in lines
    document = json.loads(report_json(report))
    assert document["rpo_seconds"] == 600
    assert document["rto_seconds"] == report.took.total_seconds()


def test_the_newest_snapshot_may_be_restored(ready: Installation) -> None:
    ready.clock.at += timedelta(hours=3)
    report = drill(ready.place, snapshot="latest", at=None)
    (asked,) = ready.sent("RestoreDBInstanceFromDBSnapshot")
    assert asked["DBSnapshotIdentifier"] == report.source == "before-the-drill"
    assert timedelta(hours=2, minutes=59) < report.lost < timedelta(hours=3, minutes=1)
    assert left(ready) == ["cti-scraper-prod-database"]


def test_the_task_is_told_both_databases_and_no_password(ready: Installation) -> None:
    drill(ready.place, snapshot="latest", at=None)
    prepare, compare = ready.agent.definitions[0]["containerDefinitions"]
    assert prepare["secrets"]
    told = {one["name"]: one["value"] for one in compare["environment"]}
    assert told["DATABASE_URL"].startswith("postgresql://ctiscraper@database.example:5432/")
    assert told["RESTORED_URL"].startswith(f"postgresql://ctiscraper@{SCRATCH}.")
    assert told["RESTORED_URL"].endswith(told["DATABASE_URL"].partition(":5432")[2])
    assert compare["entryPoint"] == ["python", "-c"]
    assert OWNER_PASSWORD not in json.dumps(ready.agent.definitions)
    (asked,) = ready.sent("ModifyDBInstance")
    assert (asked["DBInstanceIdentifier"], asked["MasterUserPassword"]) == (
        SCRATCH,
        OWNER_PASSWORD,
    )
    assert OWNER_PASSWORD not in "\n".join(ready.said)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"article": {"missing": True}}, "article was not restored"),
        (
            {"article": {"original": 5, "restored": 5, "same": False}},
            "article holds other rows than the original",
        ),
        ({"host": {"original": 9, "restored": 0}}, "host is empty, and the original has 9 rows"),
    ],
)
def test_what_was_not_restored_well_is_told(
    ready: Installation, harm: dict[str, Any], said: str
) -> None:
    says(ready, {**GOOD, "tables": {**GOOD["tables"], **harm}})  # type: ignore[dict-item]  # as JSON has it
    (fault,) = drill(ready.place, snapshot="latest", at=None).faults
    assert said in fault


def test_a_day_that_would_be_lost_is_told(ready: Installation) -> None:
    moment = ready.clock.now() - timedelta(hours=25)
    report = drill(ready.place, snapshot=None, at=moment)
    assert report.faults == ("25 h 00 min would be lost; the plan allows 24 h",)


def test_the_scratch_database_goes_whatever_fails(ready: Installation) -> None:
    ready.agent.codes["drill", "compare"] = 1
    with pytest.raises(OpsError, match="could not be compared: prepare 0, compare 1"):
        drill(ready.place, snapshot="latest", at=None)
    assert left(ready) == ["cti-scraper-prod-database"]
    assert ready.sent("DeleteDBInstance")[0]["SkipFinalSnapshot"] is True


def test_a_restore_that_fails_is_told(ready: Installation) -> None:
    def incompatible(answer: Answer) -> None:
        for one in answer.get("DBInstances", []):
            if one["DBInstanceIdentifier"] == SCRATCH:
                one["DBInstanceStatus"] = "incompatible-restore"

    ready.change("rds", "DescribeDBInstances", incompatible)
    with pytest.raises(OpsError, match=r"the restore failed: .* is incompatible-restore"):
        drill(ready.place, snapshot="latest", at=None)
    assert left(ready) == ["cti-scraper-prod-database"]


def test_a_restore_that_never_ends_is_not_waited_for_for_ever(ready: Installation) -> None:
    ready.clock.acts.append(lambda: set_database(SCRATCH, status="creating"))
    ready.change(
        "rds",
        "RestoreDBInstanceFromDBSnapshot",
        lambda _: set_database(SCRATCH, status="creating"),
    )
    with pytest.raises(OpsError, match="not available after 4 h 00 min: RTO is missed"):
        drill(ready.place, snapshot="latest", at=None)
    assert ready.clock.slept >= 4 * 3600


def test_a_drill_that_runs_already_is_not_disturbed(ready: Installation) -> None:
    ready.place.client("rds").create_db_instance(
        DBInstanceIdentifier=SCRATCH, Engine="postgres", DBInstanceClass="db.t3.micro"
    )
    with pytest.raises(OpsError, match="is there already, of a drill that runs") as caught:
        drill(ready.place, snapshot="latest", at=None)
    assert caught.value.code == Exit.CONFLICT
    assert SCRATCH in left(ready)


def test_what_cannot_be_restored_is_refused(ready: Installation) -> None:
    with pytest.raises(OpsError, match="there is no snapshot yesterday"):
        drill(ready.place, snapshot="yesterday", at=None)
    with pytest.raises(OpsError, match="the latest moment to go back to is"):
        drill(ready.place, snapshot=None, at=ready.clock.now() + timedelta(days=1))
    assert left(ready) == ["cti-scraper-prod-database"]


def test_the_command_reports_and_ends_as_it_went(
    ready: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["restore-drill", "--env=prod", f"--endpoint-url={ready.place.endpoint_url}"]
    assert main([*arguments, "--snapshot=latest", "--json"], ready.clock) == 0
    assert json.loads(capsys.readouterr().out)["wrong"] == []
    says(ready, {**GOOD, "tables": {"article": {"missing": True}}})
    assert main([*arguments, "--snapshot=latest"], ready.clock) == 9
    assert "! article was not restored" in capsys.readouterr().err
