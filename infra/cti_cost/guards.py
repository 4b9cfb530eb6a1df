"""What firewall, keys, secrets, guards of the account and the pipeline cost."""

from collections.abc import Iterator, Sequence

from cti_cost.errors import CostError
from cti_cost.figures import span
from cti_cost.lines import DELIVERY, GUARDS, Asked, Line
from cti_cost.templates import Resource


def firewalls(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what firewalls cost, each of their rules, and the requests that they look at."""
    for firewall in found:
        place = firewall.place
        yield asked.line(GUARDS, "firewall", place, "waf_acl", span(1))
        yield asked.line(GUARDS, "rules", place, "waf_rule", span(len(firewall["Rules"])))
        requests = asked.usage["firewall_requests"]
        yield asked.line(GUARDS, "requests looked at", place, "waf_requests", requests)


def keys(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what keys cost, and the requests to all of them."""
    for key in found:
        yield asked.line(GUARDS, "key", key.place, "kms_key", span(1))
    if found:
        requests = asked.usage["key_requests"]
        yield asked.line(GUARDS, "requests to keys", found[0].place, "kms_requests", requests)


def secrets(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what secrets cost."""
    for secret in found:
        yield asked.line(GUARDS, "secret", secret.place, "secret", span(1))


def trails(_: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield nothing: the first copy of management events is free, and others are refused."""
    yield from ()
    for trail in found:
        for selector in ("EventSelectors", "AdvancedEventSelectors", "InsightSelectors"):
            if trail.get(selector):
                raise CostError(f"{trail.place}: no price of {selector}")
    if len(found) > 1:
        raise CostError(f"{found[1].place}: no price of a second trail")


def recorders(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what records of AWS Config cost."""
    for recorder in found:
        items = asked.usage["config_items"]
        yield asked.line(GUARDS, "records of changes", recorder.place, "config_items", items)


def config_rules(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what rules of AWS Config cost."""
    for rule in found:
        count = asked.usage["config_evaluations"]
        yield asked.line(GUARDS, "evaluations of rules", rule.place, "config_evaluations", count)


def detectors(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what GuardDuty costs."""
    for one in found:
        lines = asked.usage["guardduty_gigabytes"]
        yield asked.line(GUARDS, "traffic looked at", one.place, "guardduty_logs", lines)
        events = asked.usage["guardduty_events"]
        yield asked.line(GUARDS, "calls looked at", one.place, "guardduty_events", events)


def hubs(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what Security Hub costs."""
    for hub in found:
        checks = asked.usage["securityhub_checks"]
        yield asked.line(GUARDS, "checks", hub.place, "securityhub_checks", checks)


def builds(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what steps of pipelines cost by the minute."""
    minutes = asked.usage["pipeline_runs"] * asked.usage["build_minutes"]
    for project in found:
        kind = project["Environment"]["ComputeType"]
        yield asked.line(DELIVERY, "build", project.place, f"build_{kind}", minutes)


def pipelines(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what pipelines cost for the minutes of their steps."""
    runs = asked.usage["pipeline_runs"] * asked.usage["build_minutes"]
    for pipeline in found:
        if pipeline.get("PipelineType", "V1") != "V2":
            raise CostError(f"{pipeline.place}: no price of a pipeline other than V2")
        minutes = runs * len(asked.templates.of("CodeBuild::Project"))
        yield asked.line(DELIVERY, "steps", pipeline.place, "pipeline_minutes", minutes)
