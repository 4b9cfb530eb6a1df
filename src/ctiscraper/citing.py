"""Whether a sentence is borne out by the passage that it cites, by its words alone.

A sentence stands where it quotes the passage literally and says nothing of which the passage has
no word. This proves that its words are there, not that they were understood.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctiscraper.analysis.figures import dates_spelt, figures_of, strange_figure
from ctiscraper.analysis.mentions import COMMON, Vocabulary, vocabulary
from ctiscraper.wording import STOP_WORDS, stems_of

LONGEST_SENTENCE = 400
_LEAST_QUOTED = 12
_FEWEST_QUOTED = 3
# Parts of what a sentence says that the passage, and the quotation itself, must have.
_IN_PASSAGE, _IN_QUOTE = 0.6, 0.3
_LONGEST_ANSWER = 64_000

_WORD = re.compile(r"[^\W_]+")
_NEGATION = re.compile(r"\b(?:no|not|never|none|neither|nor|without|cannot)\b|n't\b", re.IGNORECASE)
# One character for one, so that places stay as they are.
_MARKS = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2011\u00a0", "''\"\"--- ")
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedSentence:
    """A sentence with the number of its passage, counted from 1, and where the quotation stands."""

    text: str
    passage: int
    quote: str
    start: int
    end: int


def proved(said: Mapping[str, object], passages: Sequence[str]) -> CitedSentence | None:
    """Return a sentence with its proof, None where it has none.

    `said` is what a model wrote: `text`, `passage` and `quote`, or anything else.
    """
    text, number, quote = said.get("text"), said.get("passage"), said.get("quote")
    if not (isinstance(text, str) and isinstance(quote, str) and type(number) is int):
        return None
    text = " ".join(_UNSHOWN.sub(" ", text).split())
    if not text or len(text) > LONGEST_SENTENCE or not 1 <= number <= len(passages):
        return None
    passage = passages[number - 1]
    place = quoted_at(quote, passage)
    if place is None:
        return None
    words = passage[place[0] : place[1]]
    if not _bears_out(text, words, passage):
        return None
    return CitedSentence(text=text, passage=number, quote=words, start=place[0], end=place[1])


def quoted_at(quote: str, passage: str) -> tuple[int, int] | None:
    """Return where a quotation stands in a passage, None where it does not.

    Spaces, the forms of quotation marks and dashes, and capitals count for nothing.
    """
    words = quote.translate(_MARKS).split()
    if len(words) < _FEWEST_QUOTED or sum(map(len, words)) < _LEAST_QUOTED:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found = pattern.search(passage.translate(_MARKS))
    return None if found is None else found.span()


def _bears_out(text: str, quote: str, passage: str) -> bool:
    stems = stems_of(text)
    if not stems or bool(_NEGATION.search(text)) != bool(_NEGATION.search(quote)):
        return False
    known = stems_of(passage)
    if len(stems & known) < _IN_PASSAGE * len(stems):
        return False
    if len(stems & stems_of(quote)) < _IN_QUOTE * len(stems):
        return False
    return not _names_more(text, passage)


def _names_more(text: str, passage: str) -> bool:
    """Whether a sentence has a name, a number or an address that its passage has not."""
    said, known = dates_spelt(text), vocabulary(dates_spelt(passage))
    return (
        known.invented(said) is not None
        or strange_figure(said, figures_of(passage)) is not None
        or any(_is_new_term(word, known) for word in _WORD.findall(said))
    )


def _is_new_term(word: str, known: Vocabulary) -> bool:
    """Whether a word is a term of the trade, such as RDP, that its passage does not use."""
    folded = word.casefold()
    is_term = folded in COMMON and word != folded
    is_plain = folded in STOP_WORDS and word == word.capitalize()
    return is_term and not is_plain and not known.spells(word)


class SentenceReader:
    """Reads the sentences of an answer while it comes: JSON, cut anywhere."""

    def __init__(self) -> None:
        self._text = ""
        self._at: int | None = None
        self._decoder = json.JSONDecoder()

    def read(self, piece: str) -> list[Mapping[str, object]]:
        """Return the sentences that are whole now and were not before."""
        self._text += piece
        if len(self._text) > _LONGEST_ANSWER:
            return []
        if self._at is None:
            begun = re.search(r'"sentences"\s*:\s*\[', self._text)
            if begun is None:
                return []
            self._at = begun.end()
        found: list[Mapping[str, object]] = []
        while True:
            rest = re.compile(r"[\s,]*").match(self._text, self._at)
            start = rest.end() if rest else self._at
            if not self._text.startswith("{", start) or "}" not in self._text[start:]:
                return found
            try:
                value, self._at = self._decoder.raw_decode(self._text, start)
            except (ValueError, RecursionError):
                # Not at its end yet, or never a sentence.
                return found
            if isinstance(value, dict):
                found.append(value)
