"""What an emulator answers about a resource that was made, and where that is not what was asked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulation.calls import Calls
from emulation.intrinsics import Made
from emulation.templates import Document

# What stands for the identity of a resource in arguments; after = stands a property.
IDENTITY = "@"
_WRITTEN = {"true": True, "enabled": True, "false": False, "disabled": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One call that describes a resource, and where in the answer it is."""

    service: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    # Steps into the answer; a mapping chooses from a list.
    path: tuple[str | int | Mapping[str, str], ...] = ()
    # Properties that are named otherwise in the answer.
    synonyms: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, calls: Calls, made: Made, properties: Document) -> Document | None:
        """Return the description of a resource, or None where there is none."""
        known = {IDENTITY: made.identity, **{f"={k}": v for k, v in properties.items()}}
        known |= {f"@{name}": value for name, value in made.attributes.items()}
        arguments = filled(self.arguments, known)
        answer: Any = getattr(calls.client(self.service), self.operation)(**arguments)
        for step in self.path:
            answer = _step(answer, step, known)
            if answer is None:
                return None
        return answer if isinstance(answer, dict) else {"value": answer}


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return arguments with what stands for identities and properties replaced."""
    if isinstance(value, str):
        return known.get(value, value)
    if isinstance(value, list):
        return [filled(part, known) for part in value]
    if isinstance(value, Mapping):
        return {name: filled(part, known) for name, part in value.items()}
    return value


def _step(answer: Any, step: str | int | Mapping[str, str], known: Mapping[str, Any]) -> Any:
    if isinstance(step, Mapping):
        wanted = {name: filled(value, known) for name, value in step.items()}
        return next(
            (one for one in answer if all(_same(v, one.get(n)) for n, v in wanted.items())), None
        )
    if isinstance(step, int):
        return answer[step] if len(answer) > step else None
    return answer.get(step)


@dataclass(slots=True)
class Comparison:
    """How many single values of a resource were compared, and which differ."""

    compared: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, expected: Any, found: Any, path: str) -> None:
        """Compare a value with what was read, as far as the answer tells of it."""
        expected, found = _alike(expected, found)
        if isinstance(expected, dict) and isinstance(found, dict):
            for name, value in expected.items():
                key = next((k for k in found if k.lower() == name.lower()), None)
                if key is not None:
                    self.add(value, found[key], f"{path}.{name}")
        elif isinstance(expected, list) and isinstance(found, Sequence):
            self._list(expected, found, path)
        else:
            self.compared += 1
            if not _same(expected, found):
                self.differences.append(f"{path}: {expected!r} was asked, {found!r} is there")

    def _list(self, expected: list[Any], found: Sequence[Any], path: str) -> None:
        if len(expected) > len(found):
            self.differences.append(f"{path}: {len(expected)} were asked, {len(found)} are there")
            return
        for number, value in enumerate(expected):
            self.add(value, _counterpart(value, found, number), f"{path}.{number}")


def compare(properties: Document, description: Document, synonyms: Mapping[str, str]) -> Comparison:
    """Return the comparison of what was asked with what is there."""
    made = Comparison()
    made.add(
        {synonyms.get(name, name): value for name, value in properties.items()},
        dict(_flat(description)),
        "",
    )
    return made


def _flat(description: Document) -> Iterator[tuple[str, Any]]:
    """Yield what is described, and what stands one level deeper than in the properties."""
    for value in description.values():
        if isinstance(value, dict):
            yield from ((k, v) for k, v in value.items() if k not in description)
    yield from description.items()


def _counterpart(value: Any, found: Sequence[Any], number: int) -> Any:
    """Return what in an unordered list is the value's: what is named alike, or equal."""
    if isinstance(value, dict):
        for name in ("Name", "Key", "Id", "Sid", "ContainerName", "PolicyName"):
            if name in value:
                for one in found:
                    if isinstance(one, dict):
                        lowered = {k.lower(): v for k, v in one.items()}
                        if _same(value[name], lowered.get(name.lower())):
                            return one
        return found[number]
    return next((one for one in found if _same(value, one)), found[number])


def _alike(expected: Any, found: Any) -> tuple[Any, Any]:
    """Return both in one form: texts of documents are read, tags are mappings."""
    if isinstance(found, bytes):
        found = found.decode()
    if isinstance(found, str) and isinstance(expected, dict | list):
        try:
            found = json.loads(found)
        except ValueError:
            return expected, found
    if isinstance(expected, list) and isinstance(found, dict):
        expected = {pair["Key"]: pair["Value"] for pair in expected}
    if isinstance(expected, str) and isinstance(found, dict) and expected in found.values():
        # A reference, described with what it leads to.
        found = expected
    return expected, found


def _same(expected: Any, found: Any) -> bool:
    """Return whether two single values are the same, however they are written."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return _WRITTEN.get(str(expected).lower()) == _WRITTEN.get(str(found).lower())
    if isinstance(expected, int | float) or isinstance(found, int | float):
        try:
            return float(expected) == float(found)
        except (TypeError, ValueError):
            return False
    return bool(expected == found)
