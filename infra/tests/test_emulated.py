"""Production, created in an emulator of AWS by the calls that AWS takes, and read back."""

import json
from typing import Any

import pytest

from cti_infra.config import PROD
from emulated import DOMAIN, IMAGE_TAG
from emulation import Deployer
from emulation.deployer import RECIPES
from emulation.reading import compare
from emulation.readings import READINGS
from emulation.server import MOTO_LIMITS
from emulation.templates import rendered

# Of the resources in the templates, at least so many are created and read back.
SHARE = 0.95
# Properties without a place in the call that creates: CloudFormation keeps them for the end.
UNPLACED = {"data.Database": ["DeleteAutomatedBackups"]}
# Single values that are compared with what was asked, at least.
COMPARED = 2500
DATABASE = "cti-scraper-prod-database"


@pytest.fixture
def ec2(prod: Deployer) -> Any:
    return prod.calls("network").client("ec2")


@pytest.fixture
def ecs(prod: Deployer) -> Any:
    return prod.calls("app").client("ecs")


@pytest.fixture
def rds(prod: Deployer) -> Any:
    return prod.calls("data").client("rds")


def identity(prod: Deployer, place: str) -> str:
    return prod.made[place].identity


def test_nearly_all_is_created_and_read_back_as_it_was_asked(prod: Deployer) -> None:
    wanted = sum(len(template["Resources"]) for template in rendered("prod").values())
    read, compared, differences = 0, 0, []
    for place, made in prod.made.items():
        reading = READINGS[made.type]
        asked = prod.evaluated[place]
        description = reading(prod.calls(place.partition(".")[0]), made, asked)
        assert description is not None, f"{place} is not there"
        comparison = compare(asked, description, reading.synonyms)
        read += 1
        compared += comparison.compared
        differences += [f"{place}{difference}" for difference in comparison.differences]
    assert differences == []
    assert compared >= COMPARED
    assert len(prod.made) / wanted >= SHARE
    assert read / wanted >= SHARE


def test_what_cannot_be_created_is_known_with_a_reason(prod: Deployer) -> None:
    """A type that moto learns to make fails here, and leaves the list."""
    kinds = {
        place: prod.templates[place.partition(".")[0]]["Resources"][place.partition(".")[2]]["Type"]
        for place in prod.unmade
    }
    assert {kind.removeprefix("AWS::") for kind in kinds.values()} == set(MOTO_LIMITS)
    assert not {made.type for made in prod.made.values()} & set(MOTO_LIMITS)
    assert all(len(reason.split()) > 4 for reason in MOTO_LIMITS.values())


def test_every_property_has_a_place_in_a_call(prod: Deployer) -> None:
    assert prod.unplaced == UNPLACED


def test_there_is_no_recipe_and_no_reading_that_nothing_needs() -> None:
    # What a condition is about is not there without a provider to log in by.
    used = {
        resource["Type"].removeprefix("AWS::")
        for template in rendered("prod").values()
        for resource in template["Resources"].values()
        if "Condition" not in resource
    }
    assert set(RECIPES) == used
    assert set(READINGS) == used - set(MOTO_LIMITS)


def test_exports_and_outputs_are_where_cloudformation_has_them(prod: Deployer) -> None:
    client = prod.calls("app").client("cloudformation")
    names = {stack["StackName"] for stack in client.describe_stacks()["Stacks"]}
    assert names == {f"cti-scraper-prod-{name}" for name in prod.templates if name != "dr"}
    app = client.describe_stacks(StackName="cti-scraper-prod-app")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in app["Outputs"]}
    dns = prod.made["app.LoadBalancer"].attributes["DNSName"]
    assert dns in outputs.values()


def test_subnets_are_the_plans_in_two_zones(ec2: Any, prod: Deployer) -> None:
    vpc = identity(prod, "network.Vpc")
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    by_block = {subnet["CidrBlock"]: subnet for subnet in found}
    assert set(by_block) == {f"10.0.{n}.0/24" for n in (1, 2, 11, 12, 21, 22)}
    for kind in (1, 11, 21):
        zones = {by_block[f"10.0.{n}.0/24"]["AvailabilityZone"] for n in (kind, kind + 1)}
        assert zones == {"us-east-1a", "us-east-1b"}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in found)


def test_routes_lead_where_the_plan_says(ec2: Any, prod: Deployer) -> None:
    def way_out(subnet: str) -> dict[str, str]:
        filters = [{"Name": "association.subnet-id", "Values": [identity(prod, subnet)]}]
        [table] = ec2.describe_route_tables(Filters=filters)["RouteTables"]
        out = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
        return out[0] if out else {}

    for number in (1, 2):
        public = way_out(f"network.PublicSubnet{number}")
        assert public["GatewayId"] == identity(prod, "network.InternetGateway")
        private = way_out(f"network.PrivateSubnet{number}")
        assert private["NatGatewayId"] == identity(prod, f"network.NatGateway{number}")
        assert way_out(f"network.DatabaseSubnet{number}") == {}


