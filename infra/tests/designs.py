"""The modules whose tests show lines of the plan."""

import test_design
import test_design_cost
import test_design_delivery
import test_design_migration
import test_design_network
import test_design_operations

ELSEWHERE = test_design.ELSEWHERE
MODULES = (
    test_design,
    test_design_network,
    test_design_operations,
    test_design_delivery,
    test_design_migration,
    test_design_cost,
)
TESTS = frozenset(
    name
    for module in MODULES
    for name, found in vars(module).items()
    if name.startswith("test_") and callable(found)
)
