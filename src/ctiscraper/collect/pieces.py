"""A large document of many like elements, cut into documents of its newest ones, a few at a time.

Only bytes are read here: a tree of the whole would take many times the memory of the document.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from itertools import islice

from ctiscraper.dates import EARLIEST, LEEWAY, parse_date

LARGE = 512 * 1024
PIECE = 256 * 1024
MAX_ELEMENTS = 300_000
# A larger element is cut short.
MAX_SIZE = 1024 * 1024

_SPACE = b" \t\r\n"
_TAG = re.compile(
    rb"<!--.*?(?:-->|(?P<comment>\Z))|<!\[CDATA\[.*?(?:\]\]>|(?P<section>\Z))"
    rb"|<(?P<end>/?)(?P<name>[A-Za-z_][\w.:\-]{0,60})[^<>]*>",
    re.DOTALL,
)
_MOST_BETWEEN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pieces:
    """Documents that hold the chosen elements in their order, each with head and tail of all."""

    documents: Iterable[bytes]
    truncated: bool = False


class Cutter:
    """Cuts documents at elements of some local names, found by their tags alone."""

    def __init__(self, names: str, dates: str) -> None:
        """`names` and `dates` are alternatives of a pattern; the latter may be an ending."""
        self._token = re.compile(
            rb"<(?:!--|!\[CDATA\[|(/?)((?:[\w.\-]{1,40}:)?(?:%b))(?=[\s>/]))" % names.encode(),
            re.IGNORECASE,
        )
        self._date = re.compile(
            rb"<[\w.:\-]{0,60}?(?:%b)(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[)?([^<\]]{1,160})"
            % dates.encode(),
            re.IGNORECASE,
        )

    def cut(self, body: bytes, limit: int, now: datetime) -> Pieces | None:
        """Pieces with the `limit` newest elements, or None when the body has no such element.

        An element without a date is as old as the one before it. No more than MAX_ELEMENTS
        and one are looked at. The body is in an encoding that writes tags as ASCII does.
        """
        starts, ends = array("L"), array("L")
        for start, end in islice(self._spans(body), MAX_ELEMENTS + 1):
            starts.append(start)
            ends.append(end)
        if not starts:
            return None
        chosen: Iterable[int] = range(len(starts))
        if len(starts) > limit:
            chosen = newest(carried(self._dates(body, starts, ends, now), now), limit)
        head = body[: starts[0]]
        if len(starts) > MAX_ELEMENTS or ends[-1] == len(body):
            tail = _closing(head)
        else:
            tail = _between(body, starts, ends) + body[ends[-1] :]
        kept = ((starts[place], ends[place]) for place in chosen)
        return Pieces(_documents(body, head, kept, tail), truncated=len(starts) > limit)

    def _spans(self, body: bytes) -> Iterator[tuple[int, int]]:
        """Where each element starts and ends; one that is not closed ends where the next starts."""
        position, start, name = 0, -1, b""
        while (match := self._token.search(body, position)) is not None:
            if match[2] is None:
                position = _after(body, match)
                continue
            position = _past(body, b">", match.end())
            if not match[1] and (start < 0 or match[2] == name):
                if start >= 0:
                    yield start, match.start()
                start, name = match.start(), match[2]
                is_closed = body[position - 2 : position] == b"/>"
            else:
                is_closed = start >= 0 and bool(match[1]) and match[2] == name
            if is_closed:
                yield start, position
                start = -1
        if start >= 0:
            yield start, len(body)

    def _dates(
        self, body: bytes, starts: Iterable[int], ends: Iterable[int], now: datetime
    ) -> Iterator[datetime | None]:
        for start, end in zip(starts, ends, strict=True):
            match = self._date.search(body, start, end)
            yield moment(match[1].decode("ascii", "replace"), now) if match else None


def moment(words: str, now: datetime) -> datetime | None:
    """The time the words mean as `parse_date` has it, quickly for the common form."""
    try:
        found = datetime.fromisoformat(words.strip())
    except ValueError:
        return parse_date(words, now=now)
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return found if EARLIEST <= found <= now + LEEWAY else None


def carried(dates: Iterable[datetime | None], now: datetime) -> Iterator[datetime]:
    """The dates, with the one before in place of none."""
    last = now
    for date in dates:
        last = date or last
        yield last


def newest(ages: Iterable[datetime], limit: int) -> list[int]:
    """The places of the `limit` newest in ascending order; of equals the first count."""
    return sorted(place for place, _ in nlargest(limit, enumerate(ages), key=lambda pair: pair[1]))


def _after(body: bytes, opening: re.Match[bytes]) -> int:
    """Where a comment or a CDATA section ends; what is not closed runs to the end."""
    return _past(body, b"-->" if opening[0] == b"<!--" else b"]]>", opening.end())


def _past(body: bytes, sign: bytes, position: int) -> int:
    found = body.find(sign, position)
    return found + len(sign) if found >= 0 else len(body)


def _between(body: bytes, starts: Sequence[int], ends: Sequence[int]) -> bytes:
    """What stands between the elements, which belongs to the document, up to a bound."""
    gaps, size = [], 0
    for end, start in zip(ends, starts[1:], strict=False):
        if start > end and (gap := body[end : min(start, end + _MOST_BETWEEN)].strip(_SPACE)):
            gaps.append(gap)
            size += len(gap)
            if size > _MOST_BETWEEN:
                return b""
    return b"".join(gaps)


def _closing(part: bytes) -> bytes:
    """What ends all that is open in a document or element which is broken off here."""
    names: list[bytes] = []
    sign = b""
    for match in _TAG.finditer(part):
        if match["end"] and names:
            names.pop()
        elif match["name"] and not match["end"] and not match[0].endswith(b"/>"):
            names.append(match["name"])
        elif match["comment"] is not None or match["section"] is not None:
            sign = b"-->" if match["section"] is None else b"]]>"
    return sign + b"".join(b"</%b>" % name for name in reversed(names))


def _short(body: bytes, start: int) -> bytes:
    """An element up to a space near its greatest size, and closed there."""
    most = start + MAX_SIZE
    part = body[start : max(body.rfind(b" ", most - PIECE, most), most - PIECE)]
    return part + _closing(part)


def _documents(
    body: bytes, head: bytes, spans: Iterable[tuple[int, int]], tail: bytes
) -> Iterator[bytes]:
    """Head, some of the elements and tail, until all have been given."""
    room = max(PIECE, len(head) + len(tail))
    view = memoryview(body)
    parts: list[bytes | memoryview] = [head]
    size = 0
    for start, end in spans:
        part = view[start:end] if end - start <= MAX_SIZE else _short(body, start)
        if size and size + len(part) > room:
            yield b"".join((*parts, tail))
            parts, size = [head], 0
        parts.append(part)
        size += len(part)
    yield b"".join((*parts, tail))
