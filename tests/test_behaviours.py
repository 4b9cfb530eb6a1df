"""The table of behaviours names tests that are there, and leaves none of its numbers out."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "reference" / "behaviours.md"
NUMBERS = [*range(1, 87)]

ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`([^`]+)`")


def rows() -> list[tuple[int, str, list[str]]]:
    """Number, words and tests of each behaviour."""
    text = TABLE.read_text("utf-8")
    return [
        (int(number), words, NAMED.findall(tests)) for number, words, tests in ROW.findall(text)
    ]


def defined_in(file: Path) -> set[str]:
    """The tests that a file defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, kinds)}


def test_every_behaviour_is_in_the_table_once() -> None:
    assert [number for number, _, _ in rows()] == NUMBERS


def test_every_behaviour_is_shown_by_tests_that_are_there() -> None:
    missing = []
    for number, _, tests in rows():
        assert tests, number
        for test in tests:
            path, _, name = test.partition("::")
            file = ROOT / path
            if not (file.is_file() and name.startswith("test_") and name in defined_in(file)):
                missing.append((number, test))
    assert missing == []


def test_the_table_holds_nothing_but_rows_that_are_read() -> None:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    heads = sum(line.startswith("| No.") for line in lines)
    assert len(lines) - heads == len(rows())
