"""The page of permissions says what the rules say."""

import re
from pathlib import Path

from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.web.permissions import permissions_page
from ctiscraper.web.rules import PUBLIC_MOUNTS, RULES, Public

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
ROUTE = re.compile(r"^\| ([A-Z]+) \| `([^`]+)` \| ([^|]+) \|(.*)\|$", re.MULTILINE)
SCOPE = re.compile(r"^\| `([^`]+)` \| [^|]+ \|(.*)\|$", re.MULTILINE)


def roles_of(cells: str) -> list[Role]:
    """Those in whose columns something stands."""
    given = [cell.strip() for cell in cells.split("|")]
    assert set(given) <= {"yes", ""}
    return [role for role, cell in zip(Role, given, strict=True) if cell]


def test_the_page_is_the_committed_one() -> None:
    assert PAGE.read_text("utf-8") == permissions_page(), (
        "write it anew: python -m ctiscraper.web.permissions docs/reference/permissions.md"
    )


def test_each_route_is_on_it_once_with_those_who_may_use_it() -> None:
    rows = ROUTE.findall(PAGE.read_text("utf-8"))
    mounts = {f"GET {mount}/…": Public.ANYONE for mount in PUBLIC_MOUNTS}
    rules = {**RULES, **mounts}
    assert sorted(f"{method} {path}" for method, path, _, _ in rows) == sorted(rules)
    for method, path, needs, cells in rows:
        rule = rules[f"{method} {path}"]
        if isinstance(rule, Public):
            assert (needs, roles_of(cells)) == ("anyone", list(Role)), path
        else:
            may = [role for role in Role if rule in GRANTS[role]]
            assert (needs, roles_of(cells)) == (f"`{rule}`", may), path


def test_each_permission_is_on_it_with_those_who_have_it() -> None:
    rows = SCOPE.findall(PAGE.read_text("utf-8"))
    assert [name for name, _ in rows] == list(Permission)
    for name, cells in rows:
        assert roles_of(cells) == [role for role in Role if name in GRANTS[role]], name
