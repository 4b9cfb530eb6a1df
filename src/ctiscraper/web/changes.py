"""What changed between two texts: lines, and the words inside changed lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "added", "removed", "gap"]

CONTEXT = 2
# Comparison is quadratic at worst: beyond these a change is shown whole.
LINES_MOST = 3_000
WORDS_MOST = 600

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Span:
    """A run of words; `changed` when the other side does not have it."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison; a gap stands for `skipped` equal lines."""

    kind: Kind
    spans: tuple[Span, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """Two texts compared; `cut` when only the start of them was."""

    lines: tuple[Line, ...]
    added: int
    removed: int
    cut: bool = False


def compare(before: str, after: str) -> Changes:
    """Return the changes that lead from one text to the other."""
    old, new = before.splitlines(), after.splitlines()
    cut = max(len(old), len(new)) > LINES_MOST
    lines = tuple(_lines(old[:LINES_MOST], new[:LINES_MOST]))
    return Changes(
        lines=lines,
        added=sum(line.kind == "added" for line in lines),
        removed=sum(line.kind == "removed" for line in lines),
        cut=cut,
    )


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            yield from _equal(old[i1:i2], first=i1 == 0, last=i2 == len(old))
        else:
            yield from _changed(old[i1:i2], new[j1:j2])


def _equal(lines: Sequence[str], *, first: bool, last: bool) -> Iterator[Line]:
    head = 0 if first else CONTEXT
    tail = 0 if last else CONTEXT
    skipped = len(lines) - head - tail
    if skipped <= 1:
        yield from (Line("same", (Span(line),)) for line in lines)
        return
    yield from (Line("same", (Span(line),)) for line in lines[:head])
    yield Line("gap", skipped=skipped)
    yield from (Line("same", (Span(line),)) for line in lines[len(lines) - tail :])


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    if len(old) != len(new):
        yield from (Line("removed", (Span(line),)) for line in old)
        yield from (Line("added", (Span(line),)) for line in new)
        return
    for before, after in zip(old, new, strict=True):
        was, now = _spans(before, after)
        yield Line("removed", was)
        yield Line("added", now)


def _spans(before: str, after: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > WORDS_MOST:
        return (Span(before, changed=True),), (Span(after, changed=True),)
    was: list[Span] = []
    now: list[Span] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        changed = tag != "equal"
        if i1 < i2:
            was.append(Span("".join(old[i1:i2]), changed=changed))
        if j1 < j2:
            now.append(Span("".join(new[j1:j2]), changed=changed))
    return tuple(was), tuple(now)
