"""The contract of the managed services: what is scaled, watched, kept and refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

import product
from model import ROOT, Resource, System

NODES = re.compile(r"cache\.(t3|t4g|m6g|m7g|r6g|r7g)\.(micro|small|medium|large|xlarge)")
CRON = re.compile(r"cron\((\S+ ){5}\S+\)")
# The names of AWS's own metrics and what they are about, as its documentation has them.
AWS_METRICS: dict[str, tuple[set[str], set[str]]] = {
    "AWS/ECS": ({"CPUUtilization", "MemoryUtilization"}, {"ClusterName", "ServiceName"}),
    "ECS/ContainerInsights": ({"RunningTaskCount"}, {"ClusterName", "ServiceName"}),
    "AWS/RDS": (
        {
            "CPUUtilization",
            "CPUCreditBalance",
            "DatabaseConnections",
            "DiskQueueDepth",
            "FreeStorageSpace",
            "FreeableMemory",
            "ReadLatency",
            "WriteLatency",
        },
        {"DBInstanceIdentifier"},
    ),
    "AWS/ElastiCache": (
        {"CurrConnections", "DatabaseMemoryUsagePercentage", "EngineCPUUtilization"},
        {"CacheClusterId"},
    ),
    "AWS/ApplicationELB": (
        {
            "HTTPCode_ELB_5XX_Count",
            "HTTPCode_Target_4XX_Count",
            "HTTPCode_Target_5XX_Count",
            "HealthyHostCount",
            "RequestCount",
            "TargetResponseTime",
        },
        {"LoadBalancer"},
    ),
    "AWS/WAFV2": ({"BlockedRequests"}, {"Region", "Rule", "WebACL"}),
}
WITH_TARGETS = {"HealthyHostCount"}
# The rules of each group that look at what people write, as its documentation has them.
GROUPS = {
    "AWSManagedRulesAmazonIpReputationList": set[str](),
    "AWSManagedRulesCommonRuleSet": {
        f"{rule}_{part}"
        for rule in (
            "CrossSiteScripting",
            "EC2MetaDataSSRF",
            "GenericLFI",
            "GenericRFI",
            "RestrictedExtensions",
        )
        for part in ("BODY", "QUERYARGUMENTS")
    }
    - {"RestrictedExtensions_BODY"}
    | {"SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING"},
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY",
        "JavaDeserializationRCE_QUERYSTRING",
        "Log4JRCE_BODY",
        "Log4JRCE_QUERYSTRING",
        "ReactJSRCE_BODY",
    },
    "AWSManagedRulesSQLiRuleSet": {
        "SQLiExtendedPatterns_BODY",
        "SQLiExtendedPatterns_QUERYARGUMENTS",
        "SQLi_BODY",
        "SQLi_QUERYARGUMENTS",
    },
}


def scheduler(system: System) -> Iterator[str]:
    service = system["app.SchedulerService"]
    rollout = service["DeploymentConfiguration"]
    if (service.get("DesiredCount"), rollout["MaximumPercent"]) != (1, 100):
        yield "two schedulers may run at once"
    if rollout["MinimumHealthyPercent"] != 0:
        yield "the scheduler can never be replaced"
    if service["AvailabilityZoneRebalancing"] != "DISABLED":
        yield "moving between zones asks for a second scheduler"
    for target in system.of("ApplicationAutoScaling::ScalableTarget"):
        if "SchedulerService" in target["ResourceId"]:
            yield "the scheduler is scaled"


def scaling(system: System) -> Iterator[str]:
    for name in ("Web", "Worker"):
        if "DesiredCount" in system[f"app.{name}Service"].properties:
            yield f"{name}: each deployment undoes its scaling"
        target = system[f"app.{name}Scaling"]
        if target["MinCapacity"] > target["MaxCapacity"] or target["MinCapacity"] < 1:
            yield f"{name}: from {target['MinCapacity']} to {target['MaxCapacity']} tasks"
        if system[f"app.{name}ScalingPolicy"]["ScalingTargetId"] != target.place:
            yield f"{name}: the policy is of another target"
    for made in system.of("ApplicationAutoScaling::ScalingPolicy"):
        yield from _policy_faults(system, made)
    policy = system["app.WorkerScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    told = {
        v["Name"]: v["Value"] for v in system.container("app.WorkerTask", "worker")["Environment"]
    }
    expressions = [
        query["Expression"]
        for query in policy.get("CustomizedMetricSpecification", {}).get("Metrics", [])
        if "Expression" in query
    ]
    if expressions != [f"backlog * {told['CTISCRAPER_WORKERS']}"]:
        yield "workers are scaled by another number of processes than a task has"


def _policy_faults(system: System, made: Resource) -> Iterator[str]:
    policy = made["TargetTrackingScalingPolicyConfiguration"]
    for query in policy.get("CustomizedMetricSpecification", {}).get("Metrics", []):
        if "MetricStat" in query:
            yield from _metric_faults(system, made.name, query["MetricStat"]["Metric"])


def rollouts(system: System) -> Iterator[str]:
    for service in system.of("ECS::Service"):
        breaker = service["DeploymentConfiguration"].get("DeploymentCircuitBreaker")
        if breaker != {"Enable": True, "Rollback": True}:
            yield f"{service.place}: a broken deployment stays"


def alarms(system: System) -> Iterator[str]:
    names = [alarm["AlarmName"] for alarm in system.of("CloudWatch::Alarm")]
    if len(set(names)) != len(names):
        yield "two alarms have one name"
    for alarm in system.of("CloudWatch::Alarm"):
        for metric in _metrics_of(alarm):
            yield from _metric_faults(system, alarm.place, metric)
        yield from _telling_faults(system, alarm)
        if alarm.get("TreatMissingData") not in {"breaching", "notBreaching"}:
            yield f"{alarm.place}: does not say what missing figures mean"
        if alarm["DatapointsToAlarm"] > alarm["EvaluationPeriods"]:
            yield f"{alarm.place}: can never be raised"
    vital = ["WebDown", "WorkersDown", "SchedulerDown"]
    if "app.ModelWorkerService" in system:
        vital.append("ModelWorkerDown")
    for name in vital:
        if system[f"observability.{name}Alarm"]["TreatMissingData"] != "breaching":
            yield f"{name}: silence is taken for health"


def _telling_faults(system: System, alarm: Resource) -> Iterator[str]:
    found = re.fullmatch(
        r"(critical|warning|info): .+\. Runbook: (docs/runbooks/[a-z-]+\.md)",
        alarm["AlarmDescription"],
    )
    if found is None or not (ROOT / found[2]).exists():
        yield f"{alarm.place}: names no runbook that is there"
        return
    # By those of deployments ECS goes back; of that people are told.
    topics = [f"observability.{found[1].title()}Alerts"]
    wanted = [] if alarm["AlarmName"] in _of_rollouts(system) else topics
    if alarm.get("AlarmActions", []) != wanted:
        yield f"{alarm.place}: tells others than its severity says"


def _of_rollouts(system: System) -> set[str]:
    """The alarms that deployments look at."""
    return {
        name
        for service in system.of("ECS::Service")
        for name in service["DeploymentConfiguration"].get("Alarms", {}).get("AlarmNames", [])
    }


def _metrics_of(alarm: Resource) -> Iterator[dict[str, Any]]:
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield query["MetricStat"]["Metric"]
    if "MetricName" in alarm.properties:
        yield alarm.properties


def _metric_faults(system: System, place: str, metric: dict[str, Any]) -> Iterator[str]:
    space, name = metric["Namespace"], metric["MetricName"]
    given = {pair["Name"]: pair["Value"] for pair in metric.get("Dimensions", [])}
    if space == "CTIScraper/Logs":
        counted = {
            t["MetricName"]
            for f in system.of("Logs::MetricFilter")
            for t in f["MetricTransformations"]
            if t["MetricNamespace"] == space
        }
        if name not in counted or given:
            yield f"{place}: nobody counts {name}"
        return
    if space == "CTIScraper":
        fits = frozenset(given) in product.metrics().get(name, set())
        if not fits or given.get("Environment") != system.environment:
            yield f"{place}: the product publishes no {name} with {given}"
        return
    known, dimensions = AWS_METRICS.get(space, (set(), set()))
    wanted = dimensions | ({"TargetGroup"} if name in WITH_TARGETS else set())
    if space == "AWS/ApplicationELB" and place.startswith("app."):
        wanted = dimensions | {"TargetGroup"}
    if name not in known or set(given) != wanted:
        yield f"{place}: AWS has no {space} {name} with {sorted(given)}"
    elif space in {"AWS/ECS", "ECS/ContainerInsights"}:
        services = {service["ServiceName"] for service in system.of("ECS::Service")}
        if given["ServiceName"] not in services or given["ClusterName"] != "release.Cluster":
            yield f"{place}: there is no service {given}"


def dashboard(system: System) -> Iterator[str]:
    body = json.loads(system["observability.Dashboard"]["DashboardBody"])
    for widget in body["widgets"]:
        for line in widget["properties"].get("metrics", []):
            *places, _ = line[2:]
            pairs = [
                {"Name": name, "Value": value}
                for name, value in zip(places[::2], places[1::2], strict=True)
            ]
            metric = {"Namespace": line[0], "MetricName": line[1], "Dimensions": pairs}
            yield from _metric_faults(system, "Dashboard", metric)


def firewall(system: System) -> Iterator[str]:
    rules = system["app.Firewall"]["Rules"]
    numbers = [rule["Priority"] for rule in rules]
    if len(set(numbers)) != len(numbers):
        yield "two rules have one priority"
    if rules[-1]["Name"] != "LabelledElsewhere" or max(numbers) != rules[-1]["Priority"]:
        yield "labels are looked at before they are given"
    for rule in rules:
        group = rule["Statement"].get("ManagedRuleGroupStatement")
        if group is None:
            continue
        known = GROUPS.get(group["Name"])
        if known is None:
            yield f"AWS has no group {group['Name']}"
            continue
        counted = {o["Name"] for o in group.get("RuleActionOverrides", [])}
        if counted != known:
            yield f"{group['Name']}: analysts are blocked, or {counted - known} is no rule"
        if rule.get("OverrideAction") != {"None": {}}:
            yield f"{group['Name']}: blocks nothing"
    yield from _elsewhere_faults(rules[-1])
    if system["app.FirewallAssociation"]["ResourceArn"] != "app.LoadBalancer":
        yield "the firewall stands before nothing"


def _elsewhere_faults(rule: dict[str, Any]) -> Iterator[str]:
    labelled, written = rule["Statement"]["AndStatement"]["Statements"]
    labels = [s["LabelMatchStatement"]["Key"] for s in labelled["OrStatement"]["Statements"]]
    if len(labels) != 3 or "Block" not in rule["Action"]:
        yield "what was labelled is let through"
    for statement in written["NotStatement"]["Statement"]["OrStatement"]["Statements"]:
        match = statement["ByteMatchStatement"]
        path, how = match["SearchString"], match["PositionalConstraint"]
        if how == "EXACTLY":
            if path != "/":
                yield f"{path} is no front page"
        elif not any(known.startswith(path) for known in product.paths()) or len(path) < 5:
            yield f"the product has no addresses below {path}"


def storage(system: System) -> Iterator[str]:
    policies = {
        p["Bucket"]: p["PolicyDocument"]["Statement"] for p in system.of("S3::BucketPolicy")
    }
    for bucket in system.of("S3::Bucket"):
        blocked = bucket.get("PublicAccessBlockConfiguration", {})
        if len(blocked) != 4 or not all(blocked.values()):
            yield f"{bucket.place}: may be made public"
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{bucket.place}: has no versions"
        if not bucket.get("BucketEncryption"):
            yield f"{bucket.place}: is not encrypted"
        refused = [s for s in policies.get(bucket.place, []) if s["Effect"] == "Deny"]
        if not any(
            s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}} for s in refused
        ):
            yield f"{bucket.place}: may be asked without TLS"
        if bucket.whole.get("DeletionPolicy") != "Retain":
            yield f"{bucket.place}: goes with its stack"
    copied = system["data.DataBucket"].get("ReplicationConfiguration")
    if ("dr.ReplicaBucket" in system) != bool(copied):
        yield "there is a replica and nothing is copied, or the other way round"
    for rule in (copied or {}).get("Rules", []):
        name = system["dr.ReplicaBucket"]["BucketName"]
        if rule["Destination"]["Bucket"] != f"arn:aws:s3:::{name}" or rule["Status"] != "Enabled":
            yield "copies go to another bucket than the replica"


def database(system: System) -> Iterator[str]:
    made, parameters = system["data.Database"], system["data.DatabaseParameters"]
    if parameters["Parameters"].get("rds.force_ssl") != "1":
        yield "the database may be asked without TLS"
    if made.get("DBParameterGroupName") != parameters.place:
        yield "the database has other parameters"
    if made.get("StorageEncrypted") is not True or made.get("PubliclyAccessible") is not False:
        yield "the database is open, or not encrypted"
    if "MasterUserPassword" in made.properties or made.get("ManageMasterUserPassword") is not True:
        yield "the owner's password is not renewed"
    if made.get("StorageType") != "gp3" or made["EngineVersion"] != "15":
        yield "the database is not what the plan says"
    if made.whole.get("DeletionPolicy") != "Snapshot":
        yield "a deletion leaves no snapshot of the database"
    if system.environment == "prod" and not (
        made.get("MultiAZ")
        and made.get("DeletionProtection")
        and made["BackupRetentionPeriod"] >= 7
    ):
        yield "the database of production is less than the plan's"


def cache(system: System) -> Iterator[str]:
    made = system["data.Redis"]
    if not NODES.fullmatch(made["CacheNodeType"]):
        yield f"there is no node {made['CacheNodeType']}"
    if made["AutomaticFailoverEnabled"] != (made["NumCacheClusters"] > 1):
        yield "one node cannot fail over, and two should"
    if not (made.get("TransitEncryptionEnabled") and made.get("AtRestEncryptionEnabled")):
        yield "Redis is not encrypted"
    if system["data.RedisParameters"]["Properties"].get("maxmemory-policy") != "noeviction":
        yield "a full Redis throws rings away"


def schedules(system: System) -> Iterator[str]:
    for rule in system.of("Events::Rule"):
        when = rule.get("ScheduleExpression")
        if when is not None and not CRON.fullmatch(when):
            yield f"{rule.place}: {when} has not the six fields of AWS"
    for plan in system.of("Backup::BackupPlan"):
        for rule in plan["BackupPlan"]["BackupPlanRule"]:
            if not CRON.fullmatch(rule["ScheduleExpression"]):
                yield f"{rule['ScheduleExpression']} has not the six fields of AWS"
            vault = system["dr.Vault"]["BackupVaultName"]
            if not any(
                c["DestinationBackupVaultArn"].endswith(f":{vault}") for c in rule["CopyActions"]
            ):
                yield "copies go to another vault"


def keeping(system: System) -> Iterator[str]:
    groups = system.of("Logs::LogGroup")
    for group in groups:
        if not group.get("RetentionInDays"):
            yield f"{group.place}: keeps lines for ever"
    names = {group["LogGroupName"] for group in groups}
    wanted = {f"/aws/ecs/cti-scraper/{name}" for name in ("web", "worker", "scheduler")}
    if not wanted <= names:
        yield f"the plan's log groups are not there: {wanted - names}"
    for task, container in system.containers():
        group = container["LogConfiguration"]["Options"]["awslogs-group"]
        if group not in system:
            yield f"{task.place}/{container['Name']}: writes to {group}, which is not there"
    for counted in system.of("Logs::MetricFilter"):
        name = counted["LogGroupName"]
        if name not in names and name not in system:
            yield f"{counted.place}: counts lines of {name}, which is not there"
    for repository in system.of("ECR::Repository"):
        if repository.get("ImageTagMutability") != "IMMUTABLE" or repository.get(
            "ImageScanningConfiguration"
        ) != {"ScanOnPush": True}:
            yield f"{repository.place}: tags move, or images are not looked at"


def rights(system: System) -> Iterator[str]:
    for made in system.of("IAM::Role"):
        for policy in made.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for fault in _too_much(statement):
                    yield f"{made.place}: {fault}"
                if made.stack == "app" and _hides_what_is_missing(statement):
                    yield f"{made.place}: is told that a missing page is forbidden"


def _too_much(statement: dict[str, Any]) -> Iterator[str]:
    yield from (action for action in statement["Action"] if "*" in action)
    if "*" in statement["Resource"] and not _needs_any(statement):
        yield f"{statement['Action']} on anything"


def _hides_what_is_missing(statement: dict[str, Any]) -> bool:
    """Whether a request for an object, which names no prefix, is not one that may list."""
    conditions = list(statement.get("Condition", {}))
    return "s3:ListBucket" in statement["Action"] and conditions != ["StringLikeIfExists"]


def _needs_any(statement: dict[str, Any]) -> bool:
    """Whether AWS knows no resource for every action, or a condition limits it instead."""
    unlimited = {"ecr:GetAuthorizationToken"}
    return (
        set(statement["Action"]) <= unlimited
        or all(action.startswith("xray:") for action in statement["Action"])
        or bool(statement.get("Condition"))
    )


def traces(system: System) -> Iterator[str]:
    for task, container in system.containers():
        told = {v["Name"]: v["Value"] for v in container.get("Environment", [])}
        endpoint = told.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        if endpoint is None:
            continue
        collector = system.container(task.place, "collector")
        settings = json.loads(collector["Environment"][0]["Value"])
        listening = settings["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
        if endpoint != f"http://{listening}":
            yield f"{task.place}: sends traces to {endpoint}, taken at {listening}"
        if collector["Essential"]:
            yield f"{task.place}: ends with its collector"


SERVICE_CHECKS = (
    scheduler,
    scaling,
    rollouts,
    alarms,
    dashboard,
    firewall,
    storage,
    database,
    cache,
    schedules,
    keeping,
    rights,
    traces,
)
