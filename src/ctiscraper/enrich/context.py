"""What stands around a place of a text: its sentence, and the section that it is in."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from html import unescape

# A sentence ends with a mark, perhaps a closing quote, and space before what begins another.
_END = re.compile(r"[.!?][\"'\u2019\u201d)\]]?\s+(?=[\"'\u2018\u201c(\[]?[A-Z0-9\u00c0-\u024f])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|vol|inc|ltd|corp|mr|mrs|ms|dr|st|jr|sr|aka|al)"
    r"|\b[A-Z](?:\.[A-Z])*)\.$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"<h[1-6]>(.*?)</h[1-6]>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_LONGEST = 500


def sentence_at(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of the sentence that holds `text[start:end]`; a line of a list or table.

    Of a very long one it is the part nearest to the place.
    """
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    first = max(line_start, start - _LONGEST)
    last = min(line_end, end + _LONGEST)
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
        self._titles: list[str] = []
        at = 0
        for title in _headings(html):
            place = _own_line(text, title, at)
            if place >= 0:
                self._starts.append(place)
                self._titles.append(title)
                at = place + len(title)

    def at(self, place: int) -> str:
        """Return the heading above a place, empty where there is none."""
        number = bisect_right(self._starts, place) - 1
        return self._titles[number] if number >= 0 else ""


def _headings(html: str) -> Sequence[str]:
    plain = (unescape(_TAG.sub("", found)) for found in _HEADING.findall(html))
    return [title for raw in plain if (title := " ".join(raw.split()))]


def _own_line(text: str, title: str, at: int) -> int:
    """Return where a title next stands alone on a line, -1 where it does not."""
    place = text.find(title, at)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(title) :][:1]
        if before in {"", "\n"} and after in {"", "\n"}:
            return place
        place = text.find(title, place + 1)
    return -1
