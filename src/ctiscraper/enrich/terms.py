"""Words and phrases found as whole words, whatever their case, by one automaton."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ahocorasick_rs import AhoCorasick, MatchKind

from ctiscraper.intelligence import MOST_PLACES

MOST_HITS = 100_000
"""How many hits in one text are counted; what comes after them is not looked at."""

# Each piece of a text is searched by itself, so that its hits do not fill memory.
_PIECE = 65_536
_SPACES = "\t\n\r\v\f\x85\xa0\u2007\u2009\u202f"
_LONE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Found:
    """How often a term stands in a text, and the first places where."""

    count: int = 0
    places: list[tuple[int, int]] = field(default_factory=list)


class Terms:
    """Terms that texts are searched for; each is known by its number in the order given."""

    def __init__(self, terms: Sequence[str]) -> None:
        numbers: dict[str, list[int]] = {}
        for number, term in enumerate(terms):
            if term.strip():
                numbers.setdefault(folded(term.strip()), []).append(number)
        self._numbers = list(numbers.values())
        self._longest = max(map(len, numbers), default=0)
        self._automaton = AhoCorasick(list(numbers), MatchKind.Standard) if numbers else None

    def find(self, text: str) -> dict[int, Found]:
        """Return what each term that stands in a text was found as, by the term's number."""
        found: dict[int, Found] = {}
        if self._automaton is None:
            return found
        text = folded(text)
        left = MOST_HITS
        for begin in range(0, len(text), _PIECE):
            piece = text[begin : begin + _PIECE + self._longest]
            for which, start, end in self._automaton.find_matches_as_indexes(
                piece, overlapping=True
            ):
                # What begins behind the piece is found again with the next.
                if start >= _PIECE or not _is_whole(text, begin + start, begin + end):
                    continue
                for number in self._numbers[which]:
                    one = found.setdefault(number, Found())
                    one.count += 1
                    if len(one.places) < MOST_PLACES:
                        one.places.append((begin + start, begin + end))
                left -= 1
                if not left:
                    return found
        return found


def folded(text: str) -> str:
    """Return a text of the same length in lower case, with plain spaces."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    if not lowered.isascii():
        lowered = _LONE.sub("?", lowered)
    # One translation of a text that is not ASCII costs a hundred times as much.
    for space in _SPACES:
        lowered = lowered.replace(space, " ")
    return lowered


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word goes on beyond a place, on either side."""
    return not (_joins(text, start - 1, start) or _joins(text, end - 1, end))


def _joins(text: str, left: int, right: int) -> bool:
    if left < 0 or right >= len(text):
        return False
    one, other = text[left], text[right]
    return (one.isalnum() or one == "_") and (other.isalnum() or other == "_")
