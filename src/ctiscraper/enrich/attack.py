"""ATT&CK techniques that a text speaks of: by id, by name, and by what is done."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ctiscraper.enrich.attack_names import Naming
from ctiscraper.enrich.attack_rules import Rule, load_rules, load_words
from ctiscraper.enrich.phrases import Phrases, Sentence, Span, folded, in_characters, word_end
from ctiscraper.enrich.scan import pattern
from ctiscraper.intelligence import MOST_PLACES, Extractor, Mention, Name
from ctiscraper.packs.attack_matrix import AttackPack, Domain, Technique

ID, NAME = "id", "name"

# Tables that lost their lines have "AccessT1566.001Spearphishing".
_ID = pattern(
    r"(?:\b|[a-z)])(T[01][0-9]{3}(?:(?:\s?\.|[/_-])[0-9]{3})?)|\b(t1[0-9]{3}(?:[./][0-9]{3})?)"
)
_GOES_ON = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz_")
_PARENT = 5
_SUB = 3
# A word of negation stands so near before what it denies.
_DENIED = 25
# A line of JSON.
_SETTING = re.compile(rb"""\s*"[^"\n]{0,200}"\s{0,9}(?::\s|,?\s*$)""")
# So many bytes at most are between an id and the name that stands with it.
_NAMED_WITHIN = 6
# What may stand before the first word of a sentence.
_BULLETS = b" \t\n*-\"'."


class Hit(msgspec.Struct, frozen=True):
    """One place of a text that speaks of a technique, and the rule that says so."""

    technique: str
    start: int
    end: int
    rule: str


class _Rule(NamedTuple):
    """What a phrase stands for: a technique, by a rule or by its name, which may be `everyday`."""

    technique: str
    id: str
    unless: int | None = None
    sentences: int = 1
    everyday: bool = False


class _Found(NamedTuple):
    """A find in bytes, with the number of its sentence."""

    technique: str
    start: int
    end: int
    rule: str
    sentence: int
    sentences: int = 1


