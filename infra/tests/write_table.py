"""Writes the table of the plan from the tests that show its lines."""

import sys

from designs import shown_lines
from planned import TABLE, table

TABLE.write_text(table(shown_lines()), "utf-8")
sys.stdout.write(f"{TABLE}\n")
