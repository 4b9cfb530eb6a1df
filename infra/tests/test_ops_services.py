"""`status` and `scale`: what AWS tells of an installation, and how many tasks there are."""

import json
from datetime import timedelta

import pytest

from cti_infra.config import STAGING
from cti_ops.cli import main
from cti_ops.errors import Exit, OpsError
from cti_ops.rollout import wait_steady
from cti_ops.scaling import Bounds, bounds_of, scale
from cti_ops.status import Status, as_json, as_table, status_of
from installation import Installation, set_database, set_redis
from model import ROOT


def tell_metrics(installed: Installation, depth: float = 12, *, late: int = 0) -> None:
    values = {"QueueDepth": depth, "OldestMessageAge": 40.0}
    installed.place.client("cloudwatch").put_metric_data(
        Namespace="CTIScraper",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "Environment", "Value": "prod"}],
                "Timestamp": installed.clock.now() - timedelta(minutes=1 + late),
                "Value": value,
            }
            for name, value in values.items()
        ],
    )


def seen(installed: Installation) -> Status:
    installed.agent.act()
    return status_of(installed.place)


def test_an_installation_that_is_well_says_so(installed: Installation) -> None:
    tell_metrics(installed)
    status = seen(installed)
    assert status.wrong == ()
    assert [(one.name, one.desired, one.running) for one in status.services] == [
        ("web", 2, 2),
        ("worker", 2, 2),
        ("scheduler", 1, 1),
        ("model-worker", 1, 1),
        ("ollama", 1, 1),
    ]
    assert (status.queue.state, status.queue.detail) == ("12", "the oldest waits for 40 s")
    assert status.database.state == status.redis.state == "available"
    table = as_table(status)
    assert "web           2        2        0        1            cti-scraper-prod-web:1" in table
    assert table.endswith("All is as it should be.")
    document = json.loads(as_json(status))
    assert document["wrong"] == []
    assert document["services"][0]["task_definition"] == "cti-scraper-prod-web:1"


def test_whatever_is_amiss_is_told_with_what_to_do(installed: Installation) -> None:
    place = installed.place
    alarms = place.client("cloudwatch")
    for name in ("cti-scraper-prod-web-down", "cti-scraper-prod-queue", "other-web-down"):
        alarms.put_metric_alarm(
            AlarmName=name,
            MetricName="m",
            Namespace="n",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            Statistic="Sum",
            ComparisonOperator="LessThanThreshold",
        )
    for name in ("cti-scraper-prod-web-down", "other-web-down"):
        alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    set_database("cti-scraper-prod-database", status="storage-full")
    set_redis(place, "modifying")
    installed.agent.stuck.add("worker")
    place.client("ecs").update_service(cluster=place.cluster, service="worker", desiredCount=4)
    status = seen(installed)
    assert status.alarms == ("cti-scraper-prod-web-down",)
    wrong = "\n".join(status.wrong)
    assert "worker: its deployment is under way" in wrong
    assert "alarm cti-scraper-prod-web-down: see docs/runbooks" in wrong
    assert "queue: nothing was told for 10 minutes; see docs/runbooks/scheduler-down.md" in wrong
    assert "database: storage-full; see docs/runbooks/database-unavailable.md" in wrong
    assert "Redis: modifying; see docs/runbooks/redis.md" in wrong
    assert "! Redis: modifying" in as_table(status)


def test_a_backup_that_is_old_is_told(installed: Installation) -> None:
    tell_metrics(installed)
    installed.clock.at += timedelta(hours=27)
    assert any("backup: the newest is of" in line for line in seen(installed).wrong)
    installed.change("rds", "DescribeDBSnapshots", lambda a: a.update(DBSnapshots=[]))
    assert any("backup: there is none" in line for line in seen(installed).wrong)


def test_what_is_not_there_is_told(installed: Installation) -> None:
    place = installed.place
    place.client("rds").delete_db_instance(
        DBInstanceIdentifier="cti-scraper-prod-database", SkipFinalSnapshot=True
    )
    installed.fail("elasticache", "DescribeReplicationGroups", "ReplicationGroupNotFoundFault")
    wrong = "\n".join(seen(installed).wrong)
    assert "database: there is no cti-scraper-prod-database" in wrong
    assert "Redis: there is no cti-scraper-prod-redis" in wrong


