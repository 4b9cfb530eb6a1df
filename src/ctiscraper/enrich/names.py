"""Who and what a text names: actors, malware, tools, products, sectors, countries, by their names.

A telling name is believed wherever it stands; a word of everyday language only where the words
around it say what it is. Each mention says which name matched and why it was believed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from ctiscraper.enrich.name_context import Surroundings
from ctiscraper.enrich.name_labels import Policy, labels
from ctiscraper.enrich.name_rules import Hit, Judge
from ctiscraper.enrich.name_schemes import Coined, find_coined, find_schemes
from ctiscraper.enrich.scan import Scan
from ctiscraper.intelligence import MOST_MENTIONS, MOST_PLACES, Extractor, Mention, Name
from ctiscraper.packs.own_lists import ADJECTIVE
from ctiscraper.packs.records import NamesPack
from ctiscraper.packs.spelling import joined, key_of, plain

VERSION = "3"
MOST_HITS = 100_000
"""So many places where a name may stand are looked at in one text, from its beginning."""

# A text is searched in pieces, so that a very long one needs no more memory than a long one.
_PIECE, _LONGEST = 200_000, 80
_ROUNDS = 3
_TAILS = (" RAT", "\xa0RAT")
_MOST_RIVALS, _FEW = 4, 2
_NUMBERED = re.compile(r"([A-Za-z]+)\s(\d{1,3})")


class _Span(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


_Placed = TypeVar("_Placed", bound=_Span)


@dataclass(slots=True)
class _Found:
    """All places of one thing in one text."""

    kind: Name
    value: str
    name: str
    rule: str
    reasons: tuple[str, ...]
    places: list[tuple[int, int]] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)
    count: int = 0

    def add(self, start: int, end: int, raw: str) -> None:
        self.count += 1
        self.written[" ".join(raw.split())] += 1
        if len(self.places) < MOST_PLACES:
            self.places.append((start, end))

    def mention(self) -> Mention:
        return Mention(
            kind=self.kind, value=self.value, extractor=Extractor.NAMES, count=self.count,
            places=tuple(self.places), name=self.name, rule=self.rule, reasons=self.reasons,
            alias=self.written.most_common(1)[0][0],
        )  # fmt: skip


class Names:
    """Recognises the names of one pack; made once, then asked for any number of texts."""

    def __init__(self, pack: NamesPack) -> None:
        """Compile the names of a pack."""
        self._entries = pack.entries
        self._ordinary = frozenset(pack.ordinary) | frozenset(pack.technical)
        known = labels(pack)
        self._keys = tuple(known)
        self._labels = tuple(known.values())
        self._number = {key: number for number, key in enumerate(self._keys)}
        self._automaton = AhoCorasick(
            [f" {key} " for key in self._keys],
            matchkind=MatchKind.Standard,
            store_patterns=False,
            implementation=Implementation.ContiguousNFA,
        )
        self._sectors = frozenset(
            word
            for key, those in known.items()
            if any(label.kinds == {Name.SECTOR} for label in those)
            for word in key.split()
        )

    def find(self, text: str) -> list[Mention]:
        """Return what a text names, each thing once, in the order of their first places."""
        text = text.encode("utf-8", "replace").decode()
        spaced = f" {plain(text)} "
        around = Surroundings(text, spaced)
        judge = Judge(around, self._sectors, self._ordinary)
        hits = list(islice(filter(judge.may_be, self._hits(text, spaced)), MOST_HITS))
        counted = self._counted({hit.raw for hit in hits}, text)
        hits = [hit for hit in hits if hit.raw not in counted]
        believed = self._believed(hits, judge)
        found = self._gathered(believed)
        scan = Scan(text)
        self._add_others(found, find_schemes(scan, around), believed)
        self._add_others(found, find_coined(scan, around, self._is_free), believed)
        listed = sorted(found.values(), key=lambda it: it.places[0])
        return [one.mention() for one in listed[:MOST_MENTIONS]]

    def _hits(self, text: str, spaced: str) -> Iterator[Hit]:
        for first in range(0, len(spaced), _PIECE):
            piece = spaced[first : first + _PIECE + _LONGEST]
            for number, begin, stop in self._automaton.find_matches_as_indexes(
                piece, overlapping=True
            ):
                if begin < _PIECE:
                    start, end = first + begin, first + stop - 2
                    if text[end : end + 4] in _TAILS and not text[end + 4 : end + 5].isalnum():
                        # What follows is mostly held to be part of the name.
                        end += 4
                    raw = text[start:end]
                    for label in self._labels[number]:
                        yield Hit(start, end, self._keys[number], label, raw)

    def _counted(self, names: Iterable[str], text: str) -> set[str]:
        """Return those that are one of a row in a text: Group 4, Group 5, Group 6."""
        counted = set()
        for name in names:
            found = _NUMBERED.fullmatch(name)
            if found is not None and found[1].lower() in self._ordinary:
                beside = "|".join(str(int(found[2]) + step) for step in (-1, 1))
                if re.search(rf"\b{found[1]}\s(?:{beside})\b", text):
                    counted.add(name)
        return counted

    def _believed(self, hits: list[Hit], judge: Judge) -> list[Hit]:
        """Return the hits that are believed, none over another, in their order."""
        for hit in hits:
            judge.judge(hit)
        other = {hit.key for hit in hits if judge.is_another(hit)}
        hits = [hit for hit in hits if hit.key not in other]
        chosen = _apart(hit for hit in hits if hit.rule)
        for _ in range(_ROUNDS):
            rest = _outside((hit for hit in hits if not hit.rule), chosen)
            if not self._believe_by_others(rest, chosen, judge):
                break
            chosen = _apart(hit for hit in hits if hit.rule)
        return chosen

    def _believe_by_others(self, rest: list[Hit], chosen: list[Hit], judge: Judge) -> bool:
        """Believe names that stand beside believed ones, or are other names of the same thing."""
        threats = [hit for hit in chosen if hit.label.policy <= Policy.ORDINARY]
        starts = {hit.start: hit for hit in threats}
        ends = {hit.end: hit for hit in threats}
        keys: dict[str, str] = {hit.key: hit.raw for hit in threats}
        named: dict[int, str] = {}
        for hit in threats:
            for number in hit.label.entries[: max(1, hit.label.chief)]:
                named.setdefault(number, hit.raw)
        changed = False
        for hit in rest:
            if hit.label.policy > Policy.ORDINARY or not judge.may_follow(hit):
                continue
            other = next((named[it] for it in hit.label.entries if it in named), "")
            if judge.may_repeat(hit) and (hit.key in keys or other):
                hit.rule = "again" if hit.key in keys else f"alias of:{other}"
            elif threats and judge.is_cased(hit):
                hit.rule = f"cased:{threats[0].raw}"
            else:
                hit.rule = judge.beside(hit, starts, ends)
            changed = changed or bool(hit.rule)
        return changed

    def _gathered(self, believed: list[Hit]) -> dict[tuple[Name, str], _Found]:
        told: dict[int, Counter[Name]] = defaultdict(Counter)
        sure: set[int] = set()
        for hit in believed:
            told[hit.label.entries[0]].update(hit.said)
            if len(hit.label.entries) == 1:
                sure.add(hit.label.entries[0])
        found: dict[tuple[Name, str], _Found] = {}
        for hit in believed:
            for kind, number in self._meant(hit, told[hit.label.entries[0]], sure):
                entry = self._entries[number]
                if (kind, entry.value) not in found:
                    found[kind, entry.value] = self._new(hit, kind, number, sure)
                found[kind, entry.value].add(hit.start, hit.end, hit.raw)
        return found

    def _new(self, hit: Hit, kind: Name, number: int, sure: set[int]) -> _Found:
        entry = self._entries[number]
        rivals = () if number in sure else self._rivals(hit, kind, number)
        rule = ADJECTIVE if entry.type == ADJECTIVE else hit.rule
        return _Found(
            kind=kind, value=entry.value, name=entry.name, rule=rule, reasons=tuple(rivals)
        )

    def _rivals(self, hit: Hit, kind: Name, number: int) -> Iterator[str]:
        """Return what else of its kind a name may mean."""
        chosen = self._entries[number]
        rivals = [self._entries[it] for it in hit.label.entries if it != number]
        told = {
            f"may be:{it.name} ({it.value})": None
            for it in rivals
            if it.kind is kind and joined(it.name) != joined(chosen.name)
        }
        yield from list(told)[:_MOST_RIVALS]

    def _meant(self, hit: Hit, told: Counter[Name], sure: set[int]) -> list[tuple[Name, int]]:
        """Return what a name means where it stands, by what is said of it there and elsewhere."""
        label = hit.label
        if label.policy > Policy.ORDINARY:
            # A vendor and what it makes may have one name.
            return [(self._entries[it].kind, it) for it in label.entries]
        said = hit.said or set(sorted(told, key=lambda it: (-told[it], it))[:1])

        def worth(number: int) -> tuple[bool, bool, bool, int]:
            kind = self._entries[number].kind
            is_brand = kind is Name.RANSOMWARE and bool(told[kind])
            return number in sure, is_brand, kind in said, -label.entries.index(number)

        best = max(label.entries, key=worth)
        kind = self._entries[best].kind
        is_told = bool(told[Name.RANSOMWARE]) or Name.RANSOMWARE in label.kinds
        if kind is not Name.RANSOMWARE and not (kind is Name.MALWARE and is_told):
            return [(kind, best)]
        chief = label.entries[: label.chief]
        actors = (it for it in chief if self._entries[it].kind is Name.ACTOR)
        actor = next(actors, None)
        is_both = told[Name.RANSOMWARE] > _FEW and Name.RANSOMWARE in hit.said
        if told[Name.ACTOR] > max(1, told[Name.RANSOMWARE]) and not is_both:
            # Such a text speaks of those who run a brand, and calls them by its name.
            gang = (Name.ACTOR, best if actor is None else actor)
            # ATT&CK keeps groups apart from software: what it lists as that is a program here too.
            is_program = actor is None and bool(self._entries[best].attack)
            return [gang, (kind, best)] if is_program else [gang]
        known = [(Name.ACTOR, actor)] if actor is not None and hit.grouped else []
        return [(kind, best), *known]

    def _is_free(self, name: str) -> bool:
        """Whether a name is in no list and no word of everyday language."""
        key = key_of(name)
        words = key.split()
        return key not in self._number and not any(word in self._ordinary for word in words[:1])

    def _add_others(
        self,
        found: dict[tuple[Name, str], _Found],
        others: Iterable[Coined],
        taken: Sequence[_Span],
    ) -> None:
        """Add names that no list has, where no name of a list stands."""
        free = _outside(others, taken)
        for one in free:
            known = found.get((one.kind, one.value))
            if known is None:
                known = found[one.kind, one.value] = _Found(
                    kind=one.kind, value=one.value, name=one.name, rule=one.rule,
                    reasons=(),
                )  # fmt: skip
            known.add(one.start, one.end, one.name)


def _apart(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits that do not overlap, of two the earlier, longer."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda it: (it.start, -it.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return kept


def _outside(others: Iterable[_Placed], taken: Sequence[_Span]) -> list[_Placed]:
    """Return those that touch none of the places that are taken, which stand in order."""
    free: list[_Placed] = []
    number = 0
    for one in sorted(others, key=lambda it: it.start):
        while number < len(taken) and taken[number].end <= one.start:
            number += 1
        if number == len(taken) or taken[number].start >= one.end:
            free.append(one)
    return free