def test_security_groups_let_in_pairs(ec2: Any, prod: Deployer) -> None:
    def peers(name: str) -> set[tuple[int, str]]:
        group = identity(prod, f"network.{name}SecurityGroup")
        [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return {
            (rule["FromPort"], peer)
            for rule in found["IpPermissions"]
            for peer in [
                *(pair["GroupId"] for pair in rule["UserIdGroupPairs"]),
                *(block["CidrIp"] for block in rule["IpRanges"]),
            ]
        }

    alb, web, worker = (
        identity(prod, f"network.{name}SecurityGroup") for name in ("Alb", "Web", "Worker")
    )
    assert peers("Alb") == {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")}
    assert peers("Web") == {(8080, alb)}
    assert peers("Worker") == set()
    assert peers("Rds") == {(5432, web), (5432, worker)}
    assert peers("Redis") == {(6379, web), (6379, worker)}


def test_database_subnets_have_their_own_access_list(ec2: Any, prod: Deployer) -> None:
    [acl] = ec2.describe_network_acls(NetworkAclIds=[identity(prod, "network.DatabaseAcl")])[
        "NetworkAcls"
    ]
    subnets = {identity(prod, f"network.DatabaseSubnet{n}") for n in (1, 2)}
    assert {one["SubnetId"] for one in acl["Associations"]} == subnets
    inward = {
        (entry["PortRange"]["From"], entry["CidrBlock"])
        for entry in acl["Entries"]
        if not entry["Egress"] and entry["RuleAction"] == "allow"
    }
    assert inward == {(port, f"10.0.{n}.0/24") for port in (5432, 6379) for n in (11, 12)}


def test_flow_logs_tell_of_all_traffic(ec2: Any, prod: Deployer) -> None:
    [log] = ec2.describe_flow_logs()["FlowLogs"]
    assert log["ResourceId"] == identity(prod, "network.Vpc")
    assert (log["TrafficType"], log["LogDestinationType"]) == ("ALL", "cloud-watch-logs")


def test_the_load_balancer_listens_and_asks_for_health(prod: Deployer) -> None:
    client = prod.calls("app").client("elbv2")
    [balancer] = client.describe_load_balancers()["LoadBalancers"]
    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    arn = balancer["LoadBalancerArn"]
    listeners = client.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    plain, secure = sorted(listeners, key=lambda listener: int(listener["Port"]))
    [redirect] = plain["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    assert (secure["Port"], secure["Protocol"]) == (443, "HTTPS")
    assert "TLS13-1-2" in secure["SslPolicy"]
    [forward] = secure["DefaultActions"]
    [group] = client.describe_target_groups()["TargetGroups"]
    assert forward["TargetGroupArn"] == group["TargetGroupArn"]
    assert (group["HealthCheckPath"], group["Port"]) == ("/health", 8080)
    attributes = client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    told = {pair["Key"]: pair["Value"] for pair in attributes}
    assert told["access_logs.s3.enabled"] == told["deletion_protection.enabled"] == "true"
    [rule] = client.describe_rules(ListenerArn=secure["ListenerArn"])["Rules"]
    assert rule["IsDefault"]


def test_the_certificate_is_the_operators(prod: Deployer) -> None:
    client = prod.calls("app").client("acm")
    arn = prod.evaluated["app.HttpsListener"]["Certificates"][0]["CertificateArn"]
    assert client.describe_certificate(CertificateArn=arn)["Certificate"]["DomainName"] == DOMAIN


@pytest.mark.parametrize(
    ("name", "service"),
    [("Web", PROD.web), ("Worker", PROD.worker), ("Scheduler", PROD.scheduler)],
    ids=("web", "worker", "scheduler"),
)
def test_tasks_have_the_plans_size_and_get_secrets(
    ecs: Any, prod: Deployer, name: str, service: Any
) -> None:
    arn = identity(prod, f"app.{name}Task")
    task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert (task["cpu"], task["memory"]) == (str(service.cpu), str(service.memory))
    containers = {one["name"]: one for one in task["containerDefinitions"]}
    main = containers[name.lower()]
    assert main["stopTimeout"] == 60
    assert main["readonlyRootFilesystem"] is True
    assert main["image"].endswith(f"/cti-scraper/{name.lower()}:{IMAGE_TAG}")
    held = {one["name"]: one["valueFrom"] for one in containers["prepare"]["secrets"]}
    assert {"DATABASE_PASSWORD", "REDIS_PASSWORD"} <= set(held)
    secrets = prod.calls("data").client("secretsmanager")
    for source in held.values():
        arn, key = source.split(":")[:7], source.split(":")[7:8]
        value = secrets.get_secret_value(SecretId=":".join(arn))["SecretString"]
        assert not key or not key[0] or json.loads(value)[key[0]]
    assert not main.get("secrets")


def test_services_run_in_private_subnets_behind_their_groups(ecs: Any, prod: Deployer) -> None:
    cluster = identity(prod, "release.Cluster")
    names = ("web", "worker", "scheduler", "model-worker", "ollama")
    found = ecs.describe_services(cluster=cluster, services=list(names))["services"]
    assert {service["serviceName"] for service in found} == set(names)
    private = {identity(prod, f"network.PrivateSubnet{n}") for n in (1, 2)}
    for service in found:
        network = service["networkConfiguration"]["awsvpcConfiguration"]
        assert set(network["subnets"]) == private
        assert network["assignPublicIp"] == "DISABLED"
    web = next(service for service in found if service["serviceName"] == "web")
    [door] = web["loadBalancers"]
    assert (door["containerName"], door["containerPort"]) == ("nginx", 8080)
    assert door["targetGroupArn"] == identity(prod, "app.WebTargets")


def test_services_scale_within_the_plans_bounds(prod: Deployer) -> None:
    client = prod.calls("app").client("application-autoscaling")
    targets = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    bounds = {
        target["ResourceId"].rpartition("/")[2]: (target["MinCapacity"], target["MaxCapacity"])
        for target in targets
    }
    plans = {"web": (2, 10), "worker": (2, 5), "ollama": (1, 2)}
    assert bounds == {**plans, "model-worker": (1, 2)}
    policies = client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    by_service = {policy["ResourceId"].rpartition("/")[2]: policy for policy in policies}
    configuration = by_service["worker"]["TargetTrackingScalingPolicyConfiguration"]
    metrics = configuration["CustomizedMetricSpecification"]["Metrics"]
    queue = metrics[0]["MetricStat"]["Metric"]
    assert (queue["Namespace"], queue["MetricName"]) == ("CTIScraper", "BacklogPerWorker")
    configuration = by_service["model-worker"]["TargetTrackingScalingPolicyConfiguration"]
    metrics = configuration["CustomizedMetricSpecification"]["Metrics"]
    waiting, tasks = (one["MetricStat"]["Metric"]["MetricName"] for one in metrics[:2])
    assert (waiting, tasks) == ("ModelQueueDepth", "RunningTaskCount")


def test_the_database_is_the_plans(rds: Any, prod: Deployer) -> None:
    [found] = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    assert (found["Engine"], found["EngineVersion"].split(".")[0]) == ("postgres", "15")
    assert (found["DBInstanceClass"], found["StorageType"]) == ("db.t3.medium", "gp3")
    assert (found["AllocatedStorage"], found["MaxAllocatedStorage"]) == (100, 500)
    assert found["BackupRetentionPeriod"] == 7
    assert found["MultiAZ"] is found["StorageEncrypted"] is found["DeletionProtection"] is True
    assert found["PubliclyAccessible"] is False
    assert found["KmsKeyId"] == prod.made["data.Key"].attributes["Arn"]
    group = found["DBSubnetGroup"]
    subnets = {subnet["SubnetIdentifier"] for subnet in group["Subnets"]}
    assert subnets == {identity(prod, f"network.DatabaseSubnet{n}") for n in (1, 2)}


def test_the_database_takes_only_tls(rds: Any, prod: Deployer) -> None:
    group = identity(prod, "data.DatabaseParameters")
    pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group)
    held = {
        one["ParameterName"]: one.get("ParameterValue")
        for page in pages
        for one in page["Parameters"]
    }
    assert held["rds.force_ssl"] == "1"
    assert held["log_min_duration_statement"] == "1000"


def test_the_database_comes_back_from_a_snapshot(rds: Any, prod: Deployer) -> None:
    rds.create_db_snapshot(DBSnapshotIdentifier="drill", DBInstanceIdentifier=DATABASE)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="from-snapshot",
        DBSnapshotIdentifier="drill",
        DBSubnetGroupName=identity(prod, "data.DatabaseSubnets"),
    )
    _is_the_same(rds, "from-snapshot")


def test_the_database_comes_back_from_a_point_in_time(rds: Any, prod: Deployer) -> None:
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=DATABASE,
        TargetDBInstanceIdentifier="from-a-time",
        UseLatestRestorableTime=True,
        DBSubnetGroupName=identity(prod, "data.DatabaseSubnets"),
    )
    _is_the_same(rds, "from-a-time")


