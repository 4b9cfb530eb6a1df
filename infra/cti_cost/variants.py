"""What other choices would cost: templates or amounts are changed, and reckoned once more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cti_cost.figures import Span, span
from cti_cost.lines import Asked
from cti_cost.reckoning import Cost, reckon
from cti_cost.templates import Templates
from cti_infra.config import ENDPOINTS
from cti_infra.model_settings import MODEL

# Twelve hours of five days in a week, in a month.
_WORKING_HOURS = span("260.7")
_ZONES = 2
# GB that the image of a machine with a driver and a model fits in.
_MACHINE_DISK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Another choice, and what it costs more or, below zero, less."""

    name: str
    difference: Span
    total: Span


Change = Callable[[Asked], Asked | None]


def variants(asked: Asked, cost: Cost) -> Iterator[Variant]:
    """Yield each choice that an environment has."""
    for name, change in CHANGES.items():
        changed = change(asked)
        if changed is not None:
            found = reckon(changed).total
            yield Variant(name=name, difference=found - cost.total, total=found)


def _changed(asked: Asked, change: Callable[[Templates], None]) -> Asked:
    templates = asked.templates.changed()
    change(templates)
    return replace(asked, templates=templates)


def _graviton(asked: Asked) -> Asked:
    def change(templates: Templates) -> None:
        for task in templates.of("ECS::TaskDefinition"):
            task["RuntimePlatform"]["CpuArchitecture"] = "ARM64"

    return _changed(asked, change)


def _spot_workers(asked: Asked) -> Asked:
    def change(templates: Templates) -> None:
        for service in templates.of("ECS::Service"):
            if service["ServiceName"] == "worker":
                service.properties["CapacityProviderStrategy"] = [
                    {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
                ]

    return _changed(asked, change)


def _without_model(asked: Asked) -> Asked | None:
    if not _has_model(asked):
        return None
    return _changed(asked, _drop_model)


def _has_model(asked: Asked) -> bool:
    return any(service["ServiceName"] == "ollama" for service in asked.templates.of("ECS::Service"))


def _drop_model(templates: Templates) -> None:
    for stack in ("app", "observability"):
        resources = templates.stacks[stack]["Resources"]
        of_models = ("Ollama", "ModelWorker", "ModelQueue")
        for name in [n for n in resources if n.startswith(of_models) or n == "Names"]:
            del resources[name]


def _on_gpu(kind: str) -> Change:
    def on_gpu(asked: Asked) -> Asked | None:
        return _changed(asked, change) if _has_model(asked) else None

    def change(templates: Templates) -> None:
        resources = templates.stacks["app"]["Resources"]
        for name in ("OllamaService", "OllamaTask", "OllamaScaling", "OllamaScalingPolicy"):
            del resources[name]
        # The model is asked as before.
        templates.stacks["app"]["Parameters"][MODEL.parameter]["Default"] = "named"
        templates.stacks["observability"]["Parameters"][MODEL.parameter]["Default"] = "named"
        disk = {"Ebs": {"VolumeSize": _MACHINE_DISK, "VolumeType": "gp3"}}
        resources["OllamaMachine"] = {
            "Type": "AWS::EC2::Instance",
            "Properties": {"InstanceType": kind, "BlockDeviceMappings": [disk]},
        }

    return on_gpu


def _off_at_night(asked: Asked) -> Asked | None:
    if asked.templates.environment == "prod":
        return None
    usage = asked.usage.but("service_hours", _WORKING_HOURS)
    return replace(asked, usage=usage.but("database_hours", _WORKING_HOURS))


def _other_class(kind: str, field: str, old: str, new: str) -> Change:
    def other_class(asked: Asked) -> Asked:
        def change(templates: Templates) -> None:
            for resource in templates.of(kind):
                resource.properties[field] = resource[field].replace(old, new)

        return _changed(asked, change)

    return other_class


def _second_node(asked: Asked) -> Asked:
    def change(templates: Templates) -> None:
        for cache in templates.of("ElastiCache::ReplicationGroup"):
            cache.properties["NumCacheClusters"] += 1

    return _changed(asked, change)


def _proxy(asked: Asked) -> Asked:
    def change(templates: Templates) -> None:
        made = {"Type": "AWS::RDS::DBProxy", "Properties": {}}
        templates.stacks["data"]["Resources"]["DatabaseProxy"] = made

    return _changed(asked, change)


def _endpoints(asked: Asked) -> Asked | None:
    found = asked.templates.of("EC2::VPCEndpoint")
    if any(endpoint.get("VpcEndpointType") == "Interface" for endpoint in found):
        return None

    def change(templates: Templates) -> None:
        subnets = [{"Ref": f"PrivateSubnet{number}"} for number in range(1, _ZONES + 1)]
        for name in ENDPOINTS:
            properties = {"VpcEndpointType": "Interface", "SubnetIds": subnets}
            made = {"Type": "AWS::EC2::VPCEndpoint", "Properties": properties}
            templates.stacks["network"]["Resources"][f"Endpoint {name}"] = made

    return _changed(asked, change)


CHANGES: dict[str, Change] = {
    "Tasks on Graviton": _graviton,
    "All workers on Spot": _spot_workers,
    "No language model": _without_model,
    "Services and database off at night and at weekends": _off_at_night,
    "RDS on Graviton (t4g)": _other_class("RDS::DBInstance", "DBInstanceClass", ".t3.", ".t4g."),
    "Redis on Graviton (t4g)": _other_class(
        "ElastiCache::ReplicationGroup", "CacheNodeType", ".t3.", ".t4g."
    ),
    "A second node of Redis": _second_node,
    "RDS Proxy": _proxy,
    "Interface endpoints": _endpoints,
    "The model on one g4dn.xlarge (GPU)": _on_gpu("g4dn.xlarge"),
    "The model on one g6.xlarge (GPU)": _on_gpu("g6.xlarge"),
}
