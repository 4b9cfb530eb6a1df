"""ATT&CK techniques that a text speaks of: by id, by name, and by what is done."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from ctiscraper.enrich.attack_names import Naming
from ctiscraper.enrich.attack_rules import Rule, Words, load_rules, load_words
from ctiscraper.enrich.phrases import Phrases, Sentence, Span, folded, in_characters, word_end
from ctiscraper.enrich.scan import pattern
from ctiscraper.intelligence import MOST_PLACES, Extractor, Mention, Name
from ctiscraper.packs.attack_matrix import AttackPack, Domain, Technique

ID, NAME = "id", "name"

_ID = pattern(r"\bT[01][0-9]{3}(?:(?:\s?\.|[/_-])[0-9]{3})?\b", ignore_case=True)
_PARENT = 5
_SUB = 3
# A word of negation stands so near before what it denies.
_DENIED = 40


class Hit(msgspec.Struct, frozen=True):
    """One place of a text that speaks of a technique, and the rule that says so."""

    technique: str
    start: int
    end: int
    rule: str


class Techniques:
    """Recognises the techniques of a pack; made once, as that takes a while."""

    def __init__(self, pack: AttackPack, rules: Iterable[Rule] | None = None) -> None:
        """Compile names and rules; rules of techniques that the pack lacks are left out."""
        self._known = {one.id: one for one in pack.techniques}
        self._words = load_words()
        self._phrases = Phrases(self._words.lists)
        self._rules: list[tuple[str, str, int | None]] = []
        for rule in load_rules() if rules is None else rules:
            if (current := self._current(rule.technique)) is not None:
                self._add(rule, current.id)
        self._naming = Naming(pack, self._words)
        for names, identifier in self._naming.phrases():
            if (current := self._current(identifier)) is not None:
                self._phrases.add_words(self._number(current.id, NAME, None), *names)
        self._advice = self._phrases.term(" | ".join(self._words.advice))
        self._orders = self._phrases.term(" | ".join(self._words.orders))
        self._negation = self._phrases.term(" | ".join(self._words.negation))
        self._context = {
            Domain(domain): self._phrases.term(words)
            for domain, words in self._words.context.items()
        }
        self._phrases.compile()

    def find(self, text: str) -> list[Mention]:
        """Return the techniques of a text, each once, by their first places."""
        by_technique: dict[str, list[Hit]] = defaultdict(list)
        for hit in self.hits(text):
            by_technique[hit.technique].append(hit)
        return [self._mention(key, hits) for key, hits in by_technique.items()]

    def hits(self, text: str) -> list[Hit]:
        """Return every place that speaks of a technique, in order; ids before names and rules."""
        data = folded(text)
        found = [*self._ids(data), *self._spoken(data)]
        characters = in_characters(data, (place for _, span, _ in found for place in span))
        hits = {
            Hit(technique, characters[start], characters[end], rule)
            for technique, (start, end), rule in found
        }
        return sorted(hits, key=lambda hit: (hit.start, hit.end, hit.technique, hit.rule))

    def _mention(self, identifier: str, hits: list[Hit]) -> Mention:
        rules = [hit.rule for hit in hits]
        strongest = next((one for one in (ID, NAME) if one in rules), "")
        places = tuple(dict.fromkeys((hit.start, hit.end) for hit in hits))
        return Mention(
            kind=Name.TECHNIQUE,
            value=identifier,
            name=self._known[identifier].name,
            extractor=Extractor.ATTACK,
            places=places[:MOST_PLACES],
            count=len(places),
            reasons=tuple(f"rule:{rule}" for rule in dict.fromkeys(rules)),
            rule=strongest or max(rules, key=rules.count),
        )

    def _current(self, identifier: str) -> Technique | None:
        """Return the technique of an id, or what took its place."""
        one = self._known.get(identifier)
        seen: set[str] = set()
        while one is not None and one.replaced_by and one.id not in seen:
            seen.add(one.id)
            one = self._known.get(one.replaced_by, one)
        return one

    def _number(self, identifier: str, rule: str, unless: int | None) -> int:
        self._rules.append((identifier, rule, unless))
        return len(self._rules) - 1

    def _add(self, rule: Rule, identifier: str) -> None:
        unless = self._phrases.term(rule.unless) if rule.unless else None
        number = self._number(identifier, rule.id, unless)
        for written in rule.when:
            self._phrases.add(number, written, near=rule.near)

    def _ids(self, data: bytes) -> Iterator[tuple[str, Span, str]]:
        for found in _ID.finditer(data):
            start, end = found.span()
            digits = found[0].upper().decode("ascii")
            parent = digits[:_PARENT]
            sub = f"{parent}.{digits[-_SUB:]}" if len(digits) > _PARENT else ""
            if sub and (one := self._current(sub)) is not None:
                yield one.id, (start, end), ID
            elif (one := self._current(parent)) is not None:
                yield one.id, (start, start + _PARENT), ID

    def _spoken(self, data: bytes) -> Iterator[tuple[str, Span, str]]:
        """Return what names and rules find, where the text speaks of the right kind of system."""
        context: set[Domain] = set()
        found: list[tuple[str, Span, str]] = []
        for sentence in self._phrases.sentences(data):
            context.update(
                domain for domain, term in self._context.items() if term in sentence.places
            )
            if not self._is_advice(sentence, data):
                found.extend(self._in_sentence(sentence, data))
        for one in found:
            domains = self._known[one[0]].domains
            if Domain.ENTERPRISE in domains or context.intersection(domains):
                yield one

    def _is_advice(self, sentence: Sentence, data: bytes) -> bool:
        if self._advice in sentence.places:
            return True
        orders = sentence.places.get(self._orders)
        return orders is not None and not data[sentence.start : orders[0][0]].strip(b" \t\n*-\"'.")

    def _in_sentence(
        self, sentence: Sentence, data: bytes
    ) -> Iterator[tuple[str, Span, str]]:
        denials = sentence.places.get(self._negation, ())
        names: list[tuple[str, Span]] = []
        for number, start, end in self._phrases.matches(sentence):
            identifier, rule, unless = self._rules[number]
            if unless is not None and unless in sentence.places:
                continue
            if any(0 <= start - last <= _DENIED for _, last in denials):
                continue
            span = (start, word_end(data, end))
            if rule is NAME:
                names.append((identifier, span))
            else:
                yield identifier, span, rule
        for identifier, span in self._naming.outermost(names, data):
            yield identifier, span, NAME
