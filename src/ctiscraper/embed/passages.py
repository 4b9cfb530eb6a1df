"""A text in passages: short enough for a model of vectors, and ending where people pause."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VERSION = "1"
"""Of how texts are cut; vectors of passages cut otherwise are made anew."""

MOST_TOKENS = 200
# A passage that would end before half its room goes on to a lesser pause.
_LEAST_TOKENS = 100

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"\n\s*")
_SENTENCE = re.compile("[.!?\u2026][\"'\u2019\u201d)\\]]{0,3}\\s+|[\u3002\uff01\uff1f]")
_WORD = re.compile(r"\s+")
_PAUSES = (_PARAGRAPH, _LINE, _SENTENCE, _WORD)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text: its characters from `start` to before `end`."""

    start: int
    end: int


def passages_of(tokenizer: "Tokenizer", text: str, *, most: int = MOST_TOKENS) -> list[Passage]:
    """Return a text in passages that follow each other without a gap, none where it says nothing.

    The tokenizer must not truncate.
    """
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    return cut(text, [start for start, _ in offsets], most=most)


def cut(text: str, tokens: Sequence[int], *, most: int = MOST_TOKENS) -> list[Passage]:
    """Return a text in passages of at most so many tokens, given where each token begins.

    Every character is in one of them, also what is no token. Without tokens there are none.
    """
    begins = _rising(tokens)
    ends: list[int] = []
    done = 0
    while len(begins) - done > most:
        end = _pause(text, begins, done, most)
        ends.append(end)
        while done < len(begins) and begins[done] < end:
            done += 1
    if done < len(begins):
        ends.append(len(text))
    elif ends:
        ends[-1] = len(text)
    return [Passage(start, end) for start, end in pairwise((0, *ends))]


def _rising(tokens: Sequence[int]) -> list[int]:
    """Where tokens begin, in order, each place once: a character that is several is not parted."""
    begins: list[int] = []
    for start in tokens:
        if not begins or start > begins[-1]:
            begins.append(start)
    return begins


def _pause(text: str, begins: Sequence[int], done: int, most: int) -> int:
    """Return where a passage ends that begins with token `done`, with more than `most` to come."""
    last = begins[done + most]
    least = begins[done + min(_LEAST_TOKENS, most - 1)]
    for kind in _PAUSES:
        found = 0
        for pause in kind.finditer(text, least, last):
            found = pause.end()
        # A pause that is cut off at the end of the room goes on beyond it, and says nothing.
        if least < found <= last:
            return found
    return last