class Techniques:
    """Recognises the techniques of a pack; made once, as that takes a while."""

    def __init__(self, pack: AttackPack, rules: Iterable[Rule] | None = None) -> None:
        """Compile names and rules; rules of techniques that the pack lacks are left out."""
        self._known = {one.id: one for one in pack.techniques}
        words = load_words()
        self._phrases = Phrases(words.lists)
        self._naming = Naming(pack, words)
        self._rules: list[_Rule] = []
        for rule in load_rules() if rules is None else rules:
            self._add(rule)
        for names, identifier in self._naming.phrases():
            if (current := self._current(identifier)) is not None:
                everyday = self._naming.is_everyday(names[0])
                self._rules.append(_Rule(current.id, NAME, everyday=everyday))
                self._phrases.add_words(len(self._rules) - 1, *names)
        self._advice = self._phrases.term(" | ".join(words.advice))
        self._orders = self._phrases.term(" | ".join(words.orders))
        self._negation = self._phrases.term(" | ".join(words.negation))
        self._names = self._phrases.term(" | ".join(words.naming))
        self._context = {
            Domain(domain): self._phrases.term(terms) for domain, terms in words.context.items()
        }
        self._phrases.compile()

    def find(self, text: str) -> list[Mention]:
        """Return the techniques of a text, each once, by their first places."""
        by_technique: dict[str, list[Hit]] = defaultdict(list)
        for hit in self.hits(text):
            by_technique[hit.technique].append(hit)
        return [self._mention(key, hits) for key, hits in by_technique.items()]

    def hits(self, text: str) -> list[Hit]:
        """Return every place that speaks of a technique, in order."""
        data = folded(text)
        ids = list(self._ids(data))
        spoken = list(self._spoken(data, ids))
        found = _supported([*self._exact(ids, spoken), *spoken])
        characters = in_characters(data, (at for one in found for at in (one.start, one.end)))
        spans: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for one in found:
            spans[one.technique, one.rule].append((characters[one.start], characters[one.end]))
        hits = [
            Hit(technique, start, end, rule)
            for (technique, rule), places in spans.items()
            for start, end in _joined(places)
        ]
        return sorted(hits, key=lambda hit: (hit.start, hit.end, hit.technique, hit.rule))

    def current(self, identifier: str) -> str:
        """Return an id, or that of what took its place."""
        one = self._current(identifier)
        return one.id if one is not None else identifier

    def _mention(self, identifier: str, hits: list[Hit]) -> Mention:
        rules = [hit.rule for hit in hits]
        strongest = next((one for one in (ID, NAME) if one in rules), "")
        places = _joined((hit.start, hit.end) for hit in hits)
        return Mention(
            kind=Name.TECHNIQUE,
            value=identifier,
            name=self._known[identifier].name,
            extractor=Extractor.ATTACK,
            places=tuple(places[:MOST_PLACES]),
            count=len(places),
            reasons=tuple(f"rule:{rule}" for rule in dict.fromkeys(rules)),
            rule=strongest or max(rules, key=rules.count),
        )

    def _current(self, identifier: str) -> Technique | None:
        """Return the technique of an id, or what took its place."""
        one = self._known.get(identifier)
        return self._known[self._naming.last(one)] if one is not None else None

    def _add(self, rule: Rule) -> None:
        current = self._current(rule.technique)
        if current is None:
            return
        unless = self._phrases.term(rule.unless) if rule.unless else None
        self._rules.append(_Rule(current.id, rule.id, unless, rule.sentences))
        for written in rule.when:
            self._phrases.add(len(self._rules) - 1, written, near=rule.near)

    def _ids(self, data: bytes) -> Iterator[_Found]:
        for found in _ID.finditer(data):
            start, end = found.span(1 if found[1] else 2)
            if end < len(data) and data[end] in _GOES_ON:
                continue
            digits = data[start:end].upper().decode("ascii")
            parent = digits[:_PARENT]
            sub = f"{parent}.{digits[-_SUB:]}" if len(digits) > _PARENT else ""
            if sub and (one := self._current(sub)) is not None:
                yield _Found(one.id, start, end, ID, -start)
            elif (one := self._current(parent)) is not None:
                yield _Found(one.id, start, start + _PARENT, ID, -start)

    def _spoken(self, data: bytes, ids: Sequence[_Found]) -> Iterator[_Found]:
        """Return what names and rules find, where the text speaks of the right kind of system."""
        context: set[Domain] = set()
        found: list[_Found] = []
        starts = [one.start for one in ids]
        for sentence in self._phrases.sentences(data):
            context.update(
                domain for domain, term in self._context.items() if sentence.terms >> term & 1
            )
            if not self._is_advice(sentence, data) and not _is_setting(sentence, data):
                written = ids[
                    bisect_left(starts, sentence.start) : bisect_left(starts, sentence.end)
                ]
                said = self._in_sentence(sentence, data, ids, written)
                found.extend(self._beside(said, written) if written else said)
        for one in found:
            domains = self._known[one.technique].domains
            if Domain.ENTERPRISE in domains or context.intersection(domains):
                yield one

    def _beside(self, said: Iterable[_Found], written: Iterable[_Found]) -> Iterator[_Found]:
        """Return what a sentence says besides its ids: they tell which of a family it means."""
        ids = {one.technique for one in written}
        families = {self._family(one) for one in ids}
        for one in said:
            is_part = one.rule is NAME and bool(self._known[one.technique].parent)
            if is_part or one.technique in ids or self._family(one.technique) not in families:
                yield one

    def _exact(self, ids: Iterable[_Found], spoken: Iterable[_Found]) -> Iterator[_Found]:
        """Return ids but those with the name of a part behind them: `T1055 | Process Hollowing`."""
        parts = {
            (self._known[one.technique].parent, one.start) for one in spoken if one.rule is NAME
        }
        for one in ids:
            if not any((one.technique, one.end + gap) in parts for gap in range(_NAMED_WITHIN)):
                yield one

    def _family(self, identifier: str) -> str:
        return self._known[identifier].parent or identifier

    def _is_advice(self, sentence: Sentence, data: bytes) -> bool:
        if sentence.terms >> self._advice & 1:
            return True
        orders = self._phrases.places(sentence, self._orders)
        return bool(orders) and not data[sentence.start : orders[0][0]].strip(_BULLETS)

    def _in_sentence(
        self, sentence: Sentence, data: bytes, ids: Sequence[_Found], written: Sequence[_Found]
    ) -> list[_Found]:
        """Return names and, where they say something else, what rules find in a sentence."""
        denials = self._phrases.places(sentence, self._negation)
        is_naming = bool(written) or bool(sentence.terms >> self._names & 1)
        names: list[tuple[str, Span]] = []
        acts: list[_Found] = []
        for number, start, end in self._phrases.matches(sentence):
            rule = self._rules[number]
            if rule.unless is not None and sentence.terms >> rule.unless & 1:
                continue
            if denials and any(0 <= start - last <= _DENIED for _, last in denials):
                continue
            stop = word_end(data, end)
            if rule.id is NAME:
                if not rule.everyday or is_naming or (ids and _is_titled(data[start:stop])):
                    names.append((rule.technique, (start, stop)))
            else:
                found = _Found(rule.technique, start, stop, rule.id, sentence.start, rule.sentences)
                acts.append(found)
        named = [
            _Found(identifier, start, end, NAME, sentence.start)
            for identifier, (start, end) in self._naming.outermost(names, data)
        ]
        return [*named, *(act for act in acts if not _explained(act, named))]


def _is_titled(name: bytes) -> bool:
    return all(word[:1].isupper() for word in name.split())


def _is_setting(sentence: Sentence, data: bytes) -> bool:
    """Whether a line is one of settings (`"allocator": "VirtualAllocEx",`), which tell no act."""
    return _SETTING.match(data, sentence.start, sentence.end) is not None


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _explained(act: _Found, named: Iterable[_Found]) -> bool:
    """Whether what a rule found needs a part of the name of another technique."""
    return any(
        act.start < name.end
        and name.start < act.end
        and not (act.start <= name.start and name.end <= act.end)
        and act.technique != name.technique
        for name in named
    )


def _supported(found: Iterable[_Found]) -> list[_Found]:
    """Return what is found, without techniques of which too few sentences speak for any rule."""
    listed = list(found)
    sentences: dict[str, set[int]] = defaultdict(set)
    wanted: dict[str, int] = {}
    for one in listed:
        sentences[one.technique].add(one.sentence)
        wanted[one.technique] = min(wanted.get(one.technique, one.sentences), one.sentences)
    return [one for one in listed if len(sentences[one.technique]) >= wanted[one.technique]]
