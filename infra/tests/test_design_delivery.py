"""The plan, line by line: how the system is configured, delivered, secured and recovered."""

import json
import re

from model import attributes, load, text, variables
from pipeline import commands, stages
from planned import line

PROD = load("prod")
PROGRAMS = (
    ("app.WebTask", "web"),
    ("app.WorkerTask", "worker"),
    ("app.SchedulerTask", "scheduler"),
)
RELEASE = "release.Migrate"


@line("Configuration Migration", "Test configuration changes", at="delivery.TestProject")
def test_the_pipeline_tests_first() -> None:
    assert list(stages())[:2] == ["Source", "Test"]
    assert commands("Test") == ["./ctiscraper test", "./ctiscraper infra test"]


@line("Environment Variables", "Update database connection strings", at="app.WebTask")
@line("Environment Variables", "Configure Redis connection", at="app.WebTask")
def test_each_part_has_its_own_connection() -> None:
    users = {
        name: re.findall(
            r"postgresql://(\w+)@", variables(PROD.container(task, name))["DATABASE_URL"]
        )
        for task, name in PROGRAMS
    }
    assert users == {
        "web": ["ctiscraper_web"],
        "worker": ["ctiscraper_worker"],
        "scheduler": ["ctiscraper_worker"],
    }
    owner = variables(PROD.container(RELEASE, "migrate"))["DATABASE_URL"]
    assert owner.startswith("postgresql://ctiscraper@")
    assert all("rediss://" in variables(PROD.container(*p))["REDIS_URL"] for p in PROGRAMS)


@line("Health Checks", "Implement proper health check endpoints", at="app.WebTask")
@line("Health Checks", "Configure readiness and liveness probes", at="app.WebTask")
def test_liveness_and_readiness_are_asked_apart() -> None:
    door = PROD.container("app.WebTask", "nginx")["HealthCheck"]["Command"]
    assert door[-1].endswith("/health/live")
    for task, name in PROGRAMS:
        asked = PROD.container(task, name)["HealthCheck"]["Command"]
        assert asked[:3] == ["CMD", "ctiscraper", "health"]
    # Which asks the database; the container's own does not.
    assert PROD["app.WebTargets"]["HealthCheckPath"] == "/health"


@line("Health Checks", "Set up graceful shutdown", at="app.WebTask")
def test_programs_are_given_time_to_stop() -> None:
    targets = attributes(PROD["app.WebTargets"], "TargetGroupAttributes")
    draining = int(targets["deregistration_delay.timeout_seconds"])
    for task, name in (*PROGRAMS, ("app.WebTask", "nginx")):
        assert draining < PROD.container(task, name)["StopTimeout"] <= 120


@line("Data Security", "Encrypt data at rest and in transit", at="data.Key")
def test_keys_are_ours_and_renewed() -> None:
    assert all(key["EnableKeyRotation"] is True for key in PROD.of("KMS::Key"))
    for bucket in PROD.of("S3::Bucket"):
        (policy,) = [p for p in PROD.of("S3::BucketPolicy") if p["Bucket"] == bucket.place]
        refused = policy["PolicyDocument"]["Statement"][0]
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@line(
    "Data Security",
    "Implement proper backup and recovery procedures",
    at="docs/runbooks/restore.md",
)
@line("Recovery Procedures", "RPO: 24 hours maximum data loss", at="data.BackupPlan")
def test_at_most_a_day_is_lost_even_with_the_region() -> None:
    (rule,) = PROD["data.BackupPlan"]["BackupPlan"]["BackupPlanRule"]
    assert rule["ScheduleExpression"] == "cron(0 5 * * ? *)"
    (copy,) = rule["CopyActions"]
    assert copy["DestinationBackupVaultArn"].startswith("arn:aws:backup:us-west-2:")
    assert copy["DestinationBackupVaultArn"].endswith(PROD["dr.Vault"]["BackupVaultName"])
    assert PROD["data.BackupSelection"]["BackupSelection"]["Resources"] == [
        "data.Database.DBInstanceArn"
    ]
    assert "restore-db-instance-to-point-in-time" in text("docs/runbooks/restore.md")


@line(
    "Application Security",
    "Implement proper authentication and authorization",
    at="app.WebTask",
)
def test_the_first_administrator_has_a_password_of_its_own() -> None:
    told = variables(PROD.container(RELEASE, "migrate"))
    assert told["CTISCRAPER_BOOTSTRAP_ADMIN_FILE"] == "/secrets/first-administrator.json"
    secret = PROD["data.FirstAdministratorSecret"]["GenerateSecretString"]
    assert json.loads(secret["SecretStringTemplate"]) == {"username": "admin"}
    assert secret["PasswordLength"] >= 32


@line(
    "Backup Strategy",
    "Application Data: S3 versioning and cross-region replication",
    at="dr.ReplicaBucket",
)
def test_application_data_is_versioned_and_copied() -> None:
    bucket = PROD["data.DataBucket"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["ReplicationConfiguration"]["Rules"]
    assert rule["Destination"]["Bucket"].endswith(PROD["dr.ReplicaBucket"]["BucketName"])
    assert PROD["dr.ReplicaBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}


@line(
    "Backup Strategy",
    "Configuration: Infrastructure as Code (Terraform/CloudFormation)",
    at="infra/rendered/prod",
)
@line(
    "Next Steps",
    "Infrastructure as Code: Create Terraform/CloudFormation templates",
    at="infra/rendered/prod",
)
def test_the_whole_system_is_in_templates() -> None:
    assert set(PROD.stacks) == {
        "baseline",
        "network",
        "registry",
        "dr",
        "data",
        "release",
        "app",
        "observability",
        "delivery",
    }


@line(
    "Next Steps",
    "CI/CD Pipeline: Set up CodePipeline with automated testing",
    at="delivery.Pipeline",
)
def test_the_pipeline_migrates_before_it_deploys() -> None:
    order = ["Source", "Test", "Images", "Release", "Approval", "App"]
    assert list(stages()) == order
    assert commands("Release")[-1].startswith("./infra/migrate cti-scraper-prod-migrate ")
    assert "Approval" not in {s["Name"] for s in load("dev")["delivery.Pipeline"]["Stages"]}


@line(
    "Recovery Procedures",
    "Testing: Quarterly disaster recovery drills",
    at="observability.DrillReminder",
)
def test_people_are_told_of_a_drill_each_quarter() -> None:
    reminder = PROD["observability.DrillReminder"]
    assert reminder["ScheduleExpression"] == "cron(0 9 1 1,4,7,10 ? *)"
    (target,) = reminder["Targets"]
    assert target["Arn"] == "observability.WarningAlerts"
    assert "docs/runbooks/restore.md" in json.loads(target["Input"])
    assert "## Drill" in text("docs/runbooks/restore.md")
