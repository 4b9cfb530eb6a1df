"""Doors to services of AWS: off unless asked for, open to tasks alone, and priced."""

from dataclasses import replace

from contract import faults
from costs import asked
from cti_cost.figures import span
from cti_cost.reckoning import reckon
from cti_cost.templates import Templates
from cti_infra.config import ENDPOINTS, ENVIRONMENTS
from made import with_endpoints
from model import load


def test_they_are_off() -> None:
    for name in ENVIRONMENTS:
        kinds = {door["VpcEndpointType"] for door in load(name).of("EC2::VPCEndpoint")}
        assert kinds == {"Gateway"}


def test_each_service_has_a_door_in_both_zones() -> None:
    doors = [d for d in with_endpoints().of("EC2::VPCEndpoint") if "SubnetIds" in d.properties]
    assert {door["ServiceName"] for door in doors} == {
        f"com.amazonaws.us-east-1.{name}" for name in ENDPOINTS
    }
    for door in doors:
        assert door["SubnetIds"] == ["network.PrivateSubnet1", "network.PrivateSubnet2"]
        assert door["PrivateDnsEnabled"] is True
        assert door["SecurityGroupIds"] == ["network.EndpointsSecurityGroup.GroupId"]


def test_tasks_alone_come_in_and_the_contract_holds() -> None:
    assert faults(with_endpoints()) == []
    rules = [
        rule
        for rule in with_endpoints().of("EC2::SecurityGroupIngress")
        if rule["GroupId"] == "network.EndpointsSecurityGroup.GroupId"
    ]
    groups = {rule["SourceSecurityGroupId"].split(".")[1] for rule in rules}
    assert groups == {f"{name}SecurityGroup" for name in ("Web", "Worker", "Ollama")}
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(443, 443)}


def test_they_cost_what_the_variant_says() -> None:
    before = asked("prod")
    after = replace(before, templates=Templates("prod", with_endpoints().stacks))
    difference = reckon(after).total - reckon(before).total
    # Six doors, two zones, 730 hours at a cent; 80 to 240 GB at 0.01 in place of 0.045.
    assert difference == span("84.8", "79.2")
