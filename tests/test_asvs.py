"""The review by OWASP ASVS has a row for each requirement, and names what is there."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

from ctiscraper.config import PREFIX, Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "asvs.md"
STATIC = ROOT / "src" / "ctiscraper" / "web" / "static"

# The level of each requirement of ASVS 5.0.0, by section, as in its released list.
LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3",
    "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333",
    "6.6": "2223", "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222",
    "10.6": "22", "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23",
    "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
VERDICTS = ("pass", "not applicable", "gap")
ROW = re.compile(r"^\| V([\d.]+) \| ([12]) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`((?:infra/)?tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\(([^)#]+)(?:#([\w-]+))?\)")
SETTING = re.compile(rf"`({PREFIX}[A-Z_]+)`")


def rows() -> list[tuple[str, str, str, str, str]]:
    """Number, level, words, verdict and what it rests on, of each requirement."""
    return ROW.findall(PAGE.read_text("utf-8"))


@cache
def defined_in(file: Path) -> frozenset[str]:
    """The tests that a file defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@cache
def left_out(file: Path) -> frozenset[str]:
    """The tests of a file that never run, or may fail."""
    marks = {"pytest.mark.skip", "pytest.mark.xfail"}
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for mark in node.decorator_list
        if ast.unparse(mark).partition("(")[0] in marks
    )


@cache
def headings_of(file: Path) -> frozenset[str]:
    """The anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w]+", "-", head.lower()).strip("-") for head in heads)


def test_the_list_of_requirements_is_whole() -> None:
    counts = Counter("".join(LEVELS.values()))
    assert counts == {"1": 70, "2": 183, "3": 92}


def test_every_requirement_has_its_row_in_order() -> None:
    asked = [
        (f"{section}.{number}", level)
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, start=1)
        if level != "3"
    ]
    assert [(number, level) for number, level, *_ in rows()] == asked


def test_every_row_is_read() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| V")]
    assert len(lines) == len(rows())
    for number, _, words, verdict, rest in rows():
        assert verdict in VERDICTS, number
        assert words, number
        assert len(rest) > 10, number
        assert len(words) < 100, number


def test_what_passes_is_shown_by_what_is_there() -> None:
    variables = {PREFIX + name.upper() for name in Settings.model_fields}
    for number, _, _, verdict, rest in rows():
        tests, links, settings = TEST.findall(rest), LINK.findall(rest), SETTING.findall(rest)
        assert verdict != "pass" or tests or links, f"{number} rests on nothing"
        # Whatever is named so is read as such.
        assert rest.count("::") == len(tests), number
        for path, name in tests:
            file = ROOT / path
            assert file.is_file(), (number, path)
            assert name.startswith("test_"), (number, name)
            assert name in defined_in(file), (number, path, name)
            assert name not in left_out(file), (number, path, name)
        for target, anchor in links:
            page = (PAGE.parent / target).resolve()
            assert page.is_file(), (number, target)
            assert not anchor or anchor in headings_of(page), (number, target, anchor)
        assert set(settings) <= variables, number


def test_every_gap_says_how_grave_it_is_and_what_it_takes() -> None:
    for number, _, _, verdict, rest in rows():
        if verdict == "gap":
            assert re.match(r"\*\*(small|middling|grave)\*\*: ", rest), number
            assert " would " in rest or "t takes " in rest, number


def test_the_counts_are_those_of_the_rows() -> None:
    text = PAGE.read_text("utf-8")
    for name, levels in (("Level 1", "1"), ("Level 2", "2"), ("Both", "12")):
        found = Counter(row[3] for row in rows() if row[1] in levels)
        counts = [*(found[verdict] for verdict in VERDICTS), found.total()]
        assert f"| {name} | {' | '.join(map(str, counts))} |" in text


def test_no_script_takes_a_name_from_outside_as_a_key() -> None:
    """Of an object: `__proto__` would change all others (ASVS 15.3.6)."""
    set_by_name = re.compile(r"\w\[(?![\"'`\d])[^\]]*\] = (?!=)")
    found = {
        (file.name, line.strip())
        for file in STATIC.glob("*.js")
        for line in file.read_text("utf-8").splitlines()
        if set_by_name.search(line)
    }
    # Its names are those of a list in the script.
    assert found == {("passkeys.js", "if (response[name]) parts[name] = words(response[name]);")}


def test_scripts_compare_strictly() -> None:
    """With `==` "0" would be 0 and null nothing (ASVS 15.3.5)."""
    loose = re.compile(r"(?<![=!<>])(?:==|!=)(?!=)")
    scripts = sorted(STATIC.glob("*.js"))
    assert len(scripts) > 5
    found = [
        (file.name, line.strip())
        for file in scripts
        for line in file.read_text("utf-8").splitlines()
        if loose.search(line)
    ]
    assert found == []
    assert loose.search("a == b")
    assert not loose.search("a === b || a !== c || a >= d")
