"""The plan's estimate of costs, beside what the templates cost by themselves."""

from functools import cache

from costs import asked
from cti_cost.figures import Span
from cti_cost.lines import ALB, FARGATE, REDIS, S3
from cti_cost.plan import PLAN
from cti_cost.reckoning import reckon
from model import load
from planned import line


@cache
def least(environment: str, group: str) -> float:
    """Return what a group costs with as few tasks as scaling allows."""
    return float(reckon(asked(environment)).of(group).low)


@line("Development Environment", "Total: ~$120-215/month", at="baseline.Budget")
@line("Production Environment", "Total: ~$390-880/month", at="baseline.Budget")
def test_the_least_cost_is_within_the_plan_and_the_budget_of_production_its_bound() -> None:
    for environment, low, high in (("dev", 120, 215), ("prod", 390, 880)):
        assert low < reckon(asked(environment)).total.low < high
    budget = load("prod")["baseline.Budget"]["Budget"]
    assert budget["BudgetLimit"] == {"Amount": 880, "Unit": "USD"}


def figures(environment: str, group: str) -> Span:
    return PLAN[environment][group]


@line("Development Environment", "ECS Fargate: ~$50-100 (low usage)", at="app.WebService")
@line("Production Environment", "ECS Fargate: ~$200-500 (higher usage)", at="app.WebService")
def test_tasks_cost_what_was_planned_while_traffic_is_low() -> None:
    assert figures("prod", FARGATE).low < least("prod", FARGATE) < figures("prod", FARGATE).high
    # Smaller tasks than the plan's, one of each.
    assert 40 < least("dev", FARGATE) < figures("dev", FARGATE).high


@line(
    "Development Environment",
    "ElastiCache Redis: ~$15-25 (cache.t3.micro)",
    at="data.Redis",
)
@line(
    "Production Environment",
    "ElastiCache Redis: ~$50-100 (cache.t3.small)",
    at="data.Redis",
)
def test_redis_costs_less_than_was_planned() -> None:
    for environment in ("dev", "prod"):
        assert 0 < least(environment, REDIS) < figures(environment, REDIS).low


@line("Development Environment", "ALB: ~$20-30", at="app.LoadBalancer")
@line("Production Environment", "ALB: ~$20-30", at="app.LoadBalancer")
def test_the_load_balancer_costs_no_more_than_was_planned() -> None:
    for environment in ("dev", "prod"):
        assert 16 < least(environment, ALB) < figures(environment, ALB).high


@line("Development Environment", "S3: ~$5-10", at="data.DataBucket")
@line("Production Environment", "S3: ~$20-50", at="data.DataBucket")
def test_buckets_cost_no_more_than_was_planned_at_first() -> None:
    for environment in ("dev", "prod"):
        assert 0 < least(environment, S3) < figures(environment, S3).high
