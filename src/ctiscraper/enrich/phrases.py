"""Phrases: words that stand near each other in one sentence, all looked for in one pass.

A phrase is written as groups of words. `steal* | harvest* & cookie*` wants a word that begins with
"steal" or "harvest" and one that begins with "cookie", in either order; with `>` in place of `&`
the right one comes later. `@name` stands for a list of words that many phrases share. Upper and
lower case are one, and so are the space and every mark but the dot within a word and the sign that
ends one (`admin$`): `net user` finds "net-user" as well. No word is found in an address.
"""

import functools
import operator
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ahocorasick_rs import BytesAhoCorasick

from ctiscraper.enrich.addresses import without_addresses

Span: TypeAlias = tuple[int, int]

NEAR = 50
"""So many bytes may lie between two words of a phrase, unless its rule says otherwise."""

# What is no part of a word is a space; letters are small. Shares end with a dollar.
_PLAIN = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or byte in b"_.$" else ord(" ")  # noqa: PLR2004 - beyond ASCII
    for byte in bytes(range(256)).lower()
)
_MARKS = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2022", "'": "\u2018\u2019",
    '"': "\u201c\u201d\u201e\u00ab\u00bb", ".": "\u2026",
    " ": "\u00a0\u200b\u200e\u200f\u202f\ufeff",
}  # fmt: skip
# A sentence ends with its line, or with a mark before what begins another.
_END = re.compile(
    rb"[.!?\n](?:(?<=\n)"
    rb"|(?<!e\.g\.)(?<!i\.e\.)(?<! vs\.)[\"')\]]?\s{1,4}(?=[\"'(\[]?[A-Z0-9\xc3]))",
    re.DOTALL,
)
_WORD_END = re.compile(rb"[A-Za-z0-9_\x80-\xff]*")
# Longer ones are cut: nothing in one of them may make the work grow faster than the text.
_LONGEST = 1500
# So many places of one word in one sentence are looked at.
_MOST_PLACES = 12
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a rule looks for: groups of words by their numbers, each after the first one.

    `others` has for each whether it has to come later; `needs` has the bits of all.
    """

    rule: int
    anchor: int
    others: tuple[tuple[int, bool], ...]
    near: int

    @property
    def needs(self) -> int:
        """The groups that a sentence must have, a bit for each."""
        return functools.reduce(operator.or_, (1 << term for term, _ in self.others), 0)


class Sentence:
    """One sentence: the places of literals in it, and the bits of their groups."""

    __slots__ = ("end", "found", "start", "terms")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.found: dict[int, list[Span]] = {}
        self.terms = 0


class _Literal(NamedTuple):
    """The bits of a literal's groups, and how many spaces before and behind are no part of it."""

    terms: int
    before: int
    behind: int


def folded(text: str) -> bytes:
    """Return a text as bytes in which typographic marks are plain; every character stays one."""
    if not text.isascii():
        for plain, marks in _MARKS.items():
            for mark in marks:
                text = text.replace(mark, plain)
    return text.encode("utf-8", "replace")


