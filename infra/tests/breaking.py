"""Changes of templates that break one thing each."""

from collections.abc import Callable
from typing import Any

from model import Document

Stacks = dict[str, Document]
Break = Callable[[Stacks], object]


def of(stacks: Stacks, stack: str, name: str) -> Document:
    """Return the properties of a resource."""
    found: Document = stacks[stack]["Resources"][name]["Properties"]
    return found


def put(stack: str, name: str, *path: str | int, value: Any) -> Break:
    """Return what sets one property."""

    def change(stacks: Stacks) -> None:
        here: Any = of(stacks, stack, name)
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = value

    return change


def drop(stack: str, name: str, *path: str | int) -> Break:
    """Return what removes one property."""

    def change(stacks: Stacks) -> None:
        here: Any = of(stacks, stack, name)
        for step in path[:-1]:
            here = here[step]
        del here[path[-1]]

    return change


def remove(stack: str, name: str) -> Break:
    return lambda stacks: stacks[stack]["Resources"].pop(name)


def add(stack: str, name: str, kind: str, **properties: Any) -> Break:
    def change(stacks: Stacks) -> None:
        stacks[stack]["Resources"][name] = {"Type": f"AWS::{kind}", "Properties": properties}

    return change


def contained(task: tuple[str, str], name: str, key: str, value: Any) -> Break:
    """Return what sets one property of a container."""

    def change(stacks: Stacks) -> None:
        for container in of(stacks, *task)["ContainerDefinitions"]:
            if container["Name"] == name:
                container[key] = value

    return change


def told(task: tuple[str, str], name: str, variable: str, value: str) -> Break:
    """Return what tells a container something else."""

    def change(stacks: Stacks) -> None:
        for container in of(stacks, *task)["ContainerDefinitions"]:
            if container["Name"] == name:
                kept = [v for v in container["Environment"] if v.get("Name") != variable]
                container["Environment"] = [*kept, {"Name": variable, "Value": value}]

    return change


def default(parameter: str, value: str) -> Break:
    """Return what gives a parameter another value by itself."""
    return lambda stacks: stacks["app"]["Parameters"][parameter].update(Default=value)


def alarm(name: str, *path: str | int, value: Any) -> Break:
    return put("observability", f"{name}Alarm", *path, value=value)


def whole(stack: str, name: str, key: str, value: Any) -> Break:
    def change(stacks: Stacks) -> None:
        stacks[stack]["Resources"][name][key] = value

    return change
