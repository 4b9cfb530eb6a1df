"""The plan, the tests of its lines, and the table of both agree."""

import pytest

from designs import TESTS, shown_lines
from model import ROOT, load
from planned import PLAN, REGISTRY, TABLE, plan_lines, table

PROD = load("prod")


def test_every_line_of_the_plan_has_its_place() -> None:
    if PLAN is None:
        pytest.skip("the plan is not beside the repository")
    asked = set(plan_lines(PLAN.read_text("utf-8")))
    assert asked == set(REGISTRY)


def test_the_table_is_what_the_tests_say() -> None:
    assert TABLE.read_text("utf-8") == table(shown_lines())


def test_every_test_of_the_design_shows_a_line() -> None:
    assert {shown.test for shown in REGISTRY.values()} == set(TESTS)


def test_every_place_is_there() -> None:
    for shown in REGISTRY.values():
        stack = shown.at.partition(".")[0]
        is_file = (ROOT / shown.at).exists()
        assert is_file or shown.at in PROD or (stack in PROD.stacks and stack == shown.at), shown.at
