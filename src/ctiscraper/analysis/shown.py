"""An article as a model is shown it: what no reader sees is taken out and counted."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from ctiscraper.analysis.traced import Traced, traced

# Characters that draw nothing though Unicode counts some of them among letters and symbols:
# fillers of Hangul, the blank of Braille, joiners, selectors of variants, and tags.
_BLANK = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff"
)
_UNSEEN_KINDS = frozenset(("Cc", "Cf", "Co", "Cs", "Cn"))
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_DOUBTFUL = re.compile(rf"[^\t\n -~\u00a1-\u00ac\u00ae-\u02ff\u0400-\u052f]|[{_BLANK}]")
_BLANKS = re.compile(rf"[{_BLANK}]")

# What a browser would not have drawn, where an article's text still holds its source.
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_STYLE = (
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*[01](?:px|pt|em|%)?\s*[;\"']"
    r"|opacity\s*:\s*0(?:\.0+)?\s*[;\"']|color\s*:\s*(?:white|\#fff(?:fff)?|transparent)\b"
)
_UNDRAWN = re.compile(
    rf"<(?P<tag>[a-z][a-z0-9]{{0,15}})\b(?=[^<>]{{0,500}}?(?:{_STYLE}|\shidden\b|aria-hidden\s*=\s*"
    r"[\"']?true))[^<>]{0,500}>.{0,4000}?(?:</(?P=tag)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)

# The marks by which servers tell a model who speaks: in an article they are words like others.
_MARKS = re.compile(
    r"<(?=[|\uff5c])|(?<=[|\uff5c])>|<<(?=/?SYS>>)|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS"
    r"|TOOL_CALLS|TOOL_RESULTS)\])|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|think"
    r"|tool_call|tool_response|tools|system|assistant|user|human)>)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model may see of a text, and how many characters of it are not shown."""

    traced: Traced
    hidden: int

    @property
    def text(self) -> str:
        """What a model is shown."""
        return self.traced.text


def shown(text: str, undrawn: Iterable[tuple[int, int]] = ()) -> Shown:
    """Return an article without what is hidden in it, and with no mark that ends a turn.

    `undrawn` are places that are hidden by what stands around a piece of an article, in order.
    """
    spans = tuple(undrawn)
    found = traced(text).without(spans).replaced(_LINE_ENDS, lambda _: "\n")
    seen = found.replaced(_DOUBTFUL, _visible)
    seen = seen.replaced(_COMMENT, lambda _: "").replaced(_UNDRAWN, lambda _: "")
    hidden = len(found.text) - len(seen.text) + sum(end - start for start, end in spans)
    return Shown(seen.replaced(_MARKS, _unmarked), hidden)


def undrawn_in(text: str) -> tuple[tuple[int, int], ...]:
    """Return the places in an article that a browser would not have drawn, in order."""
    if "<" not in text:
        return ()
    seen = traced(text).replaced(_LINE_ENDS, lambda _: "\n").replaced(_DOUBTFUL, _visible)
    spans: list[tuple[int, int]] = []
    for pattern in (_COMMENT, _UNDRAWN):
        spans += [seen.original(*found.span()) for found in pattern.finditer(seen.text)]
        seen = seen.replaced(pattern, lambda _: "")
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _unmarked(mark: re.Match[str]) -> str:
    return " >" if mark[0] == ">" else f"{mark[0]} "


def without_unseen(text: str) -> str:
    """Return a text without characters that draw nothing; line ends become newlines."""
    return _DOUBTFUL.sub(_visible, _LINE_ENDS.sub("\n", text))


def _visible(found: re.Match[str]) -> str:
    char = found[0]
    unseen = unicodedata.category(char) in _UNSEEN_KINDS or _BLANKS.match(char)
    return "" if unseen else char
