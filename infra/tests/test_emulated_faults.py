"""What a deployment into an emulator finds, of faults seeded in templates and commands."""

import json
from collections.abc import Callable
from copy import deepcopy

import pytest

from emulated import certificate, deployer, parameters
from emulation import DeploymentError, deploy
from emulation.server import MOTO_LIMITS, empty
from emulation.templates import Document, rendered, resource_order, stack_order

BELOW_APP = ("network", "registry", "data", "release")
NO_CERTIFICATE = (
    f"arn:aws:acm:us-east-1:123456789012:certificate/{'0' * 8}-0000-0000-0000-{'0' * 12}"
)

Templates = dict[str, Document]


@pytest.fixture
def emptied(emulator: str) -> str:
    """The address of an emulator that knows nothing."""
    empty(emulator)
    return emulator


def test_development_is_created_in_the_other_order_too(emptied: str) -> None:
    made = deployer("dev", emptied, backwards=True)
    made.deploy(made.templates, parameters("dev", certificate(emptied)))
    # Neither a provider to log in by nor a model is named.
    wanted = [
        resource
        for template in made.templates.values()
        for resource in template["Resources"].values()
        if "Condition" not in resource
    ]
    assert len(made.made) / len(wanted) >= 0.95


def test_stacks_may_be_deployed_one_after_the_other(emptied: str) -> None:
    given = parameters("dev", certificate(emptied))
    for stack in (*BELOW_APP, "app"):
        outputs = deploy("dev", [stack], given, endpoint=emptied, without=MOTO_LIMITS)
    assert any(value.endswith(".elb.amazonaws.com") for value in outputs["app"].values())
    with pytest.raises(DeploymentError, match="stands already"):
        deploy("dev", ["app"], given, endpoint=emptied, without=MOTO_LIMITS)


def test_a_missing_export_is_found(emptied: str) -> None:
    templates = deepcopy(rendered("dev"))
    outputs = templates["network"]["Outputs"]
    outputs.pop(next(name for name in outputs if "RdsSecurityGroup" in name))
    made = deployer("dev", emptied, templates)
    with pytest.raises(DeploymentError, match=r"no export named .*RdsSecurityGroup") as found:
        made.deploy(("network", "data"))
    assert found.value.place == "data.Database"


def test_a_certificate_that_does_not_exist_is_found(emptied: str) -> None:
    made = deployer("dev", emptied)
    with pytest.raises(DeploymentError, match="CertificateNotFound") as found:
        made.deploy((*BELOW_APP, "app"), parameters("dev", NO_CERTIFICATE))
    assert found.value.place == "app.HttpsListener"


def test_a_stack_before_what_it_needs_is_found(emptied: str) -> None:
    made = deployer("dev", emptied)
    with pytest.raises(DeploymentError, match="no export named 'cti-scraper-dev-network:"):
        made.deploy(["data"])


def test_a_resource_before_what_it_needs_is_found(emptied: str) -> None:
    """The bucket that is written about needs the log's policy, which it names nowhere else."""
    templates = deepcopy(rendered("dev"))
    del templates["data"]["Resources"]["DataBucket"]["DependsOn"]
    made = deployer("dev", emptied, templates)
    with pytest.raises(DeploymentError, match="InvalidTargetBucketForLogging") as found:
        made.deploy(("network", "data"))
    assert found.value.place == "data.DataBucket"


def _circle(templates: Templates) -> None:
    templates["network"]["Resources"]["Vpc"]["DependsOn"] = ["PublicSubnet1"]


def _misspelt(templates: Templates) -> None:
    subnet = templates["network"]["Resources"]["PublicSubnet1"]["Properties"]
    subnet["VpcId"] = {"Ref": "Vcp"}


def _attribute(templates: Templates) -> None:
    templates["network"]["Resources"]["NatGateway1"]["Properties"]["AllocationId"] = {
        "Fn::GetAtt": ["NatAddress1", "Arn"]
    }


def _refused(templates: Templates) -> None:
    templates["network"]["Resources"]["PublicSubnet1"]["Properties"]["CidrBlock"] = "10.9.1.0/24"


def _unknown(templates: Templates) -> None:
    templates["network"]["Resources"]["Vpc"]["Type"] = "AWS::EC2::VPS"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_circle, "they wait for each other"),
        (_misspelt, "Ref 'Vcp' leads to nothing"),
        (_attribute, "GetAtt NatAddress1.Arn"),
        (_refused, "InvalidSubnet.Range"),
        (_unknown, "there is no recipe"),
    ],
    ids=("circle", "reference", "attribute", "refused", "type"),
)
def test_faults_within_a_stack_are_found(
    emptied: str, change: Callable[[Templates], None], reason: str
) -> None:
    templates = deepcopy(rendered("dev"))
    change(templates)
    with pytest.raises(DeploymentError, match=reason):
        deployer("dev", emptied, templates).deploy(["network"])


def test_a_property_without_a_place_is_told(emptied: str) -> None:
    templates = deepcopy(rendered("dev"))
    templates["network"]["Resources"]["Vpc"]["Properties"]["CidrBlok"] = "10.2.0.0/16"
    made = deployer("dev", emptied, templates)
    made.deploy(["network"])
    assert made.unplaced == {"network.Vpc": ["CidrBlok"]}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "parameter ImageTag: missing"),
        ({"ImageTag": "0123456789ab", "Tag": "1"}, "parameter Tag: the template has none"),
        ({"ImageTag": "no tag"}, "parameter ImageTag: 'no tag' is not like"),
    ],
    ids=("missing", "unknown", "malformed"),
)
def test_parameters_are_checked(emptied: str, given: dict[str, str], reason: str) -> None:
    with pytest.raises(DeploymentError, match=reason):
        deployer("dev", emptied).deploy(["release"], {"release": given})


def test_an_unknown_stack_is_named(emulator: str) -> None:
    with pytest.raises(DeploymentError, match="no such stack"):
        deployer("dev", emulator).deploy(["nowhere"])


def test_stacks_are_ordered_by_what_they_take() -> None:
    templates = rendered("prod")
    order = stack_order(templates, sorted(templates, reverse=True))
    for earlier, later in (
        ("network", "data"),
        ("registry", "release"),
        ("data", "release"),
        ("release", "app"),
        ("app", "observability"),
    ):
        assert order.index(earlier) < order.index(later)


@pytest.mark.parametrize("backwards", [False, True])
def test_resources_come_after_those_that_they_name(backwards: bool) -> None:
    template = rendered("prod")["network"]
    order = resource_order("network", template, backwards=backwards)
    assert set(order) == set(template["Resources"])
    for earlier, later in (("Vpc", "PublicSubnet1"), ("NatGateway1", "Private1Route")):
        assert order.index(earlier) < order.index(later)
    assert json.dumps(template) == json.dumps(rendered("prod")["network"])
