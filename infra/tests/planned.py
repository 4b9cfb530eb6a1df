"""The lines of the plan, which test shows each, and the table of them in the documentation."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from model import ROOT

# Beside the repository, where it is at all.
PLAN = next(
    (
        file
        for folder in ROOT.parents
        if (file := folder / "shared" / "plan" / "aws-deployment-plan.md").exists()
    ),
    None,
)
TABLE = ROOT / "docs" / "reference" / "aws-plan.md"
HEAD = """# The plan for AWS, line by line

Each line of the deployment plan, what carries it out, and the test in `infra/tests` that shows it.
Places are `stack.Resource` of the committed templates in `infra/rendered/prod`, or files.
`./ctiscraper infra table` writes this page from the tests, and a test compares the two.
"""
_BULLET = re.compile(r"^(?P<indent> *)(?:-|\d+\.) (?P<text>.+?) *$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the plan, under the words that it stands below."""

    section: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What carries a line out, and what shows it."""

    at: str
    test: str


Test = Callable[[], None]
REGISTRY: dict[Line, Shown] = {}


def line(section: str, words: str, *, at: str) -> Callable[[Test], Test]:
    """Mark a test as what shows a line; a test may show several that say the same."""

    def mark(test: Test) -> Test:
        key = Line(section=section, words=words)
        shown = Shown(at=at, test=test.__name__)
        # Tests are imported by their runner and by those who ask for the registry.
        assert REGISTRY.get(key, shown) == shown, f"{key} is shown twice"
        REGISTRY[key] = shown
        return test

    return mark


def plan_lines(text: str) -> Iterator[Line]:
    """Return the lines of the plan that say something; those that head others are sections."""
    rows = text.splitlines()
    section = outer = ""
    for number, row in enumerate(rows):
        if row.startswith("#"):
            section = outer = plain(row.lstrip("# "))
        elif re.fullmatch(r"\*\*[^*]+\*\*", row.strip()):
            section = outer = plain(row)
        elif found := _BULLET.match(row):
            following = _BULLET.match(rows[number + 1]) if number + 1 < len(rows) else None
            if following and len(following["indent"]) > len(found["indent"]):
                section = plain(found["text"]).rstrip(":")
            else:
                section = section if found["indent"] else outer
                yield Line(section=section, words=plain(found["text"]))
        elif row.startswith("**") and ":" in row:
            yield Line(section=section, words=plain(row))


def plain(text: str) -> str:
    """Return words without their markup."""
    return re.sub(r"\*\*|`", "", text).strip()


def table(registry: Mapping[Line, Shown]) -> str:
    """Return the page of the lines, each with what shows it."""
    rows = [HEAD.rstrip()]
    for section in dict.fromkeys(key.section for key in registry):
        rows.append(f"\n## {section}\n\n| Line | Carried out by | Test |\n|---|---|---|")
        rows += [
            f"| {_cell(key.words)} | `{shown.at}` | `{shown.test}` |"
            for key, shown in registry.items()
            if key.section == section
        ]
    return "\n".join(rows) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
