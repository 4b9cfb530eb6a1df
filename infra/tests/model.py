"""The templates of an environment as one system: references between them are followed."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

INFRA = Path(__file__).resolve().parents[1]
ROOT = INFRA.parent
RENDERED = INFRA / "rendered"
MISSING = "MISSING "
NO_VALUE = "AWS::NoValue"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: its stack, its logical id, its type and its properties with names for Refs."""

    stack: str
    name: str
    type: str
    properties: Document
    whole: Document

    @property
    def place(self) -> str:
        return f"{self.stack}.{self.name}"

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.properties.get(name, default)


class System:
    """The stacks of one environment."""

    def __init__(self, environment: str, stacks: Mapping[str, Document]) -> None:
        self.environment = environment
        self.stacks = stacks
        self._exports = {
            output["Export"]["Name"]: (stack, output["Value"])
            for stack, template in stacks.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }
        self.resources = {
            (made := self._resource(stack, name, whole)).place: made
            for stack, template in stacks.items()
            for name, whole in template["Resources"].items()
            if "Condition" not in whole or self.holds(stack, whole["Condition"])
        }

    def _resource(self, stack: str, name: str, whole: Document) -> Resource:
        properties = self.resolve(stack, whole.get("Properties", {}))
        return Resource(stack, name, whole["Type"], properties, whole)

    def resolve(self, stack: str, value: Any) -> Any:
        """Return a value with every reference as the place that it leads to."""
        if isinstance(value, list):
            parts = (self.resolve(stack, part) for part in value)
            return [part for part in parts if part != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (known := _FUNCTIONS.get(next(iter(value)))):
            return known(self, stack, next(iter(value.values())))
        return {name: self.resolve(stack, part) for name, part in value.items()}

    def holds(self, stack: str, condition: str) -> bool:
        """Return whether a condition holds by what parameters are by themselves."""
        template = self.stacks[stack]
        ((unset,),) = (template["Conditions"][condition]["Fn::Not"],)
        parameter, value = unset["Fn::Equals"]
        return bool(template["Parameters"][parameter["Ref"]]["Default"] != value)

    def imported(self, name: str) -> Any:
        """Return what an import leads to."""
        if name not in self._exports:
            return f"{MISSING}{name}"
        stack, value = self._exports[name]
        return self.resolve(stack, value)

    def of(self, kind: str) -> list[Resource]:
        """Return all resources of a type, named without its beginning."""
        return [r for r in self.resources.values() if r.type == f"AWS::{kind}"]

    def __getitem__(self, place: str) -> Resource:
        return self.resources[place]

    def __contains__(self, place: str) -> bool:
        return place in self.resources

    def container(self, place: str, name: str) -> Document:
        """Return a container of a task definition."""
        made: list[Document] = self[place]["ContainerDefinitions"]
        return next(c for c in made if c["Name"] == name)

    def containers(self) -> Iterator[tuple[Resource, Document]]:
        """Return each container with its task definition."""
        for task in self.of("ECS::TaskDefinition"):
            for container in task["ContainerDefinitions"]:
                yield task, container

    def changed(self, change: Callable[[dict[str, Document]], object]) -> "System":
        """Return a copy whose templates were changed."""
        stacks = deepcopy(dict(self.stacks))
        change(stacks)
        return System(self.environment, stacks)


def _ref(_: System, stack: str, value: str) -> str:
    return value if value.startswith("AWS::") else f"{stack}.{value}"


def _attribute(_: System, stack: str, value: list[str]) -> str:
    return f"{stack}.{'.'.join(value)}"


def _join(system: System, stack: str, value: list[Any]) -> str:
    return str(value[0]).join(str(system.resolve(stack, part)) for part in value[1])


def _import(system: System, _: str, value: str) -> Any:
    return system.imported(value)


def _if(system: System, stack: str, value: list[Any]) -> Any:
    return system.resolve(stack, value[1] if system.holds(stack, value[0]) else value[2])


def _select(system: System, stack: str, value: list[Any]) -> str:
    return f"{system.resolve(stack, value[1])}[{value[0]}]"


def _zones(_: System, __: str, value: str) -> str:
    return f"zones of {value}"


_FUNCTIONS: Mapping[str, Callable[[System, str, Any], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _attribute,
    "Fn::Join": _join,
    "Fn::ImportValue": _import,
    "Fn::If": _if,
    "Fn::Select": _select,
    "Fn::GetAZs": _zones,
}


@cache
def load(environment: str) -> System:
    """Return what is committed of an environment."""
    files = sorted((RENDERED / environment).glob("*.json"))
    return System(environment, {f.stem: json.loads(f.read_text("utf-8")) for f in files})


@cache
def asking(environment: str, model: str = "llama3.2") -> System:
    """Return the same where a model is named, by its server's address where there is no Ollama."""

    def name(stacks: dict[str, Document]) -> None:
        for stack in ("app", "observability"):
            stacks[stack]["Parameters"]["Model"]["Default"] = model
        url = stacks["app"]["Parameters"]["ModelUrl"]
        url["Default"] = url["Default"] or "https://models.example.org/v1"

    return load(environment).changed(name)


def attributes(resource: Resource, name: str) -> dict[str, str]:
    """Return a list of keys and values as a mapping."""
    return {pair["Key"]: pair["Value"] for pair in resource[name]}


def variables(container: Document) -> dict[str, str]:
    """Return what a container is told."""
    return {pair["Name"]: pair["Value"] for pair in container.get("Environment", [])}


def text(path: str) -> str:
    """Return a file of the repository."""
    return (ROOT / path).read_text("utf-8")
