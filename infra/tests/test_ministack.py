"""Development, deployed by the real toolkit into an emulator that knows CloudFormation."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cti_infra.config import DEV
from emulated import IMAGE_TAG, client, parameters
from emulation.server import ministack_server
from model import RENDERED
from toolkit import ACCOUNT, Toolkit

STACKS = ("network", "registry", "data", "release", "app", "delivery", "observability")
# What a request may hold; above it, the toolkit goes by way of its bucket.
LARGEST_BODY = 51_200
# Types, or a property of one, that its CloudFormation does not take, and why.
UNKNOWN = {
    "ApplicationAutoScaling::ScalableTarget": "no scaling of services",
    "ApplicationAutoScaling::ScalingPolicy": "no scaling of services",
    "CodePipeline::Pipeline": "no pipelines",
    "EC2::EIP": "no addresses",
    "EC2::FlowLog": "no flow logs",
    "EC2::NatGateway": "no gateways, so no routes to them either",
    "EC2::NetworkAcl": "no access lists of networks",
    "EC2::NetworkAclEntry": "no access lists of networks",
    "EC2::SecurityGroupEgress": "rules only within their group",
    "EC2::SecurityGroupIngress": "rules only within their group",
    "EC2::SubnetNetworkAclAssociation": "no access lists of networks",
    "Logs::QueryDefinition": "no saved queries",
    "WAFv2::LoggingConfiguration": "no logs of the firewall",
    "WAFv2::WebACLAssociation": "no firewall before something",
    "XRay::Group": "no groups of traces",
}
METRIC_MATH = {"CloudWatch::Alarm.Metrics": "alarms of one metric, without mathematics"}
# An attribute that it does not have: the secret that RDS keeps for the administrator.
SECRET = ["Database", "MasterUserSecret.SecretArn"]
SECRET_ARN = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!db-emulated"
# Of the resources in the stacks that are deployed, at least so many are.
SHARE = 0.75
SECONDS = 30


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ministack_server(ACCOUNT) as started:
        yield started


@pytest.fixture(scope="module")
def deployed(address: str, tmp_path_factory: pytest.TempPathFactory) -> Toolkit:
    """Development, but for what is listed above."""
    toolkit = Toolkit(address, tmp_path_factory.mktemp("toolkit"))
    toolkit.synth()
    toolkit.bootstrap()
    assert toolkit.replace("data", SECRET, SECRET_ARN) == 1
    gone = toolkit.leave_out({**UNKNOWN, **METRIC_MATH}, STACKS)
    assert {place.partition(".")[0] for place in gone} == {
        "network",
        "app",
        "delivery",
        "observability",
    }
    given = parameters("dev", "")
    toolkit.deploy(
        STACKS,
        {
            "release:ImageTag": IMAGE_TAG,
            "app:ImageTag": IMAGE_TAG,
            "delivery:ConnectionArn": given["delivery"]["ConnectionArn"],
            "delivery:Repository": given["delivery"]["Repository"],
        },
    )
    return toolkit


@pytest.fixture
def formation(address: str) -> Any:
    return client(address, "cloudformation")


def test_the_toolkit_deploys_every_stack(deployed: Toolkit, formation: Any) -> None:
    assert deployed.assembly.is_dir()
    found = {one["StackName"]: one["StackStatus"] for one in formation.describe_stacks()["Stacks"]}
    wanted = {"CDKToolkit", *(f"cti-scraper-dev-{stack}" for stack in STACKS)}
    assert found == dict.fromkeys(wanted, "CREATE_COMPLETE")


def unconditional(template: Path) -> set[str]:
    """The resources that are there without a provider to log in by, too."""
    resources = json.loads(template.read_text("utf-8"))["Resources"]
    return {name for name, resource in resources.items() if "Condition" not in resource}


def test_most_resources_are_there(deployed: Toolkit, formation: Any) -> None:
    committed = made = 0
    for stack in STACKS:
        name = f"cti-scraper-dev-{stack}"
        resources = formation.describe_stack_resources(StackName=name)["StackResources"]
        held = {one["LogicalResourceId"] for one in resources}
        assert held == unconditional(deployed.template(stack)), stack
        made += len(held)
        committed += len(unconditional(RENDERED / "dev" / f"{stack}.json"))
    assert made / committed >= SHARE


def test_templates_above_the_limit_go_by_way_of_a_bucket(
    deployed: Toolkit, address: str, formation: Any
) -> None:
    committed = {stack: (RENDERED / "dev" / f"{stack}.json").read_text("utf-8") for stack in STACKS}
    large = {stack for stack, text in committed.items() if len(text.encode()) > LARGEST_BODY}
    assert large == {"app", "observability"}
    for stack in large:
        with pytest.raises(ClientError) as refused:
            formation.create_stack(StackName=f"large-{stack}", TemplateBody=committed[stack])
        assert refused.value.response["Error"]["Code"] == "ValidationError"
    bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-us-east-1"
    objects = client(address, "s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert len(objects) >= len(STACKS)
    assert max(one["Size"] for one in objects) > LARGEST_BODY
    assert deployed.template("app").stat().st_size in {one["Size"] for one in objects}


def test_what_is_left_out_is_what_the_emulator_does_not_know(formation: Any) -> None:
    """A type that it learns to make fails here, and leaves the list."""
    body = {"Resources": {kind.replace("::", ""): {"Type": f"AWS::{kind}"} for kind in UNKNOWN}}
    with pytest.raises(ClientError) as refused:
        formation.create_stack(StackName="unknown", TemplateBody=json.dumps(body))
    named = re.findall(r"AWS::([A-Za-z0-9]+::[A-Za-z]+)", str(refused.value))
    assert set(named) == set(UNKNOWN)


@pytest.mark.parametrize(
    ("resource", "attribute"),
    [
        (
            {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "ComparisonOperator": "LessThanThreshold",
                    "EvaluationPeriods": 1,
                    "Metrics": [{"Expression": "1", "Id": "one", "ReturnData": True}],
                    "Threshold": 1,
                },
            },
            "Arn",
        ),
        (
            {
                "Type": "AWS::RDS::DBInstance",
                "Properties": {
                    "AllocatedStorage": "20",
                    "DBInstanceClass": "db.t3.small",
                    "Engine": "postgres",
                    "ManageMasterUserPassword": True,
                    "MasterUsername": "ctiscraper",
                },
            },
            SECRET[1],
        ),
    ],
    ids=("metric math", "secret of the administrator"),
)
def test_what_is_changed_is_what_the_emulator_cannot_do(
    formation: Any, resource: dict[str, Any], attribute: str
) -> None:
    name = f"changed-{resource['Type'].rpartition(':')[2]}"
    body = {
        "Resources": {"One": resource},
        "Outputs": {"Told": {"Value": {"Fn::GetAtt": ["One", attribute]}}},
    }
    formation.create_stack(StackName=name, TemplateBody=json.dumps(body))
    until = time.monotonic() + SECONDS
    while (status := _status(formation, name)).endswith("IN_PROGRESS"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert status == "ROLLBACK_COMPLETE"


def _status(formation: Any, name: str) -> str:
    return str(formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def test_repositories_keep_their_tags(deployed: Toolkit, address: str) -> None:
    assert deployed
    found = client(address, "ecr").describe_repositories()["repositories"]
    ours = {one["repositoryName"]: one for one in found if "cti-scraper/" in one["repositoryName"]}
    assert set(ours) == {f"cti-scraper/{name}" for name in ("web", "worker", "scheduler", "ollama")}
    assert all(one["imageTagMutability"] == "IMMUTABLE" for one in ours.values())
    assert all(one["imageScanningConfiguration"]["scanOnPush"] for one in ours.values())


def test_subnets_and_tasks_are_those_of_development(deployed: Toolkit, address: str) -> None:
    assert deployed
    blocks = {
        subnet["CidrBlock"] for subnet in client(address, "ec2").describe_subnets()["Subnets"]
    }
    assert {str(subnet) for subnet in DEV.addresses.subnets} <= blocks
    ecs = client(address, "ecs")
    for name, service in (("web", DEV.web), ("worker", DEV.worker), ("scheduler", DEV.scheduler)):
        task = ecs.describe_task_definition(taskDefinition=f"cti-scraper-dev-{name}")[
            "taskDefinition"
        ]
        assert (str(task["cpu"]), str(task["memory"])) == (str(service.cpu), str(service.memory))
    found = ecs.describe_services(
        cluster="cti-scraper-dev-cluster", services=["web", "worker", "scheduler"]
    )["services"]
    assert len(found) == 3
