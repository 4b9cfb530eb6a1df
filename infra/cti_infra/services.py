"""Services of ECS on Fargate, and how many tasks each has."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam

from cti_infra import containers
from cti_infra.config import Service
from cti_infra.layer import Layer, logical
from cti_infra.network import FRONT_DOOR
from cti_infra.rollout import BAKE_MINUTES, BlueGreen
from cti_infra.task_roles import METRICS_NAMESPACE

GRACE_SECONDS = 90
WEB_CPU_TARGET = 60
# Of BacklogPerWorker: what one worker process does in a minute or two.
BACKLOG_TARGET = 250
# Texts that wait for a model, for each task that asks: an hour of answers at half a minute each.
WAITING_TARGET = 120
COOL_OUT, COOL_IN = 60, 300
INSIGHTS_NAMESPACE = "ECS/ContainerInsights"
_Policy = scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty
_Query = scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a task is made of."""

    name: str
    size: Service
    containers: Sequence[ecs.CfnTaskDefinition.ContainerDefinitionProperty]
    execution_role: iam.CfnRole
    task_role: iam.CfnRole
    volumes: Sequence[str] = ()
    storage: int | None = None
    # One at a time: it is stopped before its successor starts.
    single: bool = False
    # Beyond the least number they may run where machines are taken away at two minutes' notice.
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the tasks of a service run."""

    cluster: str
    subnets: Sequence[str]
    group: str


def task_definition(stack: Layer, task: Task) -> ecs.CfnTaskDefinition:
    """Return the definition of a task."""
    return ecs.CfnTaskDefinition(
        stack,
        f"{logical(task.name)}Task",
        family=stack.named(task.name),
        cpu=str(task.size.cpu),
        memory=str(task.size.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform=containers.linux(),
        execution_role_arn=task.execution_role.attr_arn,
        task_role_arn=task.task_role.attr_arn,
        ephemeral_storage=ecs.CfnTaskDefinition.EphemeralStorageProperty(size_in_gib=task.storage)
        if task.storage
        else None,
        volumes=[ecs.CfnTaskDefinition.VolumeProperty(name=name) for name in task.volumes],
        container_definitions=list(task.containers),
    )


def service(
    stack: Layer,
    task: Task,
    place: Placement,
    *,
    targets: elb.CfnTargetGroup | None = None,
    turns: BlueGreen | None = None,
    registry: str | None = None,
) -> ecs.CfnService:
    """Return a service of such tasks."""
    size, single, spot = task.size, task.single, task.spot
    strategy = [
        ecs.CfnService.CapacityProviderStrategyItemProperty(
            capacity_provider="FARGATE", base=size.minimum, weight=0 if spot else 1
        )
    ]
    if spot:
        # Whatever a worker holds when its machine is taken away is given to another.
        strategy.append(
            ecs.CfnService.CapacityProviderStrategyItemProperty(
                capacity_provider="FARGATE_SPOT", weight=1
            )
        )
    return ecs.CfnService(
        stack,
        f"{logical(task.name)}Service",
        service_name=task.name,
        cluster=place.cluster,
        task_definition=task_definition(stack, task).ref,
        # Where it is scaled, a number here would undo that at each deployment.
        desired_count=size.minimum if size.minimum == size.maximum else None,
        capacity_provider_strategy=strategy,
        platform_version="LATEST",
        propagate_tags="SERVICE",
        enable_ecs_managed_tags=True,
        enable_execute_command=False,
        availability_zone_rebalancing="DISABLED" if single else "ENABLED",
        deployment_configuration=_rollout(turns, single=single),
        network_configuration=ecs.CfnService.NetworkConfigurationProperty(
            awsvpc_configuration=ecs.CfnService.AwsVpcConfigurationProperty(
                subnets=list(place.subnets),
                security_groups=[place.group],
                assign_public_ip="DISABLED",
            )
        ),
        health_check_grace_period_seconds=GRACE_SECONDS if targets else None,
        load_balancers=[
            ecs.CfnService.LoadBalancerProperty(
                container_name="nginx",
                container_port=FRONT_DOOR,
                target_group_arn=targets.ref,
                advanced_configuration=turns.advanced if turns else None,
            )
        ]
        if targets
        else None,
        service_registries=[ecs.CfnService.ServiceRegistryProperty(registry_arn=registry)]
        if registry
        else None,
    )


def _rollout(
    turns: BlueGreen | None, *, single: bool
) -> ecs.CfnService.DeploymentConfigurationProperty:
    """Return how tasks are replaced: with a way back in any case."""
    return ecs.CfnService.DeploymentConfigurationProperty(
        minimum_healthy_percent=0 if single else 100,
        maximum_percent=100 if single else 200,
        deployment_circuit_breaker=ecs.CfnService.DeploymentCircuitBreakerProperty(
            enable=True, rollback=True
        ),
        strategy="BLUE_GREEN" if turns else None,
        bake_time_in_minutes=BAKE_MINUTES if turns else None,
        alarms=ecs.CfnService.DeploymentAlarmsProperty(
            alarm_names=list(turns.alarms), enable=True, rollback=True
        )
        if turns
        else None,
    )


def scale(
    stack: Layer,
    made: ecs.CfnService,
    task: Task,
    cluster: str,
    policy: _Policy,
) -> None:
    """Keep the number of tasks where a metric meets its target."""
    name = logical(task.name)
    target = scaling.CfnScalableTarget(
        stack,
        f"{name}Scaling",
        service_namespace="ecs",
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=f"service/{cluster}/{made.attr_name}",
        min_capacity=task.size.minimum,
        max_capacity=task.size.maximum,
    )
    scaling.CfnScalingPolicy(
        stack,
        f"{name}ScalingPolicy",
        policy_name=f"{task.name}-target",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=policy,
    )


def by_cpu() -> _Policy:
    """Return the policy that follows the CPU of a service."""
    return _Policy(
        target_value=WEB_CPU_TARGET,
        scale_out_cooldown=COOL_OUT,
        scale_in_cooldown=COOL_IN,
        predefined_metric_specification=scaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
            predefined_metric_type="ECSServiceAverageCPUUtilization"
        ),
    )


def by_backlog(environment: str, processes: int) -> _Policy:
    """Return the policy that follows the backlog for each task, as the product itself tells it.

    The product counts worker processes, alive ones alone, and with none says all that waits: so it
    holds when there is no task at all, which a division by tasks would not.
    """
    backlog = _stat("backlog", METRICS_NAMESPACE, "BacklogPerWorker", Environment=environment)
    return _by_figures(
        [backlog], f"backlog * {processes}", "Backlog for each task", BACKLOG_TARGET * processes
    )


def by_waiting_texts(environment: str, cluster: str, service: str) -> _Policy:
    """Return the policy that follows the texts that wait for a model, for each task that asks."""
    waiting = _stat("waiting", METRICS_NAMESPACE, "ModelQueueDepth", Environment=environment)
    tasks = _stat(
        "tasks",
        INSIGHTS_NAMESPACE,
        "RunningTaskCount",
        ClusterName=cluster,
        ServiceName=service,
    )
    return _by_figures(
        [waiting, tasks],
        "IF(tasks > 0, waiting / tasks, waiting)",
        "Texts for each task",
        WAITING_TARGET,
    )


def _stat(name: str, namespace: str, metric: str, **dimensions: str) -> _Query:
    return _Query(
        id=name,
        return_data=False,
        metric_stat=scaling.CfnScalingPolicy.TargetTrackingMetricStatProperty(
            metric=scaling.CfnScalingPolicy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=metric,
                dimensions=[
                    scaling.CfnScalingPolicy.TargetTrackingMetricDimensionProperty(
                        name=dimension, value=value
                    )
                    for dimension, value in dimensions.items()
                ],
            ),
            stat="Average",
        ),
    )


def _by_figures(stats: Sequence[_Query], expression: str, label: str, target: float) -> _Policy:
    made = _Query(id="task", label=label, expression=expression, return_data=True)
    return _Policy(
        target_value=target,
        scale_out_cooldown=COOL_OUT,
        scale_in_cooldown=COOL_IN,
        customized_metric_specification=scaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty(
            metrics=[*stats, made]
        ),
    )
