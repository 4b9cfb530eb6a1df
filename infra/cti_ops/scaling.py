"""`scale`: how many tasks a service has, within what its automatic scaling allows."""

from dataclasses import dataclass

from cti_ops.errors import Exit, OpsError
from cti_ops.place import Answer, Place
from cti_ops.rollout import wait_steady

DIMENSION = "ecs:service:DesiredCount"
_ACTIVITIES = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What automatic scaling keeps a service between, and whether it is held."""

    least: int
    most: int
    held: bool


def scale(place: Place, service: str, count: int, *, hold: bool) -> None:
    """Have a service run so many tasks, and wait for them. Raises OpsError."""
    if service not in place.services:
        raise OpsError(
            f"there is no service {service!r}: it is one of {', '.join(place.services)}",
            Exit.NOT_FOUND,
        )
    if service == "scheduler" and count not in {0, 1}:
        raise OpsError(
            "one scheduler at most: two would ring the bell twice; give 0 or 1", Exit.CONFLICT
        )
    described = place.described([service])
    if not described:
        raise OpsError(
            f"{place.cluster} has no service {service}: name a model in the deployment file, and "
            "deploy",
            Exit.NOT_FOUND,
        )
    before = described[0]["desiredCount"]
    bounds = bounds_of(place, service)
    if bounds is not None:
        _respect(place, service, count, bounds, hold=hold)
    place.client("ecs").update_service(cluster=place.cluster, service=service, desiredCount=count)
    wait_steady(place, [service])
    place.say(f"{service}: {before} → {count} tasks")


def bounds_of(place: Place, service: str) -> Bounds | None:
    """Return the bounds of a service, None where it does not scale by itself."""
    targets = place.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs",
        ResourceIds=[_resource(place, service)],
        ScalableDimension=DIMENSION,
    )["ScalableTargets"]
    if not targets:
        return None
    target: Answer = targets[0]
    held = any(target.get("SuspendedState", {}).get(name) for name in _ACTIVITIES)
    return Bounds(least=target["MinCapacity"], most=target["MaxCapacity"], held=held)


def _respect(place: Place, service: str, count: int, bounds: Bounds, *, hold: bool) -> None:
    inside = bounds.least <= count <= bounds.most
    if not inside and not hold:
        raise OpsError(
            f"{service} scales between {bounds.least} and {bounds.most} by itself and would undo "
            f"{count}: stay within, or hold its scaling with --hold",
            Exit.CONFLICT,
        )
    if hold != bounds.held:
        place.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=_resource(place, service),
            ScalableDimension=DIMENSION,
            SuspendedState=dict.fromkeys(_ACTIVITIES, hold),
        )
        place.say(f"{service}: automatic scaling {'held' if hold else 'goes on'}")


def _resource(place: Place, service: str) -> str:
    return f"service/{place.cluster}/{service}"
