"""Who may use which route, as a page: python -m ctiscraper.web.permissions FILE."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.web.permission_words import SCOPE_WORDS
from ctiscraper.web.rules import API, PUBLIC_MOUNTS, RULES, Public, Rule

_HEAD = """\
# Permissions

Every route, the permission that it needs, and the roles that have it.
Written from the rules that the program itself holds to, not by hand.

A token may do what both its scopes and the role of its owner allow.
What gives CSV or NDJSON besides JSON needs `article:export` as well for these.
Where a thing is somebody's own, such as a search or a token, that decides as well.
The reasons are told in [who may do what](../explanation/access.md).
"""

Cells = tuple[str, ...]


def permissions_page() -> str:
    """Return the page: each permission, then each route, with the roles that may."""
    scopes = [((f"`{one}`", "{} ({})".format(*SCOPE_WORDS[one])), one) for one in Permission]
    of_api = {name: rule for name, rule in RULES.items() if _path_of(name).startswith(f"{API}/")}
    of_pages = {name: rule for name, rule in RULES.items() if name not in of_api}
    of_pages |= {f"GET {mount}/…": Public.ANYONE for mount in PUBLIC_MOUNTS}
    return "\n".join(
        [
            _HEAD,
            *_section("What each permission allows", ("Permission", "Allows"), scopes),
            *_section("Routes of the API", ("Method", "Path", "Needs"), _routes(of_api)),
            *_section("Pages, feeds and health", ("Method", "Path", "Needs"), _routes(of_pages)),
        ]
    )


def _routes(rules: Mapping[str, Rule]) -> list[tuple[Cells, Rule]]:
    """Return the cells of each route, by their paths, and the rule that tells who may."""
    rows: list[tuple[Cells, Rule]] = []
    for name in sorted(rules, key=lambda name: (_path_of(name), name)):
        rule = rules[name]
        needed = rule.value if isinstance(rule, Public) else f"`{rule}`"
        rows.append(((name.partition(" ")[0], f"`{_path_of(name)}`", needed), rule))
    return rows


def _section(title: str, heads: Cells, rows: Iterable[tuple[Cells, Rule]]) -> list[str]:
    """Return the lines of a table under its title, with a column for each role."""
    lines = [f"## {title}", "", _line(*heads, *Role), "|" + "---|" * (len(heads) + len(Role))]
    for cells, rule in rows:
        lines.append(_line(*cells, *("yes" if _may(role, rule) else "" for role in Role)))
    return [*lines, ""]


def _line(*cells: str) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _may(role: Role, rule: Rule) -> bool:
    return isinstance(rule, Public) or rule in GRANTS[role]


def _path_of(name: str) -> str:
    return name.partition(" ")[2]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(permissions_page(), "utf-8")
