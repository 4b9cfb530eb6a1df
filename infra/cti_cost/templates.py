"""The rendered templates, as far as a cost needs them."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cti_cost.errors import CostError
from cti_infra.model_settings import MODEL

RENDERED = Path(__file__).resolve().parents[1] / "rendered"
Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a template."""

    stack: str
    name: str
    type: str
    properties: Template

    @property
    def place(self) -> str:
        """Where it stands: stack.Name."""
        return f"{self.stack}.{self.name}"

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever CloudFormation takes
        if name not in self.properties:
            raise CostError(f"{self.place} has no {name}, which its cost hangs on")
        return self.properties[name]

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401
        """Return a property, or what is said in its absence."""
        return self.properties.get(name, default)


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one environment by their stacks."""

    environment: str
    stacks: Mapping[str, Template]

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a type, named without its beginning."""
        return [resource for resource in self.resources() if resource.type == f"AWS::{kind}"]

    def resources(self) -> list[Resource]:
        """Return every resource that is there by the parameters as they are by themselves."""
        return [
            Resource(stack, name, whole["Type"], whole.get("Properties", {}))
            for stack, template in self.stacks.items()
            for name, whole in template["Resources"].items()
            if "Condition" not in whole or self._holds(template, whole["Condition"])
        ]

    def _holds(self, template: Template, condition: str) -> bool:
        """Return whether a condition holds: each is that a parameter is given."""
        unset = template["Conditions"][condition]["Fn::Not"][0]["Fn::Equals"]
        # Whoever pays for Ollama names its model.
        paid = (
            unset[0]["Ref"] == MODEL.parameter
            and "OllamaService" in self.stacks["app"]["Resources"]
        )
        return bool(paid or template["Parameters"][unset[0]["Ref"]]["Default"] != unset[1])

    def changed(self) -> "Templates":
        """Return a copy that may be changed."""
        return Templates(self.environment, deepcopy(dict(self.stacks)))


def environments() -> list[str]:
    """Return what is rendered, the least first."""
    order = ("dev", "staging", "prod")
    return [name for name in order if (RENDERED / name).is_dir()]


def load(environment: str) -> Templates:
    """Return the templates of an environment. Raises CostError."""
    files = sorted((RENDERED / environment).glob("*.json"))
    if not files:
        raise CostError(f"nothing is rendered of {environment!r}: {', '.join(environments())} are")
    stacks = {file.stem: json.loads(file.read_text("utf-8")) for file in files}
    return Templates(environment, stacks)


def names(value: object) -> set[str]:
    """Return the logical names that a value refers to in its own stack."""
    if isinstance(value, dict):
        found = set().union(*(names(part) for part in value.values()), set[str]())
        if isinstance(target := value.get("Ref"), str):
            found.add(target)
        if isinstance(target := value.get("Fn::GetAtt"), list):
            found.add(str(target[0]))
        return found
    if isinstance(value, list):
        return set().union(*(names(part) for part in value), set[str]())
    return set()
