"""The functions of CloudFormation, evaluated as it does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulation.errors import DeploymentError
from emulation.templates import Document

NO_VALUE = object()
_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
_SECRET = re.compile(r"\{\{resolve:secretsmanager:(.+?):SecretString:([^:}]*)(?:::)?\}\}")


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that is there: what Ref gives, and what GetAtt gives."""

    place: str
    type: str
    identity: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """What a stack's template knows while it is deployed."""

    stack: str
    # Pseudo parameters and parameters.
    values: Mapping[str, Any]
    template: Document
    made: Mapping[str, Made]
    exported: Callable[[str], str | None]
    zones: Callable[[str], list[str]]
    # A key of a secret.
    secret: Callable[[str, str], str]

    def __call__(self, value: Any) -> Any:
        """Return a value without functions. Raises DeploymentError."""
        if isinstance(value, str):
            return _SECRET.sub(lambda found: self.secret(found[1], found[2]), value)
        if isinstance(value, list):
            return [made for part in value if (made := self(part)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if known := _FUNCTIONS.get(name):
                return known(self, argument)
            if name.startswith("Fn::"):
                raise self.error(f"{name} is not a function that is known here")
        return {name: made for name, part in value.items() if (made := self(part)) is not NO_VALUE}

    def error(self, reason: str) -> DeploymentError:
        """Return what to raise."""
        return DeploymentError(self.stack, reason)

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds."""
        conditions: Mapping[str, Any] = self.template.get("Conditions", {})
        if name not in conditions:
            raise self.error(f"condition {name!r} is not in the template")
        return bool(self(conditions[name]))


def _ref(here: Evaluator, name: str) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in here.values:
        return here.values[name]
    if name in here.made:
        return here.made[name].identity
    raise here.error(f"Ref {name!r} leads to nothing that is there")


def _attribute(here: Evaluator, argument: Any) -> str:
    name, _, attribute = (
        argument if isinstance(argument, str) else ".".join(str(here(part)) for part in argument)
    ).partition(".")
    if name not in here.made:
        raise here.error(f"GetAtt of {name!r}, which is not there")
    attributes = here.made[name].attributes
    if attribute not in attributes:
        raise here.error(f"GetAtt {name}.{attribute}: it has {', '.join(attributes) or 'none'}")
    return attributes[attribute]


def _join(here: Evaluator, argument: list[Any]) -> Any:
    # Dynamic references may be put together of parts.
    return here(str(argument[0]).join(str(part) for part in here(argument[1])))


def _sub(here: Evaluator, argument: Any) -> Any:
    text, given = argument if isinstance(argument, list) else (argument, {})

    def one(found: re.Match[str]) -> str:
        literal, name = found[1], found[2]
        if literal:
            return f"${{{name}}}"
        if name in given:
            return str(here(given[name]))
        return str(_attribute(here, name) if "." in name else _ref(here, name))

    return here(_SUBSTITUTION.sub(one, text))


def _select(here: Evaluator, argument: list[Any]) -> Any:
    number, parts = int(here(argument[0])), here(argument[1])
    if number >= len(parts):
        raise here.error(f"Select {number} of {len(parts)} values")
    return parts[number]


def _split(here: Evaluator, argument: list[Any]) -> list[str]:
    return str(here(argument[1])).split(str(argument[0]))


def _import(here: Evaluator, argument: Any) -> str:
    name = str(here(argument))
    found = here.exported(name)
    if found is None:
        raise here.error(f"no export named {name!r} is there")
    return found


def _zones(here: Evaluator, argument: Any) -> list[str]:
    return here.zones(str(here(argument) or here.values["AWS::Region"]))


def _if(here: Evaluator, argument: list[Any]) -> Any:
    return here(argument[1] if here.condition(argument[0]) else argument[2])


def _equals(here: Evaluator, argument: list[Any]) -> bool:
    return bool(here(argument[0]) == here(argument[1]))


def _find(here: Evaluator, argument: list[Any]) -> Any:
    found: Any = here.template.get("Mappings", {})
    for step in argument:
        key = str(here(step))
        if key not in found:
            raise here.error(f"FindInMap: {key!r} is in no mapping")
        found = found[key]
    return here(found)


_FUNCTIONS: Mapping[str, Callable[[Evaluator, Any], Any]] = {
    "Ref": _ref,
    "Condition": lambda here, name: here.condition(name),
    "Fn::GetAtt": _attribute,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::ImportValue": _import,
    "Fn::GetAZs": _zones,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::Not": lambda here, argument: not here(argument[0]),
    "Fn::And": lambda here, argument: all(here(argument)),
    "Fn::Or": lambda here, argument: any(here(argument)),
    "Fn::FindInMap": _find,
}
