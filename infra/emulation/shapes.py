"""Properties of a template in the shape of an API, as the models of botocore describe it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

Renames = Mapping[str, str]


def member_of(shape: StructureShape, name: str, renames: Renames) -> str | None:
    """Return the member for a property: it is spelt alike, but for capitals."""
    wanted = renames.get(name, name)
    if wanted in shape.members:
        return wanted
    return next((m for m in shape.members if m.lower() == wanted.lower()), None)


def shaped(value: Any, shape: Shape, *, renames: Renames, path: str, unplaced: list[str]) -> Any:
    """Return a value as the API takes it; paths that have no place in it go into `unplaced`."""
    if isinstance(shape, StructureShape):
        return _structure(value, shape, renames, path, unplaced)
    if isinstance(shape, ListShape):
        parts = _pairs(value, shape) if isinstance(value, dict) else value
        if not isinstance(parts, Sequence) or isinstance(parts, str):
            parts = [parts]
        return [
            shaped(part, shape.member, renames=renames, path=path, unplaced=unplaced)
            for part in parts
        ]
    if isinstance(shape, MapShape):
        pairs = value if isinstance(value, dict) else {p["Key"]: p["Value"] for p in value}
        return {
            key: shaped(part, shape.value, renames=renames, path=f"{path}.{key}", unplaced=unplaced)
            for key, part in pairs.items()
        }
    return _scalar(value, shape.type_name)


def _structure(
    value: Any, shape: StructureShape, renames: Renames, path: str, unplaced: list[str]
) -> Any:
    if not isinstance(value, dict):
        return value
    made = {}
    for name, part in value.items():
        member = member_of(shape, name, renames)
        here = f"{path}.{name}" if path else name
        if member is None:
            unplaced.append(here)
            continue
        made[member] = shaped(
            part, shape.members[member], renames=renames, path=here, unplaced=unplaced
        )
    return made


def _pairs(value: Mapping[str, Any], shape: ListShape) -> list[dict[str, Any]]:
    """Return a mapping as the pairs that the list holds, for tags."""
    names = list(getattr(shape.member, "members", {}))
    return [dict(zip(names, pair, strict=False)) for pair in value.items()]


def _scalar(value: Any, kind: str) -> Any:
    if kind == "string":
        if isinstance(value, bool):
            return str(value).lower()
        return json.dumps(value) if isinstance(value, dict | list) else str(value)
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return value
