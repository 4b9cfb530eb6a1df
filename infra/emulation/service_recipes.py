"""What serves: images, tasks, services, the load balancer and the firewall before it."""

import json
from collections.abc import Mapping
from typing import Any

from emulation.calls import Task
from emulation.intrinsics import Made
from emulation.recipes import Creation, Recipe, found, made


def _repository(task: Task) -> Made:
    cycle = task.take("LifecyclePolicy")
    answer = task.send("ecr", "create_repository")["repository"]
    name = answer["repositoryName"]
    if cycle:
        task.call(
            "ecr",
            "put_lifecycle_policy",
            repositoryName=name,
            lifecyclePolicyText=cycle["LifecyclePolicyText"],
        )
    return made(task, name, Arn=answer["repositoryArn"], RepositoryUri=answer["repositoryUri"])


def _service(task: Task) -> Made:
    # CloudFormation starts one where no number is given, which scaling then raises.
    count = int(task.take("DesiredCount", 1))
    answer = task.send("ecs", "create_service", {"desiredCount": count})["service"]
    return made(
        task, answer["serviceArn"], Name=answer["serviceName"], ServiceArn=answer["serviceArn"]
    )


def _load_balancer(task: Task) -> Made:
    attributes = task.take("LoadBalancerAttributes", [])
    answer = task.send("elbv2", "create_load_balancer")["LoadBalancers"][0]
    arn = answer["LoadBalancerArn"]
    if attributes:
        task.call(
            "elbv2",
            "modify_load_balancer_attributes",
            LoadBalancerArn=arn,
            Attributes=attributes,
        )
    return made(
        task,
        arn,
        DNSName=answer["DNSName"],
        LoadBalancerFullName=arn.partition(":loadbalancer/")[2],
    )


def _target_group(task: Task) -> Made:
    attributes = task.take("TargetGroupAttributes", [])
    arn = found(task.send("elbv2", "create_target_group"), "TargetGroups.0.TargetGroupArn")
    if attributes:
        task.call(
            "elbv2", "modify_target_group_attributes", TargetGroupArn=arn, Attributes=attributes
        )
    return made(task, arn, TargetGroupFullName=arn.rpartition(":")[2])


def _scalable(task: Task) -> Made:
    task.send("application-autoscaling", "register_scalable_target")
    given = task.properties
    parts = (given["ResourceId"], given["ScalableDimension"], given["ServiceNamespace"])
    return made(task, "|".join(parts))


def _scaling(task: Task) -> Made:
    resource, dimension, namespace = task.take("ScalingTargetId").split("|")
    answer = task.send(
        "application-autoscaling",
        "put_scaling_policy",
        {
            "ResourceId": resource,
            "ScalableDimension": dimension,
            "ServiceNamespace": namespace,
        },
    )
    return made(task, found(answer, "PolicyARN"))


def _firewall(task: Task) -> Made:
    answer = task.send("wafv2", "create_web_acl")["Summary"]
    scope = task.properties["Scope"]
    identity = f"{answer['Name']}|{answer['Id']}|{scope}"
    return made(task, identity, Arn=answer["ARN"], Id=answer["Id"])


def _firewall_of(task: Task) -> Made:
    task.send("wafv2", "associate_web_acl")
    return made(task, f"{task.properties['WebACLArn']}|{task.properties['ResourceArn']}")


def _namespace(task: Task) -> Made:
    operation = task.send(
        "servicediscovery", "create_private_dns_namespace", {"CreatorRequestId": task.name}
    )["OperationId"]
    answer: Any = task.call("servicediscovery", "get_operation", OperationId=operation)
    identity = found(answer, "Operation.Targets.NAMESPACE")
    namespace = task.call("servicediscovery", "get_namespace", Id=identity)
    return made(task, identity, Id=identity, Arn=found(namespace, "Namespace.Arn"))


def _event_rule(task: Task) -> Made:
    targets = task.take("Targets", [])
    pattern = task.take("EventPattern")
    fixed = {"Name": task.properties.get("Name", task.name)}
    if pattern:
        fixed["EventPattern"] = json.dumps(pattern)
    answer = task.send("events", "put_rule", fixed)
    failed = task.call("events", "put_targets", Rule=fixed["Name"], Targets=targets)
    if failed["FailedEntryCount"]:
        raise task.error(str(failed["FailedEntries"]))
    return made(task, fixed["Name"], Arn=found(answer, "RuleArn"))


RECIPES: Mapping[str, Recipe] = {
    "ECR::Repository": _repository,
    "ECS::Cluster": Creation(
        service="ecs",
        operation="create_cluster",
        identity="cluster.clusterName",
        attributes={"Arn": "cluster.clusterArn"},
        renames={"ClusterSettings": "settings"},
    ),
    "ECS::TaskDefinition": Creation(
        service="ecs",
        operation="register_task_definition",
        identity="taskDefinition.taskDefinitionArn",
    ),
    "ECS::Service": _service,
    "ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "ElasticLoadBalancingV2::TargetGroup": _target_group,
    "ElasticLoadBalancingV2::Listener": Creation(
        service="elbv2", operation="create_listener", identity="Listeners.0.ListenerArn"
    ),
    "ElasticLoadBalancingV2::ListenerRule": Creation(
        service="elbv2", operation="create_rule", identity="Rules.0.RuleArn"
    ),
    "ApplicationAutoScaling::ScalableTarget": _scalable,
    "ApplicationAutoScaling::ScalingPolicy": _scaling,
    "WAFv2::WebACL": _firewall,
    "WAFv2::WebACLAssociation": _firewall_of,
    "WAFv2::LoggingConfiguration": Creation(
        service="wafv2",
        operation="put_logging_configuration",
        identity="LoggingConfiguration.ResourceArn",
        within="LoggingConfiguration",
    ),
    "ServiceDiscovery::PrivateDnsNamespace": _namespace,
    "ServiceDiscovery::Service": Creation(
        service="servicediscovery",
        operation="create_service",
        identity="Service.Id",
        attributes={"Arn": "Service.Arn", "Name": "Service.Name", "Id": "Service.Id"},
    ),
    "Events::Rule": _event_rule,
}
