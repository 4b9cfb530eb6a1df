"""Whether a sentence is borne out by the passage that it cites, by its words alone.

A sentence stands where it quotes the passage literally and says nothing of which the passage has
no word. This proves that its words are there, not that they were understood.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ctiscraper.analysis.around import named_at, sentences_at
from ctiscraper.analysis.denials import contradicts
from ctiscraper.analysis.figures import dates_spelt, figures_of, strange_figure
from ctiscraper.analysis.mentions import COMMON, Vocabulary, plainly, vocabulary
from ctiscraper.analysis.orders import orders_in
from ctiscraper.analysis.plain import plain_line
from ctiscraper.analysis.proof import is_cut
from ctiscraper.analysis.shown import Shown, shown
from ctiscraper.wording import STOP_WORDS, stems_of

LONGEST_SENTENCE = 400
_LEAST_QUOTED = 12
# A longer one would prove anything.
_LONGEST_QUOTED = 600
_FEWEST_QUOTED = 3
# Parts of what a sentence says that the passage, and the quotation itself, must have.
_IN_PASSAGE, _IN_QUOTE = 0.6, 0.3
_LONGEST_ANSWER = 64_000
# So much that no reader sees may stand amidst a quotation, and no more.
_MOST_UNSEEN = 8

_WORD = re.compile(r"[^\W_]+")
# One character for one, so that places stay as they are.
_MARKS = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2011\u00a0", "''\"\"--- ")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedSentence:
    """A sentence with the number of its passage, counted from 1, and where the quotation stands."""

    text: str
    passage: int
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Citable:
    """A passage as a model is shown it, and what of it may prove a sentence.

    What speaks to a model proves nothing, and no quotation reaches over what no reader sees.
    """

    text: str = field(repr=False)
    seen: Shown
    orders: tuple[tuple[int, int], ...]
    stated: str = field(repr=False)
    words: Vocabulary = field(repr=False)
    figures: frozenset[str] = field(repr=False)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return where words stand that may prove something, None where they do not."""
        for found in places_of(quote, self.seen.text):
            start, end = self.seen.traced.original(*found)
            is_order = any(first < end and start < last for first, last in self.orders)
            if not is_order and self._most_unseen(found) <= _MOST_UNSEEN:
                return start, end
        return None

    def sentences(self, place: tuple[int, int]) -> str:
        """Return the whole sentences that a place stands in, as readers see them."""
        return sentences_at(self.seen.text, *self._seen_at(place))

    def named(self, place: tuple[int, int]) -> str:
        """Return them with the one before where they speak of what is named there."""
        return named_at(self.seen.text, *self._seen_at(place))

    def _seen_at(self, place: tuple[int, int]) -> tuple[int, int]:
        starts = self.seen.traced.starts
        return bisect_left(starts, place[0]), bisect_left(starts, place[1])

    def _most_unseen(self, place: tuple[int, int]) -> int:
        """The longest stretch amidst a quotation that no reader sees."""
        traced, (start, end) = self.seen.traced, place
        ends, starts = traced.ends[start : end - 1], traced.starts[start + 1 : end]
        return max((after - before for before, after in zip(ends, starts, strict=True)), default=0)


def citable(
    text: str,
    *,
    undrawn: Iterable[tuple[int, int]] = (),
    orders: Iterable[tuple[int, int]] = (),
) -> Citable:
    """Return a passage to hold sentences against.

    `undrawn` and `orders` are places in it that are known by the article around it.
    """
    seen = shown(text, undrawn)
    spans = sorted({*orders, *(seen.traced.original(*span) for span in orders_in(seen.text))})
    kept = [
        char
        for char, start in zip(seen.text, seen.traced.starts, strict=True)
        if not any(first <= start < last for first, last in spans)
    ]
    stated = plainly("".join(kept))
    return Citable(
        text, seen, tuple(spans), stated, vocabulary(dates_spelt(stated)), figures_of(stated)
    )


def proved(said: Mapping[str, object], passages: Sequence[Citable]) -> CitedSentence | None:
    """Return a sentence with its proof, None where it has none.

    `said` is what a model wrote: `text`, `passage` and `quote`, or anything else.
    """
    text, number, quote = said.get("text"), said.get("passage"), said.get("quote")
    if not (isinstance(text, str) and isinstance(quote, str) and type(number) is int):
        return None
    if len(text) > LONGEST_SENTENCE or not 1 <= number <= len(passages):
        return None
    text = plain_line(text, LONGEST_SENTENCE)
    passage = passages[number - 1]
    place = passage.find(quote)
    if not text or place is None:
        return None
    words = passage.text[place[0] : place[1]]
    if (
        contradicts(text, [passage.sentences(place)])
        or not _bears_out(plainly(text), plainly(words), passage)
        or _names_more(plainly(text), passage, passage.named(place))
    ):
        return None
    return CitedSentence(text=text, passage=number, quote=words, start=place[0], end=place[1])


def places_of(quote: str, passage: str) -> Iterator[tuple[int, int]]:
    """Yield where a quotation stands in a passage.

    Spaces, the forms of quotation marks and dashes, and capitals count for nothing; words are not
    cut at either end.
    """
    words = quote[: _LONGEST_QUOTED + 1].translate(_MARKS).split()
    if (
        len(quote) > _LONGEST_QUOTED
        or len(words) < _FEWEST_QUOTED
        or sum(map(len, words)) < _LEAST_QUOTED
    ):
        return
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    for found in pattern.finditer(passage.translate(_MARKS)):
        if not (is_cut(passage, found.start()) or is_cut(passage, found.end())):
            yield found.span()


def _bears_out(text: str, quote: str, passage: Citable) -> bool:
    """Whether a passage says what a sentence does, each part of it, and its quotation some."""
    stems = stems_of(text)
    if not stems:
        return False
    known = stems_of(passage.stated)
    for part in _SENTENCE_END.split(text):
        said = stems_of(part)
        if len(said & known) < _IN_PASSAGE * len(said):
            return False
    return len(stems & stems_of(quote)) >= _IN_QUOTE * len(stems)


def _names_more(text: str, passage: Citable, near: str) -> bool:
    """Whether a sentence has a name, a number or an address that its passage has not.

    They stand by the quotation as well: in its sentences or, where these refer back, in the one
    before.
    """
    said = dates_spelt(text)
    return (
        passage.words.invented(said) is not None
        or vocabulary(dates_spelt(near)).invented(said) is not None
        or strange_figure(said, passage.figures) is not None
        or strange_figure(said, figures_of(near)) is not None
        or any(_is_new_term(word, passage.words) for word in _WORD.findall(said))
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

    @property
    def is_at_end(self) -> bool:
        """Whether the list of sentences was read to its end."""
        return self._at is not None and self._text[self._at :].lstrip().startswith("]")

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
