"""A text that was changed, each character of which knows where it came from."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Traced:
    """Character n of `text` came of the original's characters `starts[n]` up to `ends[n]`."""

    text: str
    starts: list[int] = field(repr=False)
    ends: list[int] = field(repr=False)

    def replaced(self, wanted: re.Pattern[str], made: Callable[[re.Match[str]], str]) -> "Traced":
        """Return it with other words in the places that a pattern finds, or none there."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for found in wanted.finditer(self.text):
            first, last = found.span()
            if first == last:
                continue
            new = made(found)
            pieces += (self.text[at:first], new)
            starts += self.starts[at:first]
            ends += self.ends[at:first]
            starts += [self.starts[first]] * len(new)
            ends += [self.ends[last - 1]] * len(new)
            at = last
        if not at:
            return self
        pieces.append(self.text[at:])
        return Traced("".join(pieces), starts + self.starts[at:], ends + self.ends[at:])

    def without(self, spans: Iterable[tuple[int, int]]) -> "Traced":
        """Return it without the characters of some spans, which are in order."""
        kept = self
        for start, end in reversed(list(spans)):
            kept = Traced(
                kept.text[:start] + kept.text[end:],
                kept.starts[:start] + kept.starts[end:],
                kept.ends[:start] + kept.ends[end:],
            )
        return kept

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters `start` up to `end` stood, which are one at least."""
        return self.starts[start], self.ends[end - 1]


def traced(text: str) -> Traced:
    """Return a text as it is."""
    return Traced(text, list(range(len(text))), list(range(1, len(text) + 1)))
