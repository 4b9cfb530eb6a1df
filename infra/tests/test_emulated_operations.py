"""Production in an emulator: what keeps, watches and delivers, read back."""

import json
from typing import Any

import pytest

from cti_infra.config import PROD
from emulated import MAIL
from emulation import Deployer

ACCOUNT = "123456789012"
BUCKETS = {
    "data.DataBucket": f"cti-scraper-data-prod-{ACCOUNT}",
    "data.LogBucket": f"cti-scraper-logs-prod-{ACCOUNT}",
    "dr.ReplicaBucket": f"cti-scraper-data-prod-{ACCOUNT}-replica",
    "baseline.TrailBucket": f"cti-scraper-trail-prod-{ACCOUNT}",
}
DATA = BUCKETS["data.DataBucket"]


@pytest.fixture
def s3(prod: Deployer) -> Any:
    return prod.calls("data").client("s3")


def identity(prod: Deployer, place: str) -> str:
    return prod.made[place].identity


@pytest.mark.parametrize("place", BUCKETS)
def test_buckets_are_encrypted_versioned_private_and_over_tls(prod: Deployer, place: str) -> None:
    name = identity(prod, place)
    assert name == BUCKETS[place]
    client = prod.calls(place.partition(".")[0]).client("s3")
    rules = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    block = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert len(block) == 4
    document = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
    tls = next(one for one in document["Statement"] if one.get("Sid") == "OnlyOverTls")
    assert (tls["Effect"], tls["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_objects_find_the_cheapest_place(s3: Any, prod: Deployer) -> None:
    assert identity(prod, "data.DataBucket") == DATA
    rules = s3.get_bucket_lifecycle_configuration(Bucket=DATA)["Rules"]
    classes = {one["StorageClass"] for rule in rules for one in rule.get("Transitions", [])}
    assert classes == {"INTELLIGENT_TIERING"}


def test_application_data_is_copied_to_the_other_region(s3: Any, prod: Deployer) -> None:
    found = s3.get_bucket_replication(Bucket=DATA)["ReplicationConfiguration"]
    [rule] = found["Rules"]
    target = identity(prod, "dr.ReplicaBucket")
    assert (rule["Status"], rule["Destination"]["Bucket"]) == ("Enabled", f"arn:aws:s3:::{target}")
    other = prod.calls("dr").client("s3").get_bucket_location(Bucket=target)
    assert other["LocationConstraint"] == PROD.recovery_region
    assert found["Role"] == prod.made["data.ReplicationRole"].attributes["Arn"]


def test_who_asks_for_objects_is_logged(s3: Any, prod: Deployer) -> None:
    logging = s3.get_bucket_logging(Bucket=DATA)["LoggingEnabled"]
    assert logging["TargetBucket"] == identity(prod, "data.LogBucket")


def test_repositories_are_the_plans_and_scan(prod: Deployer) -> None:
    client = prod.calls("registry").client("ecr")
    found = {one["repositoryName"]: one for one in client.describe_repositories()["repositories"]}
    assert set(found) == {
        f"cti-scraper/{name}" for name in ("web", "worker", "scheduler", "ollama")
    }
    for name, one in found.items():
        assert one["imageTagMutability"] == "IMMUTABLE"
        assert one["imageScanningConfiguration"]["scanOnPush"] is True
        text = client.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
        assert len(json.loads(text)["rules"]) == 2


def test_the_firewall_is_before_the_load_balancer(prod: Deployer) -> None:
    client = prod.calls("app").client("wafv2")
    balancer = identity(prod, "app.LoadBalancer")
    acl = client.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]
    assert acl["Name"] == "cti-scraper-prod-firewall"
    rate = next(rule for rule in acl["Rules"] if rule["Name"] == "Rate")
    assert rate["Statement"]["RateBasedStatement"]["Limit"] == 2000
    priorities = [rule["Priority"] for rule in acl["Rules"]]
    assert len(set(priorities)) == len(priorities) == 6
    groups = {
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
        for rule in acl["Rules"]
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    assert {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet"} <= groups


def test_every_alarm_tells_a_topic_that_is_there(prod: Deployer) -> None:
    calls = prod.calls("observability")
    topics = {one["TopicArn"] for one in calls.client("sns").list_topics()["Topics"]}
    pages = calls.client("cloudwatch").get_paginator("describe_alarms").paginate()
    # Scaling policies bring alarms of their own.
    alarms = [
        one
        for page in pages
        for one in page["MetricAlarms"]
        if one["AlarmName"].startswith("cti-scraper-prod-")
    ]
    assert len(alarms) == 42
    assert all(set(one["AlarmActions"]) <= topics and one["AlarmActions"] for one in alarms)
    assert any(len(one.get("Metrics", [])) > 1 for one in alarms)


def test_an_alarm_can_be_set_off_in_a_drill(prod: Deployer) -> None:
    client = prod.calls("observability").client("cloudwatch")
    name = identity(prod, "observability.WebDownAlarm")
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="drill")
    [alarm] = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"


def test_alarms_of_a_service_name_one_that_runs(prod: Deployer) -> None:
    client = prod.calls("observability").client("cloudwatch")
    [alarm] = client.describe_alarms(AlarmNames=["cti-scraper-prod-database-connections"])[
        "MetricAlarms"
    ]
    [dimension] = alarm["Dimensions"]
    found = prod.calls("data").client("rds").describe_db_instances()["DBInstances"]
    assert dimension["Value"] in {one["DBInstanceIdentifier"] for one in found}


def test_the_dashboard_is_a_document(prod: Deployer) -> None:
    client = prod.calls("observability").client("cloudwatch")
    name = identity(prod, "observability.Dashboard")
    body = json.loads(client.get_dashboard(DashboardName=name)["DashboardBody"])
    assert len(body["widgets"]) > 5
    listed = body["widgets"][0]["properties"]["alarms"]
    assert len(listed) == len(set(listed)) == 37


def test_logs_are_kept_as_long_as_configured(prod: Deployer) -> None:
    groups = prod.calls("app").client("logs").describe_log_groups()["logGroups"]
    kept = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
    wanted = {f"/aws/ecs/cti-scraper/{name}" for name in ("web", "worker", "scheduler")}
    assert wanted <= set(kept)
    assert set(kept.values()) == {PROD.log_days}


def test_the_database_is_copied_daily_and_abroad(prod: Deployer) -> None:
    client = prod.calls("data").client("backup")
    plan = client.get_backup_plan(BackupPlanId=identity(prod, "data.BackupPlan"))["BackupPlan"]
    [rule] = plan["Rules"]
    assert rule["ScheduleExpression"].startswith("cron(0 5 * * ?")
    assert rule["TargetBackupVaultName"] == identity(prod, "data.Vault")
    [copy] = rule["CopyActions"]
    there = prod.calls("dr").client("backup")
    vault = there.describe_backup_vault(BackupVaultName=identity(prod, "dr.Vault"))
    assert copy["DestinationBackupVaultArn"] == vault["BackupVaultArn"]


def test_the_pipeline_tests_then_releases_then_deploys(prod: Deployer) -> None:
    client = prod.calls("delivery").client("codepipeline")
    stages = client.get_pipeline(name="cti-scraper-prod-pipeline")["pipeline"]["stages"]
    names = [stage["name"] for stage in stages]
    assert names == ["Source", "Test", "Images", "Release", "Approval", "App"]
    projects = set(prod.calls("delivery").client("codebuild").list_projects()["projects"])
    used = {
        action["configuration"]["ProjectName"]
        for stage in stages
        for action in stage["actions"]
        if action["actionTypeId"]["provider"] == "CodeBuild"
    }
    assert used == projects


def test_events_reach_topics(prod: Deployer) -> None:
    client = prod.calls("observability").client("events")
    topics = {
        identity(prod, f"observability.{level}Alerts") for level in ("Critical", "Warning", "Info")
    }
    rules = client.list_rules()["Rules"]
    assert len(rules) == 7
    for rule in rules:
        targets = client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        assert targets
        assert {target["Arn"] for target in targets} <= topics, rule["Name"]


def test_keys_are_renewed(prod: Deployer) -> None:
    for place in ("data.Key", "dr.Key", "observability.AlertsKey"):
        client = prod.calls(place.partition(".")[0]).client("kms")
        status = client.get_key_rotation_status(KeyId=identity(prod, place))
        assert status["KeyRotationEnabled"] is True


def test_the_trail_records_and_the_budget_is_the_plans(prod: Deployer) -> None:
    calls = prod.calls("baseline")
    status = calls.client("cloudtrail").get_trail_status(Name="cti-scraper-prod-trail")
    assert status["IsLogging"] is True
    [budget] = calls.client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"]
    assert float(budget["BudgetLimit"]["Amount"]) == PROD.monthly_budget == 880
    rules = calls.client("config").describe_config_rules()["ConfigRules"]
    assert len(rules) == 12


def test_alerts_reach_people(prod: Deployer) -> None:
    client = prod.calls("observability").client("sns")
    found = client.list_subscriptions()["Subscriptions"]
    reached = {(one["TopicArn"].rpartition("-")[2], one["Endpoint"]) for one in found}
    assert reached == {(level, MAIL) for level in ("critical", "warning", "info")}
