"""A line of the cost, and what each rule is given to make lines of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cti_cost.figures import Price, Prices, Span, Usage, span
from cti_cost.templates import Resource, Templates

# Groups of the plan's own table, then those that it leaves out.
FARGATE = "ECS Fargate"
RDS = "RDS PostgreSQL"
REDIS = "ElastiCache Redis"
ALB = "ALB"
S3 = "S3"
NETWORK = "Ways out and addresses"
WATCHING = "Logs, metrics and alarms"
BACKUPS = "Backups and copies"
GUARDS = "Firewall, keys and guards"
DELIVERY = "Images and pipeline"
HOURS = span(730)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What something costs in a month: so many units at a price, at the least and at the most."""

    group: str
    item: str
    at: str
    quantity: Span
    price: Price

    @property
    def cost(self) -> Span:
        """Dollars in a month."""
        return self.quantity * self.price.price


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a cost hangs on: what is rendered, what is assumed, and prices."""

    templates: Templates
    usage: Usage
    prices: Prices

    def line(self, group: str, item: str, at: str, price: str, quantity: Span) -> Line:
        """Return a line at a price by its name. Raises CostError."""
        return Line(group=group, item=item, at=at, quantity=quantity, price=self.prices[price])


Rule = Callable[[Asked, Sequence[Resource]], Iterable[Line]]


def number(value: object) -> Decimal:
    """Return a number that a template holds, perhaps as text."""
    return Decimal(str(value))
