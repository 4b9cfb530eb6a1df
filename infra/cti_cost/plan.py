"""The plan's own table of costs, beside what the templates cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cti_cost.figures import NOTHING, Span, span
from cti_cost.lines import (
    ALB,
    BACKUPS,
    DELIVERY,
    FARGATE,
    GUARDS,
    NETWORK,
    RDS,
    REDIS,
    S3,
    WATCHING,
)
from cti_cost.reckoning import Cost

PLANNED = (FARGATE, RDS, REDIS, ALB, S3)
LEFT_OUT = (NETWORK, WATCHING, BACKUPS, GUARDS, DELIVERY)
TOTAL = "Total"
PLAN = {
    "dev": {
        FARGATE: span(50, 100),
        RDS: span(30, 50),
        REDIS: span(15, 25),
        ALB: span(20, 30),
        S3: span(5, 10),
        TOTAL: span(120, 215),
    },
    "prod": {
        FARGATE: span(200, 500),
        RDS: span(100, 200),
        REDIS: span(50, 100),
        ALB: span(20, 30),
        S3: span(20, 50),
        TOTAL: span(390, 880),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A group of costs beside the plan's figure; there is none of what the plan leaves out."""

    group: str
    cost: Span
    plan: Span | None

    @property
    def verdict(self) -> str:
        """Whether the least and the most are below, within or above what the plan says."""
        if self.plan is None:
            return ""
        low, high = _against(self.cost.low, self.plan), _against(self.cost.high, self.plan)
        return low if low == high else f"{low} to {high}"


def comparisons(cost: Cost) -> Iterator[Comparison]:
    """Yield the plan's groups, what they make together, what it leaves out, and everything."""
    plan = PLAN.get(cost.environment, {})
    planned = left_out = NOTHING
    for group in PLANNED:
        planned += cost.of(group)
        yield Comparison(group=group, cost=cost.of(group), plan=plan.get(group))
    yield Comparison(group="Together, of the plan's groups", cost=planned, plan=plan.get(TOTAL))
    for group in LEFT_OUT:
        left_out += cost.of(group)
        yield Comparison(group=group, cost=cost.of(group), plan=None)
    yield Comparison(group="Together, of what the plan leaves out", cost=left_out, plan=None)
    yield Comparison(group=TOTAL, cost=cost.total, plan=plan.get(TOTAL))


def _against(figure: Decimal, plan: Span) -> str:
    # The plan knows whole dollars.
    rounded = round(figure)
    if rounded < plan.low:
        return "below"
    return "above" if rounded > plan.high else "within"
