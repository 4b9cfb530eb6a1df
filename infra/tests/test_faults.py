"""Templates are broken on purpose: the contract names every fault, by the check meant for it."""

import json

import pytest

from breaking import Break, Stacks, add, alarm, contained, drop, of, put, remove, told, whole
from breaking_models import MUTANTS as OF_MODELS
from contract import CHECKS, faults
from model import asking

PROD = asking("prod")
WEB, WORKER, SCHEDULER = ("app", "WebTask"), ("app", "WorkerTask"), ("app", "SchedulerTask")


def unexport(stacks: Stacks) -> None:
    outputs = stacks["network"]["Outputs"]
    outputs.pop(next(name for name in outputs if "WebSecurityGroup" in name))


def graph(stacks: Stacks) -> None:
    body = of(stacks, "observability", "Dashboard")
    rendered = json.dumps(body["DashboardBody"])
    assert "QueueDepth" in rendered
    body["DashboardBody"] = json.loads(rendered.replace("QueueDepth", "QueueLength"))


RULES, ROLLOUT = "Rules", ("DeploymentConfiguration", "Strategy")
RIGHTS = ("Policies", 0, "PolicyDocument", "Statement")
WRITTEN = ("Statement", "AndStatement", "Statements", 1, "NotStatement", "Statement", "OrStatement")
MUTANTS: dict[str, tuple[str, Break]] = {
    "an export is missing": ("imports", unexport),
    "nothing to turn to": ("turns", put("app", "WebService", *ROLLOUT, value="BLUE_GREEN")),
    "a balancer that nobody logs in at": ("sign_on", told(WEB, "web", "CTISCRAPER_ALB_ARN", "x")),
    "containers have more memory than the task": ("tasks", contained(WEB, "web", "Memory", 4096)),
    "containers have more CPU than the task": ("tasks", contained(WORKER, "worker", "Cpu", 2048)),
    "a container waits for one that is not there": (
        "tasks",
        contained(WEB, "nginx", "DependsOn", [{"ContainerName": "app", "Condition": "HEALTHY"}]),
    ),
    "a volume is missing": ("tasks", put(*WEB, "Volumes", value=[{"Name": "secrets"}])),
    "the root can be written to": (
        "containment",
        contained(WORKER, "worker", "ReadonlyRootFilesystem", value=False),
    ),
    "capabilities are kept": ("containment", contained(WEB, "web", "LinuxParameters", {})),
    "the program is root": ("containment", contained(WORKER, "worker", "User", "0")),
    "a container is privileged": ("containment", contained(WEB, "web", "Privileged", value=True)),
    "ten minutes to stop": ("stopping", contained(WORKER, "worker", "StopTimeout", 600)),
    "no time to stop": ("stopping", contained(SCHEDULER, "scheduler", "StopTimeout", 5)),
    "draining outlasts the stop": (
        "stopping",
        put("app", "WebTargets", "TargetGroupAttributes", 0, "Value", value="300"),
    ),
    "a task is judged at once": (
        "stopping",
        put("app", "WebService", "HealthCheckGracePeriodSeconds", value=0),
    ),
    "a password is a plain variable": (
        "secrets",
        told(WORKER, "worker", "DATABASE_PASSWORD", "hunter2"),
    ),
    "a password stands in a URL": (
        "secrets",
        told(WORKER, "worker", "REDIS_URL", "rediss://:hunter2@redis:6379/0"),
    ),
    "the program is given a secret": (
        "secrets",
        contained(WEB, "web", "Secrets", [{"Name": "X", "ValueFrom": "arn"}]),
    ),
    "a secret may not be read": (
        "secrets",
        put("app", "WebExecutionRole", *RIGHTS, 3, "Resource", value=["arn:aws:x"]),
    ),
    "the password of Redis is written down": (
        "secrets",
        put("data", "Redis", "AuthToken", value="hunter2hunter2hunter2"),
    ),
    "a variable is misspelt": (
        "settings",
        told(WEB, "web", "CTISCRAPER_ALLOWED_HOST", "cti.example.org"),
    ),
    "metrics are of another environment": (
        "settings",
        told(SCHEDULER, "scheduler", "CTISCRAPER_ENVIRONMENT", "production"),
    ),
    "any certificate is taken": (
        "settings",
        told(WEB, "web", "DATABASE_URL", "postgresql://ctiscraper_web@db/ctiscraper"),
    ),
    "what is counted is not logged": (
        "settings",
        told(WEB, "web", "CTISCRAPER_LOG_LEVEL", "error"),
    ),
    "Redis is asked in the clear": (
        "settings",
        told(WORKER, "worker", "REDIS_URL", "redis://redis:6379/0"),
    ),
    "the model is elsewhere": ("models", told(WEB, "web", "CTISCRAPER_MODEL_URL", "http://x")),
    "the front door is told nonsense": ("settings", told(WEB, "nginx", "NGINX_UPSTREAMS", "x")),
    "the scheduler works": ("commands", contained(SCHEDULER, "scheduler", "Command", ["worker"])),
    "the health of another is asked": (
        "commands",
        contained(
            WORKER, "worker", "HealthCheck", {"Command": ["CMD", "ctiscraper", "health", "web"]}
        ),
    ),
    "the schema is not migrated": (
        "commands",
        contained(("release", "Migrate"), "migrate", "Command", ["db", "check"]),
    ),
    "roles do not wait for the schema": (
        "commands",
        contained(("release", "Migrate"), "roles", "DependsOn", []),
    ),
    "the load balancer names another container": (
        "ports",
        put("app", "WebService", "LoadBalancers", 0, "ContainerName", value="web"),
    ),
    "the load balancer sends to another port": (
        "ports",
        put("app", "WebService", "LoadBalancers", 0, "ContainerPort", value=8000),
    ),
    "the front door asks another port": (
        "ports",
        told(WEB, "nginx", "NGINX_UPSTREAM", "127.0.0.1:8001"),
    ),
    "the front door believes everybody": (
        "ports",
        told(WEB, "nginx", "NGINX_TRUSTED_PROXIES", "0.0.0.0/0"),
    ),
    "the health path is another": (
        "ports",
        put("app", "WebTargets", "HealthCheckPath", value="/healthz"),
    ),
    "any answer is health": ("ports", drop("app", "WebTargets", "Matcher")),
    "Nginx hangs up first": (
        "ports",
        put("app", "LoadBalancer", "LoadBalancerAttributes", 4, "Value", value="120"),
    ),
    "the internet reaches the database": (
        "groups",
        add(
            "network",
            "Hole",
            "EC2::SecurityGroupIngress",
            GroupId={"Fn::GetAtt": ["RdsSecurityGroup", "GroupId"]},
            FromPort=5432,
            ToPort=5432,
            IpProtocol="tcp",
            CidrIp="0.0.0.0/0",
        ),
    ),
    "the load balancer reaches Redis": (
        "groups",
        put(
            "network",
            "RedisFromWeb",
            "SourceSecurityGroupId",
            value={"Fn::GetAtt": ["AlbSecurityGroup", "GroupId"]},
        ),
    ),
    "a rule opens a range": ("groups", put("network", "WebFromAlb", "ToPort", value=65535)),
    "a group lets out everything": (
        "groups",
        drop("network", "WorkerSecurityGroup", "SecurityGroupEgress"),
    ),
    "the database may go out": (
        "groups",
        put(
            "network",
            "WebToInternet443",
            "GroupId",
            value={"Fn::GetAtt": ["RdsSecurityGroup", "GroupId"]},
        ),
    ),
    "the database subnets lead out": (
        "network",
        put("network", "PublicRoute", "RouteTableId", value={"Ref": "DatabaseRouteTable"}),
    ),
    "private subnets are public": (
        "network",
        drop("network", "Private1Route", "NatGatewayId"),
    ),
    "tasks have public addresses": (
        "network",
        put(
            "app",
            "WorkerService",
            "NetworkConfiguration",
            "AwsvpcConfiguration",
            "AssignPublicIp",
            value="ENABLED",
        ),
    ),
    "two schedulers at once": (
        "scheduler",
        put("app", "SchedulerService", "DeploymentConfiguration", "MaximumPercent", value=200),
    ),
    "the scheduler moves between zones": (
        "scheduler",
        put("app", "SchedulerService", "AvailabilityZoneRebalancing", value="ENABLED"),
    ),
    "deployments undo scaling": ("scaling", put("app", "WebService", "DesiredCount", value=2)),
    "workers are scaled by a metric of nobody": (
        "scaling",
        put(
            "app",
            "WorkerScalingPolicy",
            "TargetTrackingScalingPolicyConfiguration",
            "CustomizedMetricSpecification",
            "Metrics",
            0,
            "MetricStat",
            "Metric",
            "MetricName",
            value="BacklogPerTask",
        ),
    ),
    "workers are scaled by other processes": (
        "scaling",
        told(WORKER, "worker", "CTISCRAPER_WORKERS", "4"),
    ),
    "broken deployments stay": (
        "rollouts",
        drop("app", "WebService", "DeploymentConfiguration", "DeploymentCircuitBreaker"),
    ),
    "an alarm's dimension is misspelt": (
        "alarms",
        alarm("DatabaseCpu", "Dimensions", 0, "Name", value="DBInstanceId"),
    ),
    "an alarm's metric is misspelt": ("alarms", alarm("QueueAge", "MetricName", value="OldestAge")),
    "an alarm watches another environment": (
        "alarms",
        alarm("QueueAge", "Dimensions", 0, "Value", value="dev"),
    ),
    "an alarm watches a service that is not there": (
        "alarms",
        alarm("WorkerCpu", "Dimensions", 1, "Value", value="workers"),
    ),
    "an alarm's runbook is not there": (
        "alarms",
        alarm("WebDown", "AlarmDescription", value="critical: X. Runbook: docs/runbooks/none.md"),
    ),
    "an alarm tells the wrong people": (
        "alarms",
        alarm("WebDown", "AlarmActions", value=[{"Ref": "InfoAlerts"}]),
    ),
    "silence is health": ("alarms", alarm("WorkersDown", "TreatMissingData", value="notBreaching")),
    "an alarm can never be raised": ("alarms", alarm("WebDown", "DatapointsToAlarm", value=10)),
    "lines are not counted": ("alarms", remove("observability", "SlowStatementsFilter")),
    "the dashboard shows a metric of nobody": ("dashboard", graph),
    "two rules have one priority": (
        "firewall",
        put("app", "Firewall", RULES, 1, "Priority", value=0),
    ),
    "a managed group is misspelt": (
        "firewall",
        put(
            "app",
            "Firewall",
            RULES,
            2,
            "Statement",
            "ManagedRuleGroupStatement",
            "Name",
            value="AWSManagedRulesCommonRules",
        ),
    ),
    "analysts are blocked": (
        "firewall",
        drop(
            "app",
            "Firewall",
            RULES,
            4,
            "Statement",
            "ManagedRuleGroupStatement",
            "RuleActionOverrides",
            0,
        ),
    ),
    "a group only counts": (
        "firewall",
        put("app", "Firewall", RULES, 3, "OverrideAction", value={"Count": {}}),
    ),
    "every address is one of analysts": (
        "firewall",
        put(
            "app",
            "Firewall",
            RULES,
            5,
            *WRITTEN,
            "Statements",
            1,
            "ByteMatchStatement",
            "SearchString",
            value="/",
        ),
    ),
    "the firewall stands before nothing": (
        "firewall",
        put("app", "FirewallAssociation", "ResourceArn", value={"Ref": "WebTargets"}),
    ),
    "a bucket may be made public": (
        "storage",
        put(
            "data", "DataBucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy", value=False
        ),
    ),
    "a bucket has no versions": (
        "storage",
        put("data", "DataBucket", "VersioningConfiguration", "Status", value="Suspended"),
    ),
    "a bucket may be asked without TLS": ("storage", remove("data", "DataBucketPolicy")),
    "copies go elsewhere": (
        "storage",
        put("dr", "ReplicaBucket", "BucketName", value="cti-scraper-replica"),
    ),
    "a bucket goes with its stack": (
        "storage",
        whole("data", "DataBucket", "DeletionPolicy", "Delete"),
    ),
    "the database may be asked without TLS": (
        "database",
        put("data", "DatabaseParameters", "Parameters", "rds.force_ssl", value="0"),
    ),
    "the database has other parameters": (
        "database",
        put("data", "Database", "DBParameterGroupName", value="default.postgres15"),
    ),
    "the database is public": (
        "database",
        put("data", "Database", "PubliclyAccessible", value=True),
    ),
    "the database is in one zone": ("database", put("data", "Database", "MultiAZ", value=False)),
    "the owner's password is written down": (
        "database",
        put("data", "Database", "MasterUserPassword", value="hunter2"),
    ),
    "no snapshot is left": ("database", whole("data", "Database", "DeletionPolicy", "Delete")),
    "a node of no type": ("cache", put("data", "Redis", "CacheNodeType", value="cache.t3.nano")),
    "one node fails over": ("cache", put("data", "Redis", "AutomaticFailoverEnabled", value=True)),
    "Redis is not encrypted": (
        "cache",
        put("data", "Redis", "TransitEncryptionEnabled", value=False),
    ),
    "a full Redis forgets": (
        "cache",
        put("data", "RedisParameters", "Properties", "maxmemory-policy", value="allkeys-lru"),
    ),
    "a schedule has five fields": (
        "schedules",
        put(
            "data",
            "BackupPlan",
            "BackupPlan",
            "BackupPlanRule",
            0,
            "ScheduleExpression",
            value="cron(0 5 * * *)",
        ),
    ),
    "a reminder has five fields": (
        "schedules",
        put("observability", "DrillReminder", "ScheduleExpression", value="cron(0 9 1 */3 *)"),
    ),
    "copies go to no vault": ("schedules", put("dr", "Vault", "BackupVaultName", value="vault")),
    "lines are kept for ever": ("keeping", drop("app", "WebLogGroup", "RetentionInDays")),
    "a log group has another name": (
        "keeping",
        put("app", "WorkerLogGroup", "LogGroupName", value="/ecs/worker"),
    ),
    "tags move": (
        "keeping",
        put("registry", "WebRepository", "ImageTagMutability", value="MUTABLE"),
    ),
    "a role may do everything": (
        "rights",
        put("app", "WorkerTaskRole", *RIGHTS, 0, "Action", value=["s3:*"]),
    ),
    "a role reaches everything": (
        "rights",
        put("app", "WorkerTaskRole", *RIGHTS, 0, "Resource", value=["*"]),
    ),
    "a missing page is forbidden": (
        "rights",
        put(
            "app",
            "WebTaskRole",
            *RIGHTS,
            1,
            "Condition",
            value={"StringLike": {"s3:prefix": "raw/*"}},
        ),
    ),
    "traces go where nobody listens": (
        "traces",
        told(WEB, "web", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
    ),
    "a task ends with its collector": (
        "traces",
        contained(WORKER, "collector", "Essential", value=True),
    ),
    **OF_MODELS,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_is_named_by_the_check_meant_for_it(name: str) -> None:
    check, change = MUTANTS[name]
    found = faults(PROD.changed(change))
    assert check in {fault.partition(":")[0] for fault in found}, found


def test_every_check_is_shown_to_find_something() -> None:
    assert {check for check, _ in MUTANTS.values()} == {check.__name__ for check in CHECKS}


def test_nothing_is_named_where_nothing_is_broken() -> None:
    assert faults(PROD.changed(lambda _: None)) == []
