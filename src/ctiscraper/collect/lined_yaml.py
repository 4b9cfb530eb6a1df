"""YAML read safely, with the line on which each value stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 8

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a document, and what to do."""

    place: Place
    text: str


@dataclass(slots=True)
class LinedYaml:
    """Plain values, and for each place in them the line (1-based) where it stands."""

    data: object = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_lined_yaml(text: str) -> LinedYaml:
    """Return one document's values with their lines; never raises: faults are its `problems`.

    Aliases, anchors, deep nesting and documents over 1 MiB are refused unread.
    """
    result = LinedYaml()
    try:
        refusal = _refusal(text)
        if refusal is None:
            root = yaml.compose(text, Loader=_LOADER)
            result.data = None if root is None else _value(root, (), result)
            return result
        line, message = refusal
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        message = f"not YAML: {getattr(error, 'problem', None) or error}; mend the syntax here"
    result.lines[()] = line
    result.problems.append(Problem((), message))
    return result


def _refusal(text: str) -> tuple[int, str] | None:
    """Why the document is not even composed: (line, reason)."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return 1, "holds half of a Unicode character; save the file as UTF-8"
    if size > MAX_BYTES:
        return 1, f"is {size} bytes long; split it, {MAX_BYTES} are read at most"
    return next(_event_refusals(text), None)


def _event_refusals(text: str) -> Iterator[tuple[int, str]]:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield line, "uses an anchor or alias (& or *); write the value out"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            yield line, f"is nested deeper than {MAX_DEPTH} levels; flatten it"


def _value(node: yaml.Node, place: Place, result: LinedYaml) -> object:
    result.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, result)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, i), result) for i, item in enumerate(node.value)]
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        result.problems.append(Problem(place, f"{node.value[:40]!r} cannot be read; quote it"))
        return None


def _mapping(node: yaml.MappingNode, place: Place, result: LinedYaml) -> dict[str, object]:
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            result.problems.append(Problem(place, f"a key on line {line} is no word; use a word"))
            continue
        key = key_node.value
        here = (*place, key)
        result.lines[here] = line
        if key in values:
            result.problems.append(Problem(here, f"'{key}' stands twice; keep one of them"))
        values[key] = _value(value_node, here, result)
    return values
