"""Writes the table of the plan from the tests that show its lines."""

import sys

import test_design
import test_design_operations
from planned import REGISTRY, TABLE, table

assert test_design_operations, "its tests show lines as well"
TABLE.write_text(table(REGISTRY, test_design.ELSEWHERE), "utf-8")
sys.stdout.write(f"{TABLE}\n")
