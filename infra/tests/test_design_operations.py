"""The plan, line by line: how the system is watched, guarded, delivered and recovered."""

import json
import re
from typing import Any

from model import Resource, load, text, variables
from pipeline import commands
from planned import line

PROD = load("prod")
PROGRAMS = (
    ("app.WebTask", "web"),
    ("app.WorkerTask", "worker"),
    ("app.SchedulerTask", "scheduler"),
)
LOGS, SETUP = "Log Groups", "CloudWatch Setup"
RELEASE = "release.Migrate"


def alarms() -> dict[str, Resource]:
    return {
        a["AlarmName"].removeprefix("cti-scraper-prod-"): a for a in PROD.of("CloudWatch::Alarm")
    }


def told_to(severity: str) -> set[str]:
    topic = f"observability.{severity.title()}Alerts"
    return {name for name, alarm in alarms().items() if alarm["AlarmActions"] == [topic]}


def shown() -> set[tuple[str, str]]:
    """The metrics on the dashboard, by namespace and name."""
    body = json.loads(PROD["observability.Dashboard"]["DashboardBody"])
    graphs = [w["properties"]["metrics"] for w in body["widgets"] if w["type"] == "metric"]
    return {(metric[0], metric[1]) for metrics in graphs for metric in metrics}


def statements(place: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in PROD[place].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(place: str) -> set[str]:
    return {action for statement in statements(place) for action in statement["Action"]}


@line(LOGS, "/aws/ecs/cti-scraper/web", at="app.WebLogGroup")
@line(LOGS, "/aws/ecs/cti-scraper/worker", at="app.WorkerLogGroup")
@line(LOGS, "/aws/ecs/cti-scraper/scheduler", at="app.SchedulerLogGroup")
@line(SETUP, "Create log groups and streams", at="app.WebLogGroup")
def test_each_service_has_its_log_group() -> None:
    for _, name in PROGRAMS:
        group = PROD[f"app.{name.title()}LogGroup"]
        assert group["LogGroupName"] == f"/aws/ecs/cti-scraper/{name}"
        assert group["RetentionInDays"] == 90
        for container in PROD[f"app.{name.title()}Task"]["ContainerDefinitions"]:
            options = container["LogConfiguration"]["Options"]
            assert options["awslogs-group"] == f"app.{name.title()}LogGroup"
            assert options["awslogs-stream-prefix"] == container["Name"]


@line(
    "CloudWatch",
    "Metrics: ECS service metrics, RDS metrics, ElastiCache metrics",
    at="observability.Dashboard",
)
@line(
    "Key Metrics", "Infrastructure Metrics: CPU, memory, disk usage", at="observability.Dashboard"
)
def test_metrics_of_services_database_and_cache_are_shown() -> None:
    assert {
        ("AWS/ECS", "CPUUtilization"),
        ("AWS/ECS", "MemoryUtilization"),
        ("AWS/RDS", "CPUUtilization"),
        ("AWS/RDS", "FreeStorageSpace"),
        ("AWS/ElastiCache", "EngineCPUUtilization"),
        ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage"),
    } <= shown()


@line(
    "CloudWatch",
    "Dashboards: Custom dashboard for application monitoring",
    at="observability.Dashboard",
)
@line(SETUP, "Set up custom metrics and dashboards", at="observability.Dashboard")
def test_the_dashboard_shows_the_products_own_metrics() -> None:
    assert ("CTIScraper", "QueueDepth") in shown()
    body = json.loads(PROD["observability.Dashboard"]["DashboardBody"])
    (listed,) = [w["properties"]["alarms"] for w in body["widgets"] if w["type"] == "alarm"]
    assert len(listed) == len(alarms())


@line(
    "CloudWatch",
    "Alarms: CPU, memory, error rate, database connections",
    at="observability.WebCpuAlarm",
)
@line(SETUP, "Configure alarms and notifications", at="observability.CriticalMail")
@line(
    "Next Steps",
    "Monitoring Setup: Implement comprehensive monitoring and alerting",
    at="observability",
)
def test_cpu_memory_errors_and_connections_raise_alarms() -> None:
    for service in ("web", "worker", "scheduler", "ollama"):
        assert {f"{service}-cpu", f"{service}-memory"} <= set(alarms())
    assert {"error-rate", "database-connections", "database-cpu", "redis-memory"} <= set(alarms())
    told = {s["TopicArn"] for s in PROD.of("SNS::Subscription")}
    assert told == {f"observability.{s}Alerts" for s in ("Critical", "Warning", "Info")}


@line("X-Ray Tracing", "Service: AWS X-Ray for distributed tracing", at="observability.Traces")
@line("X-Ray Tracing", "Integration: FastAPI and Celery tracing", at="app.WebTask")
def test_traces_go_to_x_ray_by_the_collector_beside_each_program() -> None:
    for task, name in PROGRAMS:
        endpoint = variables(PROD.container(task, name))["OTEL_EXPORTER_OTLP_ENDPOINT"]
        settings = json.loads(variables(PROD.container(task, "collector"))["AOT_CONFIG_CONTENT"])
        listening = settings["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
        assert endpoint == f"http://{listening}"
        assert settings["service"]["pipelines"]["traces"]["exporters"] == ["awsxray"]


@line("IAM Roles", "ECS Task Role: Access to S3, CloudWatch, X-Ray", at="app.WorkerTaskRole")
def test_task_roles_reach_s3_cloudwatch_and_x_ray() -> None:
    for name in ("Web", "Worker", "Scheduler"):
        assert {"s3:ListBucket", "xray:PutTraceSegments"} <= actions(f"app.{name}TaskRole")
    assert {"s3:GetObject", "s3:PutObject"} <= actions("app.WorkerTaskRole")
    # Who publishes metrics; others write lines alone.
    assert "cloudwatch:PutMetricData" in actions("app.SchedulerTaskRole")


@line(
    "IAM Roles",
    "ECS Execution Role: Access to ECR, CloudWatch Logs",
    at="app.WebExecutionRole",
)
def test_execution_roles_reach_ecr_and_logs() -> None:
    for name in ("Web", "Worker", "Scheduler", "Ollama"):
        assert {"ecr:BatchGetImage", "logs:PutLogEvents"} <= actions(f"app.{name}ExecutionRole")


@line("IAM Roles", "RDS Role: Enhanced monitoring", at="data.DatabaseMonitoringRole")
@line("Database and Cache", "Configure backup and monitoring", at="data.DatabaseMonitoringRole")
def test_the_database_is_watched_closely() -> None:
    database = PROD["data.Database"]
    assert database["MonitoringRoleArn"] == "data.DatabaseMonitoringRole.Arn"
    assert database["MonitoringInterval"] == 60
    assert database["EnablePerformanceInsights"] is True
    assert database["BackupRetentionPeriod"] == 7


@line(
    "Secrets Management",
    "AWS Secrets Manager: Database credentials, API keys",
    at="data.WebDatabaseSecret",
)
@line("Data Security", "Use AWS Secrets Manager for sensitive data", at="data.WebDatabaseSecret")
def test_credentials_and_keys_are_in_secrets_manager() -> None:
    names = {secret["Name"].rpartition("/")[2] for secret in PROD.of("SecretsManager::Secret")}
    assert names == {
        "web-database",
        "worker-database",
        "redis",
        "first-administrator",
        "installation-key",
    }
    assert PROD["data.Database"]["ManageMasterUserPassword"] is True


@line("Secrets Management", "Environment Variables: Non-sensitive configuration", at="app.WebTask")
@line("Environment Variables", "Set up logging configuration", at="app.WebTask")
@line("Configuration Migration", "Update environment variables", at="app.WebTask")
@line("Container Images", "Configure environment variables and secrets", at="app.WebTask")
def test_variables_hold_nothing_secret() -> None:
    for task, name in PROGRAMS:
        container = PROD.container(task, name)
        assert "Secrets" not in container
        told = variables(container)
        assert told["CTISCRAPER_LOG_FORMAT"] == "json"
        assert told["DATABASE_PASSWORD_FILE"] == "/secrets/database-password"
        given = {s["Name"] for s in PROD.container(task, "prepare")["Secrets"]}
        assert {"DATABASE_PASSWORD", "REDIS_PASSWORD"} <= given


@line("Network Security", "WAF: AWS WAF for web application protection", at="app.Firewall")
@line("Security Hardening", "Enable WAF rules", at="app.Firewall")
@line("Application Security", "Use AWS WAF for web application protection", at="app.Firewall")
def test_the_firewall_is_before_the_load_balancer() -> None:
    association = PROD["app.FirewallAssociation"]
    assert association["ResourceArn"] == "app.LoadBalancer"
    assert association["WebACLArn"] == "app.Firewall.Arn"
    assert len(PROD["app.Firewall"]["Rules"]) == 6


@line("Network Security", "VPC Flow Logs: Network traffic monitoring", at="network.FlowLog")
@line("Network Security", "Enable VPC Flow Logs for monitoring", at="network.FlowLog")
def test_flow_logs_tell_all_traffic() -> None:
    flow = PROD["network.FlowLog"]
    assert (flow["ResourceId"], flow["TrafficType"]) == ("network.Vpc", "ALL")


@line("Network Security", "Security Groups: Least privilege access", at="network.RdsSecurityGroup")
@line(
    "Network Security",
    "Implement least privilege security groups",
    at="network.RdsSecurityGroup",
)
def test_no_group_lets_out_everything() -> None:
    for group in PROD.of("EC2::SecurityGroup"):
        (closed,) = group["SecurityGroupEgress"]
        assert closed["CidrIp"] == "255.255.255.255/32"
    assert all(rule["IpProtocol"] == "tcp" for rule in PROD.of("EC2::SecurityGroupEgress"))


@line("VPC and Networking", "Create VPC with public/private subnets", at="network.Vpc")
@line("Network Security", "Use private subnets for application services", at="app.WebService")
def test_services_are_in_private_subnets() -> None:
    for service in PROD.of("ECS::Service"):
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["Subnets"] == ["network.PrivateSubnet1", "network.PrivateSubnet2"]
        assert network["AssignPublicIp"] == "DISABLED"


@line("VPC and Networking", "Set up security groups and NACLs", at="network.DatabaseAcl")
def test_the_database_subnets_have_an_acl() -> None:
    entries = [e for e in PROD.of("EC2::NetworkAclEntry") if not e["Egress"]]
    allowed = {(e["CidrBlock"], e["PortRange"]["From"], e["PortRange"]["To"]) for e in entries}
    assert allowed == {
        (block, port, port) for block in ("10.0.11.0/24", "10.0.12.0/24") for port in (5432, 6379)
    }
    guarded = {a["SubnetId"] for a in PROD.of("EC2::SubnetNetworkAclAssociation")}
    assert guarded == {"network.DatabaseSubnet1", "network.DatabaseSubnet2"}


@line("Database and Cache", "Deploy RDS PostgreSQL instance", at="data.Database")
@line("Database and Cache", "Deploy ElastiCache Redis cluster", at="data.Redis")
def test_database_and_cache_are_in_the_database_subnets() -> None:
    for kind in ("Database", "Redis"):
        subnets = PROD[f"data.{kind}Subnets"]["SubnetIds"]
        assert subnets == ["network.DatabaseSubnet1", "network.DatabaseSubnet2"]
    assert PROD["data.Database"]["PubliclyAccessible"] is False


@line(
    "Container Registry",
    "Set up image scanning and lifecycle policies",
    at="registry.WebRepository",
)
@line("Application Security", "Regular security updates and patches", at="registry.WebRepository")
def test_images_are_scanned_and_old_ones_removed() -> None:
    for repository in PROD.of("ECR::Repository"):
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert repository["ImageTagMutability"] == "IMMUTABLE"
        rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert {rule["action"]["type"] for rule in rules} == {"expire"}
    assert PROD["data.Database"]["AutoMinorVersionUpgrade"] is True
    assert PROD["observability.ScansRule"]["EventPattern"]["detail-type"] == ["ECR Image Scan"]


@line("Container Images", "Build and push Docker images to ECR", at="delivery.ImagesProject")
def test_the_pipeline_builds_and_pushes_images() -> None:
    built = "\n".join(commands("Images"))
    for target in ("product", "proxy"):
        assert f"docker build --target {target}" in built
        assert re.search(rf"^FROM .* AS {target}$", text("Dockerfile"), re.MULTILINE)
    assert "docker push" in built


@line("Container Images", "Create ECS task definitions", at=RELEASE)
def test_every_program_has_a_task_definition() -> None:
    families = {task["Family"] for task in PROD.of("ECS::TaskDefinition")}
    names = ("web", "worker", "scheduler", "ollama", "migrate", "admin")
    assert families == {f"cti-scraper-prod-{name}" for name in names}


@line("ECS Services", "Deploy web application service", at="app.WebService")
@line("ECS Services", "Deploy worker service", at="app.WorkerService")
@line("ECS Services", "Deploy scheduler service", at="app.SchedulerService")
@line("ECS Services", "Deploy Ollama service (optional)", at="app.OllamaService")
def test_services_are_deployed_with_a_way_back() -> None:
    assert {s["ServiceName"] for s in PROD.of("ECS::Service")} == {
        "web",
        "worker",
        "scheduler",
        "ollama",
    }
    for service in PROD.of("ECS::Service"):
        breaker = service["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
        assert breaker == {"Enable": True, "Rollback": True}
    assert "app.OllamaService" not in load("dev")


@line("Load Balancer Configuration", "Configure ALB target groups", at="app.WebTargets")
def test_requests_go_to_the_targets() -> None:
    action = PROD["app.HttpsListener"]["DefaultActions"][0]
    assert action == {"TargetGroupArn": "app.WebTargets", "Type": "forward"}
    assert PROD["app.WebTargets"]["TargetType"] == "ip"


@line("Performance Optimization", "Implement auto-scaling policies", at="app.WebScalingPolicy")
def test_what_may_scale_does() -> None:
    scaled = {t.name for t in PROD.of("ApplicationAutoScaling::ScalableTarget")}
    assert scaled == {"WebScaling", "WorkerScaling", "OllamaScaling"}


@line("Security Hardening", "Implement secrets rotation", at="data.Database")
def test_the_owners_password_is_renewed_by_rds() -> None:
    assert PROD["data.Database"]["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in PROD["data.Database"].properties
    # The others are renewed by people, who are told each quarter.
    reminder = PROD["observability.SecretsReminder"]
    assert reminder["ScheduleExpression"] == "cron(0 9 15 1,4,7,10 ? *)"
    assert "docs/runbooks/secrets.md" in reminder["Targets"][0]["Input"]
    assert "cti-scraper/prod/web-database" in text("docs/runbooks/secrets.md")


@line("Security Hardening", "Set up compliance monitoring", at="baseline")
@line(
    "Next Steps",
    "Security Review: Conduct security assessment and compliance review",
    at="baseline",
)
def test_the_account_is_watched() -> None:
    kinds = {"CloudTrail::Trail", "GuardDuty::Detector", "SecurityHub::Hub", "Config::ConfigRule"}
    assert all(PROD.of(kind) for kind in kinds)
    assert PROD["baseline.Trail"]["IsMultiRegionTrail"] is True


@line(
    "Key Metrics",
    "Application Metrics: Response time, error rate, throughput",
    at="observability.Dashboard",
)
def test_answers_are_shown() -> None:
    balancer = "AWS/ApplicationELB"
    names = ("TargetResponseTime", "HTTPCode_Target_5XX_Count", "RequestCount")
    assert {(balancer, name) for name in names} <= shown()


@line(
    "Key Metrics",
    "Database Metrics: Connection count, query performance",
    at="observability.Dashboard",
)
def test_connections_and_slow_statements_are_seen() -> None:
    assert ("AWS/RDS", "DatabaseConnections") in shown()
    assert "slow-statements" in alarms()
    assert PROD["data.DatabaseParameters"]["Parameters"]["log_min_duration_statement"] == "1000"
    assert PROD["observability.SlowStatementsFilter"]["LogGroupName"] == "data.DatabaseLog"


@line(
    "Key Metrics",
    "Business Metrics: Articles processed, sources active",
    at="observability.Dashboard",
)
def test_articles_and_sources_are_shown() -> None:
    assert {("CTIScraper", "ItemsPerMinute"), ("CTIScraper", "HostsResting")} <= shown()


@line(
    "Alerting Strategy",
    "Critical Alerts: Service down, database unavailable",
    at="observability.CriticalAlerts",
)
def test_outages_are_critical() -> None:
    outages = {"web-down", "workers-down", "scheduler-down", "database-unavailable"}
    assert outages <= told_to("critical")


@line(
    "Alerting Strategy",
    "Warning Alerts: High CPU/memory usage, slow queries",
    at="observability.WarningAlerts",
)
def test_load_is_a_warning() -> None:
    assert {"web-cpu", "web-memory", "slow-statements"} <= told_to("warning")


@line(
    "Alerting Strategy",
    "Info Alerts: Deployment notifications, scaling events",
    at="observability.InfoAlerts",
)
def test_deployments_and_scaling_are_told() -> None:
    for rule in ("Deployments", "Scaling"):
        (target,) = PROD[f"observability.{rule}Rule"]["Targets"]
        assert target["Arn"] == "observability.InfoAlerts"


@line(
    "Next Steps",
    "Documentation: Create operational runbooks and procedures",
    at="docs/runbooks",
)
def test_every_alarm_has_a_runbook() -> None:
    for alarm in alarms().values():
        (runbook,) = re.findall(r"Runbook: (docs/runbooks/[a-z-]+\.md)$", alarm["AlarmDescription"])
        assert alarm["AlarmName"].removeprefix("cti-scraper-prod-") in text(runbook)
