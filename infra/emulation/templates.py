"""The templates of an environment, and in which order they and their resources are made."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from emulation.errors import DeploymentError

RENDERED = Path(__file__).resolve().parents[1] / "rendered"

Document = dict[str, Any]


def rendered(environment: str) -> dict[str, Document]:
    """Return what is committed of an environment, by the names of stacks."""
    files = sorted((RENDERED / environment).glob("*.json"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files}


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a document with what it holds, at any depth."""
    if isinstance(value, list):
        for part in value:
            yield from walk(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key, part
            yield from walk(part)


def stack_order(templates: Mapping[str, Document], names: Iterable[str]) -> list[str]:
    """Return stacks so that each comes after those whose exports it takes."""
    chosen = list(names)
    owners = {export: stack for stack in chosen for export in exports(templates[stack])}
    graph: dict[str, set[str]] = {stack: set() for stack in chosen}
    for stack in chosen:
        for key, value in walk(templates[stack]):
            if key == "Fn::ImportValue" and isinstance(value, str) and value in owners:
                graph[stack].add(owners[value])
    return _sorted(graph, "stacks", chosen.index)


def exports(template: Document) -> dict[str, Any]:
    """Return what a template exports."""
    return {
        output["Export"]["Name"]: output["Value"]
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def resource_order(stack: str, template: Document, *, backwards: bool = False) -> list[str]:
    """Return resources so that each comes after those that it names.

    CloudFormation makes in any order what does not depend on each other; `backwards` is the
    other extreme.
    """
    resources: Mapping[str, Document] = template["Resources"]
    graph = {name: references(resource) & set(resources) for name, resource in resources.items()}
    names = sorted(resources, reverse=backwards)
    return _sorted(graph, stack, names.index)


def references(resource: Document) -> set[str]:
    """Return the logical ids that a resource waits for."""
    found: set[str] = set()
    depends = resource.get("DependsOn", [])
    found.update([depends] if isinstance(depends, str) else depends)
    for key, value in walk(resource.get("Properties", {})):
        if key == "Ref" and isinstance(value, str):
            found.add(value)
        elif key == "Fn::GetAtt":
            found.add(value[0] if isinstance(value, list) else str(value).partition(".")[0])
        elif key == "Fn::Sub":
            text = value[0] if isinstance(value, list) else value
            found.update(part.partition("}")[0].partition(".")[0] for part in text.split("${")[1:])
    return found


def _sorted(graph: Mapping[str, set[str]], where: str, rank: Callable[[str], int]) -> list[str]:
    """Return the names in order; of those that are ready, the lowest rank first."""
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " > ".join(error.args[1])
        raise DeploymentError(where, f"they wait for each other: {circle}") from error
    ready: list[str] = []
    made: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank)
        made.append(ready.pop(0))
        sorter.done(made[-1])
    return made
