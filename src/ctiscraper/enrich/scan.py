"""Scanning text in linear time: RE2 over its bytes, places in its characters."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import re2

LETTER = (
    r"[\xc3-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xe1[\x80-\xbf][\x80-\xbf]"
    r"|\xe3[\x81-\xbf][\x80-\xbf]|[\xe4-\xed][\x80-\xbf][\x80-\xbf]"
)
"""For patterns: the bytes of a character beyond ASCII that is no space and no punctuation."""

# Each scan may hold this many compiled states; more are made anew.
_MEMORY = 32 * 1024 * 1024
_UNANCHORED = re2._Anchor.UNANCHORED  # noqa: SLF001 - see matches


Pattern: TypeAlias = "re2._Regexp[bytes]"  # noqa: SLF001 - it has no public name


def pattern(source: str, *, ignore_case: bool = False) -> Pattern:
    """Return a compiled pattern over bytes; spaces and comments in `source` have no meaning."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignore_case
    options.max_mem = _MEMORY
    compact = "".join(line.partition("  #")[0].replace(" ", "") for line in source.splitlines())
    return re2.compile(compact.encode("latin-1"), options)


@dataclass(slots=True)
class Scan:
    """A text, ready to be searched as bytes."""

    text: str
    data: bytes = field(init=False)
    _plain: bool = field(init=False)

    def __post_init__(self) -> None:
        self.data = self.text.encode("utf-8", "replace")
        self._plain = len(self.data) == len(self.text)

    def find(self, wanted: Pattern) -> Iterator[tuple[int, int]]:
        """Return the places (in characters) where a pattern stands, from left to right."""
        found = matches(wanted, self.data)
        return found if self._plain else self._in_characters(found)

    def _in_characters(self, found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        at = chars = 0
        for begin, end in found:
            chars += len(self.data[at:begin].decode("utf-8", "ignore"))
            size = len(self.data[begin:end].decode("utf-8", "ignore"))
            yield chars, chars + size
            chars += size
            at = end


def matches(wanted: Pattern, data: bytes) -> Iterator[tuple[int, int]]:
    """Return the places of a pattern in bytes.

    As `finditer` does, which makes an object for each and counts the groups again when it is asked
    for the place: in a list of indicators that is a tenth of all the time.
    """
    match = wanted._regexp.Match  # noqa: SLF001 - there is no other way around its objects
    at, end = 0, len(data)
    while at <= end:
        begin, after = match(_UNANCHORED, data, at, end)[0]
        if begin < 0:
            return
        yield begin, after
        # An empty match must not be found again.
        at = after if after > at else at + 1
