"""What a search asks for, as a tree."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias


class FieldName(StrEnum):
    """What of an article a term asks for, beside its words."""

    SOURCE = "source"
    TIER = "tier"
    TAG = "tag"
    ACTOR = "actor"
    MALWARE = "malware"
    ATTACK = "attack"
    CVE = "cve"
    IOC = "ioc"
    SCORE = "score"
    AFTER = "after"
    BEFORE = "before"
    LANG = "lang"
    STATE = "state"
    ASSIGNEE = "assignee"
    STARRED = "starred"
    IS = "is"


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in what was typed."""

    start: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A word in any of its forms; with `prefix` every word that begins so."""

    text: str
    prefix: bool = False
    span: Span = field(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand side by side."""

    text: str
    span: Span = field(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A field with its value in normal form; `sign` is ":", or how a number compares."""

    name: FieldName
    sign: str
    value: str
    span: Span = field(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Everything but this."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """All of these, two or more; none of them is an And."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these, two or more; none of them is an Or."""

    parts: tuple["Node", ...]


PERSONAL = frozenset((FieldName.STARRED, FieldName.IS))
"""The fields that ask for what one reader did, and so find something else for each."""

Text: TypeAlias = Word | Phrase
Node: TypeAlias = Word | Phrase | Term | Not | And | Or


@dataclass(frozen=True, slots=True)
class Question:
    """A search as it was understood.

    `things` has the kinds and values that each value of `ioc:` may be stored under.
    """

    text: str
    tree: Node
    things: Mapping[str, tuple[tuple[str, str], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )


def leaves(node: Node) -> Iterator[Word | Phrase | Term]:
    """Yield the words, phrases and fields of a tree in their order."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Not):
        yield from leaves(node.part)
    else:
        yield node


def demanded(node: Node) -> tuple[Node, ...]:
    """Return what must all hold."""
    return node.parts if isinstance(node, And) else (node,)
