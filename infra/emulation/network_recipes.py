"""Networks: what EC2 makes of the stack Network."""

from collections.abc import Mapping

from emulation.calls import Task
from emulation.intrinsics import Made
from emulation.recipes import Creation, Recipe, found, made

# Names of a rule within the permission that the calls take.
_PEERS = ("SourceSecurityGroupId", "DestinationSecurityGroupId")


def _vpc(task: Task) -> Made:
    tags = [{"ResourceType": "vpc", "Tags": task.take("Tags", [])}]
    identity = found(task.send("ec2", "create_vpc", {"TagSpecifications": tags}), "Vpc.VpcId")
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        value = {"Value": bool(task.take(name, name == "EnableDnsSupport"))}
        task.call("ec2", "modify_vpc_attribute", VpcId=identity, **{name: value})
    return made(task, identity)


def _subnet(task: Task) -> Made:
    public = bool(task.take("MapPublicIpOnLaunch", default=False))
    tags = [{"ResourceType": "subnet", "Tags": task.take("Tags", [])}]
    answer = task.send("ec2", "create_subnet", {"TagSpecifications": tags})
    identity = found(answer, "Subnet.SubnetId")
    task.call(
        "ec2",
        "modify_subnet_attribute",
        SubnetId=identity,
        MapPublicIpOnLaunch={"Value": public},
    )
    return made(task, identity)


def _permission(rule: Mapping[str, object]) -> dict[str, object]:
    said = {"Description": rule["Description"]} if "Description" in rule else {}
    permission = {k: rule[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in rule}
    if "CidrIp" in rule:
        return {**permission, "IpRanges": [{"CidrIp": rule["CidrIp"], **said}]}
    peer = next(rule[name] for name in _PEERS if name in rule)
    return {**permission, "UserIdGroupPairs": [{"GroupId": peer, **said}]}


def _security_group(task: Task) -> Made:
    rules = task.take("SecurityGroupEgress", [])
    tags = [{"ResourceType": "security-group", "Tags": task.take("Tags", [])}]
    answer = task.send(
        "ec2",
        "create_security_group",
        {"TagSpecifications": tags},
        renames={"GroupDescription": "Description"},
    )
    identity = found(answer, "GroupId")
    if rules:
        # A group lets everything out until it is told otherwise.
        task.call(
            "ec2",
            "revoke_security_group_egress",
            GroupId=identity,
            IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        )
        task.call(
            "ec2",
            "authorize_security_group_egress",
            GroupId=identity,
            IpPermissions=[_permission(rule) for rule in rules],
        )
    return made(task, identity, GroupId=identity, VpcId=str(task.properties["VpcId"]))


def _rule(direction: str) -> Recipe:
    def make(task: Task) -> Made:
        group = task.take("GroupId")
        task.placed.update(task.properties)
        answer = task.call(
            "ec2",
            f"authorize_security_group_{direction}",
            GroupId=group,
            IpPermissions=[_permission(task.properties)],
        )
        return made(task, found(answer, "SecurityGroupRules.0.SecurityGroupRuleId"))

    return make


def _acl_entry(task: Task) -> Made:
    task.send("ec2", "create_network_acl_entry")
    given = task.properties
    return made(task, f"{given['NetworkAclId']}/{given['Egress']}/{given['RuleNumber']}")


def _acl_of_subnet(task: Task) -> Made:
    subnet = task.take("SubnetId")
    held = task.call(
        "ec2",
        "describe_network_acls",
        Filters=[{"Name": "association.subnet-id", "Values": [subnet]}],
    )
    association = next(
        one["NetworkAclAssociationId"]
        for acl in held["NetworkAcls"]
        for one in acl["Associations"]
        if one["SubnetId"] == subnet
    )
    answer = task.send("ec2", "replace_network_acl_association", {"AssociationId": association})
    return made(task, found(answer, "NewAssociationId"))


def _route(task: Task) -> Made:
    task.send("ec2", "create_route")
    given = task.properties
    return made(task, f"{given['RouteTableId']}|{given['DestinationCidrBlock']}")


def _attachment(task: Task) -> Made:
    task.send("ec2", "attach_internet_gateway")
    return made(task, f"IGW|{task.properties['VpcId']}")


def _flow_log(task: Task) -> Made:
    tags = [{"ResourceType": "vpc-flow-log", "Tags": task.take("Tags", [])}]
    answer = task.send(
        "ec2",
        "create_flow_logs",
        {"ResourceIds": [task.take("ResourceId")], "TagSpecifications": tags},
    )
    return made(task, found(answer, "FlowLogIds.0"))


def _ec2(operation: str, identity: str, tagged: str | None, **attributes: str) -> Creation:
    return Creation(
        service="ec2",
        operation=operation,
        identity=identity,
        tagged=tagged,
        attributes=attributes,
    )


RECIPES: Mapping[str, Recipe] = {
    "EC2::VPC": _vpc,
    "EC2::Subnet": _subnet,
    "EC2::InternetGateway": _ec2(
        "create_internet_gateway", "InternetGateway.InternetGatewayId", "internet-gateway"
    ),
    "EC2::VPCGatewayAttachment": _attachment,
    "EC2::EIP": _ec2("allocate_address", "PublicIp", "elastic-ip", AllocationId="AllocationId"),
    "EC2::NatGateway": _ec2("create_nat_gateway", "NatGateway.NatGatewayId", "natgateway"),
    "EC2::RouteTable": _ec2("create_route_table", "RouteTable.RouteTableId", "route-table"),
    "EC2::Route": _route,
    "EC2::SubnetRouteTableAssociation": _ec2("associate_route_table", "AssociationId", None),
    "EC2::SecurityGroup": _security_group,
    "EC2::SecurityGroupIngress": _rule("ingress"),
    "EC2::SecurityGroupEgress": _rule("egress"),
    "EC2::NetworkAcl": _ec2("create_network_acl", "NetworkAcl.NetworkAclId", "network-acl"),
    "EC2::NetworkAclEntry": _acl_entry,
    "EC2::SubnetNetworkAclAssociation": _acl_of_subnet,
    "EC2::VPCEndpoint": _ec2("create_vpc_endpoint", "VpcEndpoint.VpcEndpointId", "vpc-endpoint"),
    "EC2::FlowLog": _flow_log,
}
