"""The modules whose tests show lines of the plan, and the lines in the order of those tests."""

import test_design
import test_design_cost
import test_design_delivery
import test_design_measured
import test_design_migration
import test_design_network
import test_design_operations
from planned import REGISTRY, Line, Shown

MODULES = (
    test_design,
    test_design_cost,
    test_design_delivery,
    test_design_measured,
    test_design_migration,
    test_design_network,
    test_design_operations,
)
TESTS = tuple(
    name
    for module in MODULES
    for name, found in vars(module).items()
    if name.startswith("test_") and callable(found)
)


def shown_lines() -> dict[Line, Shown]:
    """Return every line that is shown, whichever module was imported first."""
    ordered = sorted(REGISTRY.items(), key=lambda item: TESTS.index(item[1].test))
    return dict(ordered)
