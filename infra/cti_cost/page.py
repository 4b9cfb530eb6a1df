"""The costs as a page of tables, which a terminal shows as well, and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from cti_cost.figures import NOTHING, Price, Prices, Span, Usage
from cti_cost.lines import Asked, Line
from cti_cost.plan import LEFT_OUT, PLANNED, comparisons
from cti_cost.reckoning import FREE, Cost, reckon
from cti_cost.variants import variants

HEAD = (
    "# What AWS costs\n\n"
    "Dollars in a month, reckoned from the committed templates in `infra/rendered`, "
    "the prices in `infra/cost/prices.toml` and the amounts in `infra/cost/usage.toml`.\n"
    "*Least* is with as few tasks as scaling allows and little traffic; *most* is with as many "
    "all month, storage grown to its bound, and much traffic.\n"
    "Prices are those of us-east-1 on demand, without taxes, support, free tiers, "
    "and savings plans.\n"
    "No bill of AWS has confirmed these figures yet; `*` marks a price that no feed of prices "
    "confirmed.\n"
    "`./ctiscraper infra cost --write` writes this page, and a test compares the two.\n"
)
_MERGED = frozenset(LEFT_OUT)
_CENT = Decimal("0.01")


def page(environments: Sequence[Asked]) -> str:
    """Return the whole page. Raises CostError."""
    parts = [HEAD, *(part for asked in environments for part in sections(asked))]
    parts += [_amounts([asked.usage for asked in environments]), _prices(environments[0].prices)]
    return "\n".join(parts)


def sections(asked: Asked) -> Iterator[str]:
    """Yield what an environment costs: beside the plan, otherwise, and line by line."""
    cost, name = reckon(asked), asked.templates.environment
    yield f"## {name}\n"
    yield _compared(cost)
    yield f"### {name}: other choices\n"
    yield _choices(asked, cost)
    yield f"### {name}: line by line\n"
    yield _lines(cost)
    yield f"### {name}: free of charge\n"
    rows = [(f"`AWS::{kind}`", str(count), FREE[kind]) for kind, count in cost.free.items()]
    yield table(("Type", "How many", "Why"), rows)


def document(asked: Asked) -> dict[str, Any]:
    """Return what an environment costs for a program to read. Raises CostError."""
    cost = reckon(asked)
    return {
        "environment": cost.environment,
        "total": _span(cost.total),
        "plan": [
            {
                "group": one.group,
                "cost": _span(one.cost),
                "plan": _span(one.plan) if one.plan else None,
                "verdict": one.verdict or None,
            }
            for one in comparisons(cost)
        ],
        "variants": [
            {"name": v.name, "difference": _span(v.difference), "total": _span(v.total)}
            for v in variants(asked, cost)
        ],
        "lines": [_line(line) for line in cost.lines],
        "free": {f"AWS::{kind}": count for kind, count in cost.free.items()},
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "group": line.group,
        "item": line.item,
        "at": line.at,
        "quantity": _span(line.quantity),
        "unit": line.price.unit,
        "price": float(line.price.price),
        "believed": line.price.believed,
        "cost": _span(line.cost),
    }


def _span(found: Span) -> list[float]:
    return [float(round(found.low, 4)), float(round(found.high, 4))]


def _compared(cost: Cost) -> str:
    rows = [
        (
            one.group,
            dollars(one.cost.low),
            dollars(one.cost.high),
            f"{one.plan.low}-{one.plan.high}" if one.plan else "",
            one.verdict,
        )
        for one in comparisons(cost)
    ]
    return table(("Group", "Least", "Most", "Plan", "Against the plan"), rows)


def _choices(asked: Asked, cost: Cost) -> str:
    rows = [
        (
            one.name,
            dollars(one.difference.low, signed=True),
            dollars(one.difference.high, signed=True),
            dollars(one.total.low),
            dollars(one.total.high),
        )
        for one in variants(asked, cost)
    ]
    return table(("Instead", "Least", "Most", "Total, least", "Total, most"), rows)


def _lines(cost: Cost) -> str:
    rows = [
        (
            line.group,
            line.item,
            at,
            _figure(line.quantity.low),
            _figure(line.quantity.high),
            line.price.unit,
            _asked(line.price),
            dollars(line.cost.low),
            dollars(line.cost.high),
        )
        for line, at in merged(cost.lines)
    ]
    head = ("Group", "What", "At", "From", "To", "Unit", "Price", "Least", "Most")
    return table(head, rows)


def merged(lines: Iterable[Line]) -> Iterator[tuple[Line, str]]:
    """Yield lines with their places; those alike of what the plan leaves out become one."""
    kept: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        place = "" if line.group in _MERGED else line.at
        kept.setdefault((line.group, line.item, line.price.name, place), []).append(line)
    order = (*PLANNED, *LEFT_OUT)
    for alike in sorted(kept.values(), key=lambda found: order.index(found[0].group)):
        first, quantity = alike[0], NOTHING
        for line in alike:
            quantity += line.quantity
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        made = Line(
            group=first.group, item=first.item, at=first.at, quantity=quantity, price=first.price
        )
        yield made, f"`{first.at}`{more}"


def _amounts(usages: Sequence[Usage]) -> str:
    names = [usage.environment for usage in usages]
    rows = [
        (
            f"`{name}`",
            amount.unit,
            *(f"{_figure(usage[name].low)}-{_figure(usage[name].high)}" for usage in usages),
            amount.reason,
        )
        for name, amount in usages[0].known.items()
    ]
    return "## What is assumed of a month\n\n" + table(("Amount", "Unit", *names, "Why"), rows)


def _prices(prices: Prices) -> str:
    rows = [
        (f"`{price.name}`", _asked(price), price.unit, price.source, price.date)
        for price in prices.known.values()
    ]
    return "## Prices\n\n" + table(("Price", "Dollars", "For a", "Source", "Looked at"), rows)


def _asked(price: Price) -> str:
    return f"{_figure(price.price)}{'*' if price.believed else ''}"


def _figure(found: Decimal) -> str:
    return f"{round(found, 6).normalize():,f}"


def dollars(found: Decimal, *, signed: bool = False) -> str:
    """Return an amount to the cent."""
    rounded = found.quantize(_CENT, ROUND_HALF_UP)
    return f"{rounded:+,.2f}" if signed and rounded else f"{rounded:,.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns are as wide as what is in them."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def shown(row: Sequence[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return f"| {' | '.join(cells)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([shown(head), rule, *(shown(row) for row in rows)]) + "\n"
