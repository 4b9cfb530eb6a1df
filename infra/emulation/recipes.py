"""How a resource of each type is made: by which calls, and what of the answer names it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulation.calls import Task
from emulation.intrinsics import Made
from emulation.shapes import Renames
from emulation.templates import Document

Recipe = Callable[[Task], Made]


def found(answer: Any, path: str) -> str:
    """Return what a path leads to in an answer; numbers are places in lists."""
    for step in path.split("."):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return str(answer)


def made(task: Task, identity: str, **attributes: str) -> Made:
    """Return what was made; two underscores of an attribute are a dot."""
    return Made(
        place=task.place,
        type=task.type,
        identity=identity,
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A resource that one call makes."""

    service: str
    operation: str
    # A path in the answer, or after = in the evaluated properties.
    identity: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    renames: Renames = field(default_factory=dict)
    # What EC2 calls it where tags are given.
    tagged: str | None = None
    # The member of the request that takes a name where the template gives none.
    named: str | None = None
    within: str | None = None

    def __call__(self, task: Task) -> Made:
        """Return what was made."""
        fixed: Document = {self.named: task.name} if self.named else {}
        if self.tagged and (tags := task.take("Tags")):
            fixed["TagSpecifications"] = [{"ResourceType": self.tagged, "Tags": tags}]
        answer = task.send(
            self.service, self.operation, fixed, renames=self.renames, within=self.within
        )
        return Made(
            place=task.place,
            type=task.type,
            identity=self._value(task, fixed, answer, self.identity),
            attributes={
                name: self._value(task, fixed, answer, path)
                for name, path in self.attributes.items()
            },
        )

    @staticmethod
    def _value(task: Task, fixed: Document, answer: Document, path: str) -> str:
        if not path.startswith("="):
            return found(answer, path)
        return found({**fixed, **task.properties}, path[1:])