class Phrases:
    """Phrases by the rules that they belong to, gathered and then found in texts."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """Begin with the lists of words that phrases name."""
        self._words = words
        self._terms: dict[frozenset[str], int] = {}
        self._phrases: list[Phrase] = []
        self._literals: list[_Literal] = []
        self._of_term: list[frozenset[int]] = []
        self._anchored: list[tuple[tuple[int, Phrase], ...]] = []
        self._automaton = BytesAhoCorasick([])

    def add(self, rule: int, written: str, *, near: int = NEAR) -> None:
        """Take a phrase of a rule."""
        parts = re.split(r" ([&>]) ", written)
        numbers = [self.term(part) for part in parts[::2]]
        ordered = [mark == ">" for mark in parts[1::2]]
        others = tuple(zip(numbers[1:], ordered, strict=True))
        self._phrases.append(Phrase(rule, numbers[0], others, near))

    def add_words(self, rule: int, *words: str) -> None:
        """Take words of a rule that are meant as they stand, marks and all."""
        self._phrases.append(Phrase(rule, self._term(frozenset(words)), (), 0))

    def term(self, written: str) -> int:
        """Return the number of a group of words."""
        return self._term(frozenset(self._alternatives(written)))

    def _term(self, alternatives: frozenset[str]) -> int:
        return self._terms.setdefault(alternatives, len(self._terms))

    def _alternatives(self, written: str) -> Iterator[str]:
        for one in written.split(" | "):
            word = one.strip()
            if word.startswith("@"):
                yield from self._alternatives(self._words[word[1:]])
            elif word:
                yield word

    def compile(self) -> None:
        """Make the automaton; what is added later is not found."""
        by_literal: dict[bytes, set[int]] = defaultdict(set)
        for alternatives, number in self._terms.items():
            for word in alternatives:
                by_literal[_literal(word)].add(number)
        self._automaton = BytesAhoCorasick(list(by_literal))
        self._literals = [
            _Literal(
                terms=sum(1 << term for term in terms),
                before=int(literal.startswith(b".")),
                behind=1 + literal.endswith(b" "),
            )
            for literal, terms in by_literal.items()
        ]
        members: list[set[int]] = [set() for _ in self._terms]
        for literal, terms in enumerate(by_literal.values()):
            for term in terms:
                members[term].add(literal)
        self._of_term = [frozenset(literals) for literals in members]
        anchored: dict[int, list[tuple[int, Phrase]]] = defaultdict(list)
        for phrase in self._phrases:
            for literal in members[phrase.anchor]:
                anchored[literal].append((phrase.needs, phrase))
        self._anchored = [tuple(anchored[number]) for number in range(len(self._literals))]

    def sentences(self, data: bytes) -> Iterator[Sentence]:
        """Return the sentences of a folded text that hold any of the words."""
        start = 0
        while start < len(data):
            end = _block_end(data, start)
            yield from self._sentences_of(data, start, end)
            start = end

    def _sentences_of(self, data: bytes, begin: int, end: int) -> Iterator[Sentence]:
        ends = _sentence_ends(data, begin, end)
        literals = self._literals
        number, sentence = 0, Sentence(begin, ends[0])
        plain = _plain(without_addresses(data[begin:end]))
        found = self._automaton.find_matches_as_indexes(plain, overlapping=True)
        for literal, first, last in found:
            terms, before, behind = literals[literal]
            stop = begin + last - behind
            if stop > sentence.end:
                if sentence.found:
                    yield sentence
                number = bisect_left(ends, stop, number)
                sentence = Sentence(ends[number - 1], ends[number])
            place = begin + first - before
            if place >= sentence.start:
                places = sentence.found.get(literal)
                if places is None:
                    sentence.found[literal] = [(place, stop)]
                    sentence.terms |= terms
                elif len(places) < _MOST_PLACES:
                    places.append((place, stop))
        if sentence.found:
            yield sentence

    def places(self, sentence: Sentence, term: int) -> list[Span]:
        """Return where the words of a group stand in a sentence, in order."""
        if not sentence.terms >> term & 1:
            return []
        literals = self._of_term[term] & sentence.found.keys()
        return sorted(place for literal in literals for place in sentence.found[literal])

    def matches(self, sentence: Sentence) -> Iterator[tuple[int, int, int]]:
        """Return rule, start and end of every phrase of a sentence."""
        known: dict[int, list[Span]] = {}
        for literal, spans in sentence.found.items():
            for needs, phrase in self._anchored[literal]:
                if needs & sentence.terms == needs:
                    for term, _ in phrase.others:
                        if term not in known:
                            known[term] = self.places(sentence, term)
                    for span in spans:
                        whole = _joined(phrase, span, known)
                        if whole is not None:
                            yield phrase.rule, *whole


def _plain(data: bytes) -> bytes:
    """Return folded text as words with a space between them, and one before and behind."""
    words = b" %b " % data.translate(_PLAIN)
    return words.replace(b"..", b"  ").replace(b". ", b"  ").replace(b" $", b"  ")


def _literal(word: str) -> bytes:
    """Return what a word is in plain text; with a star at its end it may go on."""
    bare = _plain(folded(word.removesuffix("*")))[1:-1]
    before = b"" if bare[:1] in (b".", b" ") else b" "
    behind = b"" if word.endswith("*") or bare.endswith(b" ") else b" "
    return before + bare + behind


def _block_end(data: bytes, start: int) -> int:
    """Return where a block ends: with a line where there is one."""
    limit = min(len(data), start + _BLOCK)
    if limit == len(data):
        return limit
    line = data.rfind(b"\n", start + 1, limit)
    if line > 0:
        return line
    # Not within a character.
    while limit > start + 1 and data[limit] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte that continues one
        limit -= 1
    return limit


def _sentence_ends(data: bytes, start: int, end: int) -> list[int]:
    """Return where the sentences between two places end, the last with the second."""
    ends: list[int] = []
    last = start
    for found in _END.finditer(data, start, end):
        place = found.start() + (found[0] != b"\n")
        ends.extend(range(last + _LONGEST, place, _LONGEST))
        ends.append(place)
        last = place
    ends.extend(range(last + _LONGEST, end, _LONGEST))
    ends.append(end)
    return ends


def _joined(phrase: Phrase, span: Span, places: Mapping[int, list[Span]]) -> Span | None:
    """Return the span of a whole phrase around a place of its first group."""
    start, end = span
    taken = [span]
    for term, later in phrase.others:
        best, least = None, phrase.near + 1
        for place in places[term]:
            gap = max(place[0] - end, start - place[1], 0)
            if gap < least and not (later and place[0] < end) and not _touches(place, taken):
                best, least = place, gap
        if best is None:
            return None
        taken.append(best)
        start, end = min(start, best[0]), max(end, best[1])
    return start, end


def _touches(place: Span, taken: Iterable[Span]) -> bool:
    return any(place[0] < last and first < place[1] for first, last in taken)


def word_end(data: bytes, place: int) -> int:
    """Return where the word ends that goes on at a place."""
    found = _WORD_END.match(data, place)
    return found.end() if found else place


def in_characters(data: bytes, places: Iterable[int]) -> dict[int, int]:
    """Return places of a folded text in characters, by their places in bytes."""
    listed = sorted(set(places))
    if data.isascii():
        return {place: place for place in listed}
    found: dict[int, int] = {}
    at = chars = 0
    for place in listed:
        chars += len(data[at:place].decode("utf-8", "ignore"))
        found[place] = chars
        at = place
    return found