def _is_the_same(rds: Any, name: str) -> None:
    [source] = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    [copy] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    for key in ("Engine", "DBInstanceClass", "AllocatedStorage", "StorageEncrypted", "KmsKeyId"):
        assert copy[key] == source[key], key
    assert (
        copy["DBSubnetGroup"]["DBSubnetGroupName"] == source["DBSubnetGroup"]["DBSubnetGroupName"]
    )


def test_redis_is_one_encrypted_node_with_a_password(prod: Deployer) -> None:
    client = prod.calls("data").client("elasticache")
    [group] = client.describe_replication_groups()["ReplicationGroups"]
    assert group["TransitEncryptionEnabled"] is group["AtRestEncryptionEnabled"] is True
    assert group["AuthTokenEnabled"] is True
    assert group["CacheNodeType"] == "cache.t3.micro"
    assert len(group["MemberClusters"]) == 1
    assert group["SnapshotRetentionLimit"] == 7
    # The token is the secret's, by a reference that is resolved when it is created.
    asked = prod.evaluated["data.Redis"]["AuthToken"]
    secrets = prod.calls("data").client("secretsmanager")
    held = secrets.get_secret_value(SecretId=identity(prod, "data.RedisSecret"))["SecretString"]
    assert asked == json.loads(held)["password"]
    assert len(asked) == 48
