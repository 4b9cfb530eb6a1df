"""What costs are reckoned of: the committed templates, changed or not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cti_cost.figures import load_prices, load_usage
from cti_cost.lines import Asked
from cti_cost.templates import load

Resources = dict[str, Any]


def asked(environment: str) -> Asked:
    """Return what the cost of an environment hangs on."""
    return Asked(load(environment), load_usage(environment), load_prices())


def changed(environment: str, stack: str, change: Callable[[Resources], object]) -> Asked:
    """Return the same with the resources of one stack changed."""
    before = asked(environment)
    templates = before.templates.changed()
    change(templates.stacks[stack]["Resources"])
    return replace(before, templates=templates)
