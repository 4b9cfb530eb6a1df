"""What logs, metrics, alarms and traces cost."""

from collections.abc import Iterator, Sequence

from cti_cost.errors import CostError
from cti_cost.figures import span
from cti_cost.lines import WATCHING, Asked, Line, number
from cti_cost.templates import Resource

_MONTH_DAYS = 30
# Alarms with a shorter period look at metrics of high resolution.
_STANDARD_SECONDS = 60
# What target tracking makes by itself: one to have more, one to have fewer.
_ALARMS_OF_A_POLICY = 2


def log_groups(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what lines cost that come in, and those that are kept for as long as a group says."""
    for group in found:
        lines = asked.usage[group.place]
        yield asked.line(WATCHING, "lines in", group.place, "logs_in", lines)
        months = number(group["RetentionInDays"]) / _MONTH_DAYS
        kept = lines * asked.usage["log_share"] * months
        yield asked.line(WATCHING, "lines kept", group.place, "logs_kept", kept)


def alarms(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what alarms cost: each metric that one looks at counts."""
    for alarm in found:
        stats = [q["MetricStat"] for q in alarm.get("Metrics", []) if "MetricStat" in q]
        periods = [stat["Period"] for stat in stats] or [alarm["Period"]]
        fast = sum(period < _STANDARD_SECONDS for period in periods)
        if fast:
            yield asked.line(WATCHING, "fast alarms", alarm.place, "alarm_fast", span(fast))
        if slow := len(periods) - fast:
            yield asked.line(WATCHING, "alarms", alarm.place, "alarm", span(slow))


def policies(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what the alarms cost that scaling makes by itself."""
    for policy in found:
        if policy["PolicyType"] != "TargetTrackingScaling":
            raise CostError(f"{policy.place}: alarms of {policy['PolicyType']} are not known")
        target = policy["TargetTrackingScalingPolicyConfiguration"]
        queries = target.get("CustomizedMetricSpecification", {}).get("Metrics", [])
        metrics = sum("MetricStat" in query for query in queries) or 1
        count = span(metrics * _ALARMS_OF_A_POLICY)
        yield asked.line(WATCHING, "alarms of scaling", policy.place, "alarm", count)


def dashboards(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what dashboards cost."""
    for dashboard in found:
        yield asked.line(WATCHING, "dashboard", dashboard.place, "dashboard", span(1))


def filters(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what metrics cost that are read from logs, and the product's own."""
    made = {
        (one["MetricNamespace"], one["MetricName"]): resource
        for resource in found
        for one in resource["MetricTransformations"]
    }
    for resource in made.values():
        yield asked.line(WATCHING, "metric of a log", resource.place, "metric", span(1))
    if found:
        own = asked.usage["custom_metrics"]
        yield asked.line(WATCHING, "the product's metrics", "app.SchedulerTask", "metric", own)


def traces(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what traces cost."""
    for group in found:
        count = asked.usage["traces"]
        yield asked.line(WATCHING, "traces", group.place, "traces", count)
        if group.get("InsightsConfiguration", {}).get("InsightsEnabled"):
            yield asked.line(WATCHING, "insights into traces", group.place, "trace_insights", count)


def subscriptions(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what messages to people cost."""
    for one in found:
        if one["Protocol"] != "email":
            raise CostError(f"{one.place}: no price of messages by {one['Protocol']}")
        yield asked.line(WATCHING, "mail", one.place, "mails", asked.usage["mails"])
