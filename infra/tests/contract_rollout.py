"""The contract of blue-green deployments: two groups, one rule, and alarms that see both."""

from collections.abc import Iterator
from typing import Any

from model import Resource, System

LEAST_BAKE = 5


def turns(system: System) -> Iterator[str]:
    """Yield each fault."""
    for service in system.of("ECS::Service"):
        rollout = service["DeploymentConfiguration"]
        if rollout.get("Strategy", "ROLLING") != "BLUE_GREEN":
            continue
        (target,) = service["LoadBalancers"]
        advanced = target.get("AdvancedConfiguration")
        if advanced is None:
            yield f"{service.place}: has no other group to turn to"
            continue
        groups = {target["TargetGroupArn"], advanced["AlternateTargetGroupArn"]}
        yield from _group_faults(system, groups)
        yield from _rule_faults(system, advanced["ProductionListenerRule"], groups)
        yield from _alarm_faults(system, rollout, groups)
        if advanced.get("RoleArn") != "app.WebRolloutRole.Arn":
            yield f"{service.place}: nothing may move its requests"


def _group_faults(system: System, groups: set[str]) -> Iterator[str]:
    if len(groups) != 2:
        yield "both groups are one"
        return
    one, other = (
        {k: v for k, v in system[group].properties.items() if k != "Name"} for group in groups
    )
    if one != other:
        yield "the groups of web are not alike"


def _rule_faults(system: System, name: str, groups: set[str]) -> Iterator[str]:
    rule = system[name.removesuffix(".RuleArn")]
    (action,) = rule["Actions"]
    weights = {g["TargetGroupArn"]: g["Weight"] for g in action["ForwardConfig"]["TargetGroups"]}
    if set(weights) != groups or sorted(weights.values()) != [0, 100]:
        yield f"requests begin at {weights}"
    paths = [path for one in rule["Conditions"] for path in one["PathPatternConfig"]["Values"]]
    if rule["ListenerArn"] != "app.HttpsListener" or paths != ["/*"]:
        yield "not all requests are moved"
    if "app.SignOnRule" in system:
        yield "the load balancer logs people in to a group that may be empty"


def _alarm_faults(system: System, rollout: dict[str, Any], groups: set[str]) -> Iterator[str]:
    told = rollout.get("Alarms", {})
    if not (told.get("Enable") and told.get("Rollback") and told.get("AlarmNames")):
        yield "no alarm turns a deployment back"
    if rollout.get("BakeTimeInMinutes", 0) < LEAST_BAKE:
        yield "the old tasks are gone before anybody notices"
    known = {alarm["AlarmName"]: alarm for alarm in system.of("CloudWatch::Alarm")}
    for name in told.get("AlarmNames", []):
        if name not in known or known[name].stack != "app":
            yield f"{name} is not there before the service"
        elif not _sees(known[name], groups):
            yield f"{name} sees one group alone"
    if not _sees(system["observability.WebDownAlarm"], groups):
        yield "web is down by the alarm whenever the other group is asked"


def _sees(alarm: Resource, groups: set[str]) -> bool:
    """Whether an alarm puts together what each group has."""
    seen = {
        dimension["Value"].removesuffix(".TargetGroupFullName")
        for query in alarm.get("Metrics", [])
        for dimension in query.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        if dimension["Name"] == "TargetGroup"
    }
    return seen == groups
