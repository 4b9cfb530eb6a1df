"""Writes the table of the plan from the tests that show its lines."""

import sys

from designs import ELSEWHERE
from planned import REGISTRY, TABLE, table

TABLE.write_text(table(REGISTRY, ELSEWHERE), "utf-8")
sys.stdout.write(f"{TABLE}\n")
