"""What tasks of Fargate and machines cost."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from cti_cost.errors import CostError
from cti_cost.figures import NOTHING, Span, span
from cti_cost.lines import FARGATE, HOURS, WATCHING, Asked, Line, number
from cti_cost.templates import Resource, names

_CPU_UNITS = 1024
_MEBIBYTES = 1024
# GB of disk that every task has.
_FREE_STORAGE = 20
_SPOT = "FARGATE_SPOT"


def services(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what services cost, from the least number of their tasks to the most."""
    hours = asked.usage["service_hours"]
    for service in found:
        task = _definition(asked, service)
        tasks = scale(asked, service)
        spot = Span(_spot(service, tasks.low), _spot(service, tasks.high))
        yield from _sized(asked, service.place, task, (tasks - spot) * hours, spot=False)
        if spot != NOTHING:
            yield from _sized(asked, service.place, task, spot * hours, spot=True)


def run_by_hand(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what tasks of no service cost, which run for hours that are assumed."""
    served = {_definition(asked, service).place for service in asked.templates.of("ECS::Service")}
    for task in found:
        if task.place not in served:
            yield from _sized(asked, task.place, task, asked.usage[task.place], spot=False)


def clusters(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what watching the tasks of clusters costs."""
    for cluster in found:
        settings = {pair["Name"]: pair["Value"] for pair in cluster.get("ClusterSettings", [])}
        insights = settings.get("containerInsights", "disabled")
        if insights == "disabled":
            continue
        if insights != "enhanced":
            raise CostError(f"{cluster.place}: no price of Container Insights {insights!r}")
        tasks = NOTHING
        for service in asked.templates.of("ECS::Service"):
            tasks += scale(asked, service)
        metrics = tasks * asked.usage["insights_metrics"]
        yield asked.line(WATCHING, "Container Insights", cluster.place, "insights_metric", metrics)


def machines(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what machines of EC2 and their disks cost."""
    for machine in found:
        kind = machine["InstanceType"]
        yield asked.line(FARGATE, f"machine, {kind}", machine.place, f"ec2_{kind}", HOURS)
        for disk in machine.get("BlockDeviceMappings", []):
            size = span(number(disk["Ebs"]["VolumeSize"]))
            price = f"ebs_{disk['Ebs']['VolumeType']}"
            yield asked.line(FARGATE, "disk of a machine", machine.place, price, size)


def scale(asked: Asked, service: Resource) -> Span:
    """Return how many tasks a service has, as what scales it says."""
    for target in asked.templates.of("ApplicationAutoScaling::ScalableTarget"):
        if target.stack == service.stack and service.name in names(target["ResourceId"]):
            return span(target["MinCapacity"], target["MaxCapacity"])
    return span(service["DesiredCount"])


def _definition(asked: Asked, service: Resource) -> Resource:
    wanted = names(service["TaskDefinition"])
    for task in asked.templates.of("ECS::TaskDefinition"):
        if task.stack == service.stack and task.name in wanted:
            return task
    raise CostError(f"{service.place}: its task definition is not in the stack {service.stack}")


def _spot(service: Resource, tasks: Decimal) -> Decimal:
    """Return how many of the tasks are where machines may be taken away."""
    strategy = service.get("CapacityProviderStrategy", [])
    bases = {item["CapacityProvider"]: Decimal(item.get("Base", 0)) for item in strategy}
    weights = {item["CapacityProvider"]: Decimal(item.get("Weight", 0)) for item in strategy}
    beyond = max(tasks - sum(bases.values()), Decimal(0))
    share = weights.get(_SPOT, Decimal(0)) / max(sum(weights.values()), Decimal(1))
    return min(tasks, bases.get(_SPOT, Decimal(0)) + beyond * share)


def _sized(asked: Asked, place: str, task: Resource, hours: Span, *, spot: bool) -> Iterator[Line]:
    """Yield CPU, memory and disk of a task for hours of it."""
    arm = task.get("RuntimePlatform", {}).get("CpuArchitecture") == "ARM64"
    kind = f"fargate{'_arm' if arm else ''}{'_spot' if spot else ''}"
    told = f"{' on ARM' if arm else ''}{' on Spot' if spot else ''}"
    cpu = number(task["Cpu"]) / _CPU_UNITS
    memory = number(task["Memory"]) / _MEBIBYTES
    yield asked.line(FARGATE, f"CPU{told}", place, f"{kind}_cpu", hours * cpu)
    yield asked.line(FARGATE, f"memory{told}", place, f"{kind}_memory", hours * memory)
    storage = task.get("EphemeralStorage", {}).get("SizeInGiB", _FREE_STORAGE) - _FREE_STORAGE
    if storage > 0:
        yield asked.line(FARGATE, "disk", place, "fargate_storage", hours * storage)
