"""What stands around a place of a text: its sentence, and the section that it is in."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from html import unescape

# A sentence ends with a mark, perhaps a closing quote, and space before what begins another.
_END = re.compile(r"[.!?][\"'\u2019\u201d)\]]?\s+(?=[\"'\u2018\u201c(\[]?[A-Z0-9\u00c0-\u024f])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|vol|inc|ltd|corp|mr|mrs|ms|dr|st|jr|sr|aka|al)"
    r"|\b[A-Z](?:\.[A-Z])*)\.$",
    re.IGNORECASE,
)
_OPENING = re.compile(r"<h([1-6])>")
_TAG = re.compile(r"<[^<>]+>")
_LONGEST_TITLE = 2000
_LONGEST = 500


def sentence_at(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of the sentence that holds `text[start:end]`; a line of a list or table.

    Of a very long one it is the part nearest to the place.
    """
    first, last = max(0, start - _LONGEST), min(len(text), end + _LONGEST)
    first = max(first, text.rfind("\n", first, start) + 1)
    line_end = text.find("\n", end, last)
    last = last if line_end < 0 else line_end
    # One character more, as an end is known by what begins behind it.
    for found in _END.finditer(text, first, start + 1):
        if not _ABBREVIATED.search(text, max(first, found.start() - 12), found.start() + 1):
            first = found.end()
    for found in _END.finditer(text, end, last):
        if not _ABBREVIATED.search(text, max(end, found.start() - 12), found.start() + 1):
            last = found.end() - len(found[0]) + len(found[0].rstrip())
            break
    return _stripped(text, first, last)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


class Sections:
    """The sections of a text, by the headings of the markup that has the same words."""

    def __init__(self, text: str, html: str) -> None:
        """Find each heading of `html` in `text`, in their common order."""
        self._starts: list[int] = []
        self._levels: list[int] = []
        self._titles: list[str] = []
        lines = lines_of(text) if html else {}
        at = 0
        for level, title in _headings(html):
            places = lines.get(title, ())
            number = bisect_left(places, at)
            if number < len(places):
                self._starts.append(places[number])
                self._levels.append(level)
                self._titles.append(title)
                at = places[number] + len(title)

    def headings(self) -> list[tuple[int, int, str]]:
        """Return where each heading stands, its level from 1 to 6, and its words."""
        return list(zip(self._starts, self._levels, self._titles, strict=True))

    def at(self, place: int) -> str:
        """Return the heading above a place, empty where there is none."""
        number = bisect_right(self._starts, place) - 1
        return self._titles[number] if number >= 0 else ""


def _headings(html: str) -> Iterator[tuple[int, str]]:
    """Return the level and the words of each heading, in order."""
    for opening in _OPENING.finditer(html):
        closing = html.find("</h", opening.end(), opening.end() + _LONGEST_TITLE)
        if closing >= 0:
            words = unescape(_TAG.sub("", html[opening.end() : closing])).split()
            if words:
                yield int(opening[1]), " ".join(words)


def lines_of(text: str) -> dict[str, list[int]]:
    """Return where each line of a text begins, by its words."""
    found: dict[str, list[int]] = {}
    at = 0
    for line in text.split("\n"):
        found.setdefault(line, []).append(at)
        at += len(line) + 1
    return found
