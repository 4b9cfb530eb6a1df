"""How much of an article a model can take in at once: tokens estimated, texts cut at paragraphs."""

import re
from dataclasses import dataclass

# Models cut texts differently. Of what follows none was seen to make more: letters by three,
# each digit and mark by itself, what is not ASCII by its bytes.
_PIECES = re.compile(r"[A-Za-z]+|[ \t]+|\n+|[^\x00-\x7f]+|[\x00-\x7f]")
_LETTERS_A_TOKEN = 3
_SPACES_A_TOKEN = 8

_ENDS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?\u3002\uff01\uff1f][\"')\]\u201d\u2019]*\s|[\u3002\uff01\uff1f]"),
    re.compile(r"\s"),
)
_SENTENCE_ENDS = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?][\"')\]\u201d\u2019]))\s+(?=[^\sa-z])|(?<=[\u3002\uff01\uff1f])|\s*\n\s*"
)
# A part that is ended at a paragraph is filled to this share at least; else a line ends it.
_FILLED = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text."""

    start: int
    end: int


def estimated_tokens(text: str) -> int:
    """Return how many tokens a text has for most models at the most."""
    return sum(_tokens(found[0]) for found in _PIECES.finditer(text))


def _tokens(piece: str) -> int:
    first = piece[0]
    if not first.isascii():
        return len(piece.encode("utf-8", "replace"))
    if first.isalpha():
        return -(-len(piece) // _LETTERS_A_TOKEN)
    if first in " \t":
        # A single space is part of the word behind it.
        return (len(piece) - 1 + _SPACES_A_TOKEN - 1) // _SPACES_A_TOKEN
    return len(piece) if first == "\n" else 1


def cut(text: str, most_tokens: int, start: int = 0) -> Part:
    """Return the longest part from `start` that has at most so many tokens.

    It ends at a paragraph if one ends in its second half, else at a line, a sentence or a word,
    and in a word only where nothing else ends.
    """
    end = _reach(text, start, most_tokens)
    if end >= len(text):
        return Part(start, len(text))
    least = start + int((end - start) * _FILLED)
    for wanted in _ENDS:
        last = 0
        for found in wanted.finditer(text, least, end):
            last = found.end()
        if last > start:
            return Part(start, last)
    return Part(start, end)


def sentences(text: str, longest: int) -> tuple[str, ...]:
    """Return the sentences and lines of a text, each once; what is longer is cut at a word."""
    made = []
    for sentence in _SENTENCE_ENDS.split(text):
        rest = sentence.strip()
        while len(rest) > longest:
            at = rest.rfind(" ", 1, longest + 1)
            at = longest if at < 0 else at
            made.append(rest[:at].strip())
            rest = rest[at:].strip()
        made.append(rest)
    return tuple(dict.fromkeys(filter(None, made)))


def halves(text: str, part: Part) -> tuple[Part, Part]:
    """Return two parts in place of one that was too long."""
    left = cut(text[: part.end], max(1, estimated_tokens(text[part.start : part.end]) // 2),
               part.start)  # fmt: skip
    return left, Part(left.end, part.end)


def _reach(text: str, start: int, most_tokens: int) -> int:
    spent = 0
    for found in _PIECES.finditer(text, start):
        cost = _tokens(found[0])
        if spent + cost > most_tokens:
            left = most_tokens - spent
            share = found.start() + len(found[0]) * left // cost
            return max(share, start + 1)
        spent += cost
    return len(text)
