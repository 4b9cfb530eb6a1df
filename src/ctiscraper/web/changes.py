"""What changed between two texts: lines, and the words inside changed lines."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, takewhile
from typing import Literal

from ctiscraper.loop import to_its_end

Kind = Literal["same", "added", "removed", "gap"]

CONTEXT = 2
LINES_MOST = 3_000
CHARACTERS_MOST = 20_000
"""The words of no longer line are compared."""
PAIRS_MOST = 5_000_000
"""So many pairs of lines or words are held against each other, some 0.2 s of work."""

# What it costs to go on to the next line or word, in pairs.
_STEP = 3
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
    """Two texts compared: `cut` when only their start was, `coarse` when not in full."""

    lines: tuple[Line, ...]
    added: int
    removed: int
    cut: bool = False
    coarse: bool = False


class Comparisons:
    """Compares texts off the event loop, one after another: a thread at work slows all others."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def one(self, before: str, after: str) -> Changes:
        """Return the changes that lead from one text to the other."""
        (changes,) = await self.all([(before, after)])
        return changes

    async def all(self, texts: Sequence[tuple[str, str]]) -> tuple[Changes, ...]:
        """Return the changes of each pair of texts; together they cost no more than one may."""
        async with self._turn:
            # A thread goes on when nobody waits for it any more: until then it is its turn.
            return await to_its_end(asyncio.to_thread(compare_all, texts))


def compare_all(texts: Iterable[tuple[str, str]], *, most: int = PAIRS_MOST) -> tuple[Changes, ...]:
    """Return the changes of each pair of texts, `most` pairs of lines and words compared in all."""
    work = _Work(most)
    return tuple(_compare(before, after, work) for before, after in texts)


@dataclass(slots=True)
class _Work:
    """How many pairs may still be compared; `refused` once something was not."""

    left: int
    refused: bool = False

    def allows(self, cost: int) -> bool:
        """Whether so many may be compared, which are taken from what is left."""
        if cost > self.left:
            self.refused = True
            return False
        self.left -= cost
        return True


class _Matcher(SequenceMatcher[str]):
    """A matcher that counts the pairs of each search before it makes it.

    Of pieces that repeat it would make as many as the cube of their number.
    """

    # Documented, but not known to type checkers.
    b2j: dict[str, list[int]]

    def __init__(self, old: Sequence[str], new: Sequence[str], work: _Work, *, lines: bool) -> None:
        super().__init__(None, old, new, autojunk=lines)
        self._work = work
        pairs = (_STEP + len(self.b2j.get(piece, ())) for piece in old)
        self._before = tuple(accumulate(pairs, initial=0))

    def find_longest_match(
        self, i1: int = 0, i2: int | None = None, j1: int = 0, j2: int | None = None
    ) -> Match:
        """Return the longest stretch that both have, an empty one where looking costs too much."""
        cost = self._before[-1 if i2 is None else i2] - self._before[i1]
        if not self._work.allows(cost):
            return Match(i1, j1, 0)
        return super().find_longest_match(i1, i2, j1, j2)


def _compare(before: str, after: str, work: _Work) -> Changes:
    old, new = before.splitlines(), after.splitlines()
    cut = max(len(old), len(new)) > LINES_MOST
    work.refused = False
    lines = tuple(_lines(old[:LINES_MOST], new[:LINES_MOST], work))
    return Changes(
        lines=lines,
        added=sum(line.kind == "added" for line in lines),
        removed=sum(line.kind == "removed" for line in lines),
        cut=cut,
        coarse=work.refused,
    )


_Stretch = tuple[bool, int, int, int, int]


def _stretches(
    old: Sequence[str], new: Sequence[str], work: _Work, *, lines: bool = False
) -> Iterator[_Stretch]:
    """Yield the stretches of two sequences in order: whether equal, and from where to where."""
    head = _common(old, new)
    # What both begin and end with is found at no cost: most edits leave little between.
    tail = _common(reversed(old[head:]), reversed(new[head:]))
    if head:
        yield True, 0, head, 0, head
    i, j = len(old) - tail, len(new) - tail
    matcher = _Matcher(old[head:i], new[head:j], work, lines=lines)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag == "equal", head + i1, head + i2, head + j1, head + j2
    if tail:
        yield True, i, len(old), j, len(new)


def _common(old: Iterable[str], new: Iterable[str]) -> int:
    """How many pieces both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _lines(old: Sequence[str], new: Sequence[str], work: _Work) -> Iterator[Line]:
    for equal, i1, i2, j1, j2 in _stretches(old, new, work, lines=True):
        if equal:
            yield from _equal(old[i1:i2], first=i1 == 0, last=i2 == len(old))
        else:
            yield from _changed(old[i1:i2], new[j1:j2], work)


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


def _changed(old: Sequence[str], new: Sequence[str], work: _Work) -> Iterator[Line]:
    if len(old) != len(new):
        yield from (Line("removed", (Span(line),)) for line in old)
        yield from (Line("added", (Span(line),)) for line in new)
        return
    for before, after in zip(old, new, strict=True):
        was, now = _spans(before, after, work)
        yield Line("removed", was)
        yield Line("added", now)


def _spans(before: str, after: str, work: _Work) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    if max(len(before), len(after)) > CHARACTERS_MOST:
        work.refused = True
        return (Span(before, changed=True),), (Span(after, changed=True),)
    old, new = _WORD.findall(before), _WORD.findall(after)
    was: list[Span] = []
    now: list[Span] = []
    for equal, i1, i2, j1, j2 in _stretches(old, new, work):
        if i1 < i2:
            was.append(Span("".join(old[i1:i2]), changed=not equal))
        if j1 < j2:
            now.append(Span("".join(new[j1:j2]), changed=not equal))
    return tuple(was), tuple(now)
