"""The words of an article that something rests on, with a little of what stands around them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ctiscraper.detect.drafted import Quotation

_SPACE = re.compile(r"\s+")
_LINES = re.compile(r"[^\S\n]*\n\s*")

AROUND = 120
"""How many characters before and behind the words are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Pieces of one place of an article, in turn plain and marked, and what rests on it.

    Without `found` the article has other words there by now.
    """

    pieces: tuple[tuple[str, bool], ...]
    items: tuple[str, ...]
    found: bool = True


def excerpts(text: str, evidence: Iterable[Quotation]) -> tuple[Excerpt, ...]:
    """Return the places of a text that evidence names; what lies close together is one."""
    ordered = sorted(evidence, key=lambda one: (one.start, one.end))
    there = [one for one in ordered if text[one.start : one.end] == one.quote and one.quote]
    gone = [one for one in ordered if one not in there]
    groups: list[list[Quotation]] = []
    for one in there:
        if groups and one.start <= max(other.end for other in groups[-1]) + AROUND:
            groups[-1].append(one)
        else:
            groups.append([one])
    return (
        *(_excerpt(text, group) for group in groups),
        *(Excerpt(pieces=((one.quote, True),), items=(one.item,), found=False) for one in gone),
    )


def _excerpt(text: str, group: list[Quotation]) -> Excerpt:
    places = _joined([(one.start, one.end) for one in group])
    first = _word_start(text, max(0, places[0][0] - AROUND), places[0][0])
    last = _word_end(text, places[-1][1], min(len(text), places[-1][1] + AROUND))
    pieces: list[tuple[str, bool]] = [("\u2026 " if first else "", False)]
    at = first
    for start, end in places:
        pieces.append((_squeezed(text[at:start]), False))
        pieces.append((_squeezed(text[start:end]), True))
        at = end
    pieces.append((_squeezed(text[at:last]).rstrip(), False))
    pieces.append((" \u2026" if last < len(text) else "", False))
    return Excerpt(
        pieces=tuple(piece for piece in pieces if piece[0]),
        items=tuple(dict.fromkeys(one.item for one in group)),
    )


def _word_start(text: str, at: int, before: int) -> int:
    """Return where the first whole word from a place on begins, at most at `before`."""
    found = _SPACE.search(text, at, before) if at else None
    return found.end() if found else at


def _word_end(text: str, after: int, at: int) -> int:
    """Return where the last whole word up to a place ends, at least at `after`."""
    if at == len(text):
        return at
    spaces = [found.start() for found in _SPACE.finditer(text, after, at)]
    return spaces[-1] if spaces else at


def _squeezed(words: str) -> str:
    """Return words without empty lines."""
    return _LINES.sub("\n", words)


def _joined(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places of which none overlaps another."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