def test_each_page_that_it_names_is_there() -> None:
    text = "\n".join(file.read_text("utf-8") for file in (ROOT / "infra/cti_ops").glob("*.py"))
    pages = {part.split(".md")[0] for part in text.split("docs/runbooks/")[1:] if ".md" in part}
    assert len(pages) > 5
    assert [page for page in pages if not (ROOT / f"docs/runbooks/{page}.md").is_file()] == []


def test_the_command_ends_with_nine_when_something_is_amiss(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["status", "--env=prod", f"--endpoint-url={installed.place.endpoint_url}"]
    assert main([*arguments, "--json"], installed.clock) == 9
    assert json.loads(capsys.readouterr().out)["queue"]["state"] == "unknown"
    tell_metrics(installed)
    assert main(arguments, installed.clock) == 0


def test_the_address_may_come_from_the_environment(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_metrics(installed)
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(installed.place.endpoint_url))
    assert main(["status", "--env=prod"], installed.clock) == 0


def test_where_nothing_is_deployed_it_says_so(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["status", "--env=staging", f"--endpoint-url={installed.place.endpoint_url}"]
    assert main(arguments, installed.clock) == 5
    assert "Cluster not found" in capsys.readouterr().err


def test_where_nobody_listens_it_says_so(
    aws: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert aws
    assert main(["status", "--env=prod", "--endpoint-url=http://127.0.0.1:1"]) == 3
    assert "AWS cannot be reached" in capsys.readouterr().err


def test_a_service_is_scaled_and_waited_for(installed: Installation) -> None:
    scale(installed.place, "web", 5, hold=False)
    web = installed.service("web")
    assert (web["desiredCount"], web["runningCount"]) == (5, 5)
    assert installed.said[-1] == "web: 2 → 5 tasks"


@pytest.mark.parametrize(
    ("service", "count", "code", "said"),
    [
        ("web", 11, Exit.CONFLICT, "scales between 2 and 10 by itself and would undo 11"),
        ("worker", 0, Exit.CONFLICT, "hold its scaling with --hold"),
        ("scheduler", 2, Exit.CONFLICT, "one scheduler at most"),
        (
            "database",
            2,
            Exit.NOT_FOUND,
            "it is one of web, worker, scheduler, model-worker, ollama",
        ),
    ],
)
def test_what_would_not_last_is_refused(
    installed: Installation, service: str, count: int, code: Exit, said: str
) -> None:
    with pytest.raises(OpsError, match=said) as caught:
        scale(installed.place, service, count, hold=False)
    assert caught.value.code == code
    assert installed.service("web")["desiredCount"] == 2
    assert installed.service("worker")["desiredCount"] == 2


def test_what_asks_models_may_be_missing(installed: Installation) -> None:
    place = installed.place
    place.client("ecs").delete_service(cluster=place.cluster, service="model-worker", force=True)
    tell_metrics(installed)
    status = seen(installed)
    assert status.wrong == ()
    assert [one.name for one in status.services] == ["web", "worker", "scheduler", "ollama"]
    with pytest.raises(OpsError, match="has no service model-worker: name a model") as caught:
        scale(place, "model-worker", 1, hold=False)
    assert caught.value.code == Exit.NOT_FOUND
    place.client("ecs").delete_service(cluster=place.cluster, service="worker", force=True)
    with pytest.raises(OpsError, match="has no service worker"):
        seen(installed)


def test_scaling_is_held_and_let_go_on(installed: Installation) -> None:
    place = installed.place
    scale(place, "worker", 0, hold=True)
    assert installed.service("worker")["desiredCount"] == 0
    held = bounds_of(place, "worker")
    assert held == Bounds(least=2, most=5, held=True)
    assert any("worker: its scaling is held" in line for line in seen(installed).wrong)
    scale(place, "worker", 2, hold=False)
    free = bounds_of(place, "worker")
    assert free == Bounds(least=2, most=5, held=False)
    assert installed.service("worker")["runningCount"] == 2


def test_a_service_that_never_gets_its_tasks_is_told(installed: Installation) -> None:
    installed.agent.stuck.add("web")
    with pytest.raises(OpsError, match="not steady after 20 minutes: web: its deployment"):
        scale(installed.place, "web", 3, hold=False)
    assert installed.clock.slept == 1200


def test_no_service_is_steady_at_once(installed: Installation) -> None:
    wait_steady(installed.place, [])
    assert installed.clock.slept == 0
    assert STAGING.ollama is None
