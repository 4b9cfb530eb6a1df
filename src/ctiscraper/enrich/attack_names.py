"""The names of techniques as texts write them, and which technique a name means."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ctiscraper.enrich.attack_rules import Words
from ctiscraper.enrich.phrases import Span
from ctiscraper.packs.attack_matrix import AttackPack, Domain, Technique
from ctiscraper.wording import own_words

# What stands between a technique and its part where both are named.
_BETWEEN = (": ", " - ", "/", " / ", " > ", ", ")
_NAMED_TOGETHER = 4
# A longer name is not written by chance.
_FEW_WORDS = 2


class Naming:
    """The names of a pack's techniques that mean one technique by themselves."""

    def __init__(self, pack: AttackPack, words: Words) -> None:
        """Choose what each name means; names of every day mean none without their parent's."""
        self._known = {one.id: one for one in pack.techniques}
        self._ambiguous = {name.lower() for name in words.ambiguous}
        self._preferred = frozenset(words.preferred)
        self._everyday = own_words()[0]
        self._telling = frozenset(words.telling)

    def is_everyday(self, name: str) -> bool:
        """Whether a name is what any text may say: one or two everyday words, none of attacks."""
        words = name.lower().split()
        return len(words) <= _FEW_WORDS and all(
            word not in self._telling
            and (word in self._everyday or word.removesuffix("s") in self._everyday)
            for word in words
        )

    def phrases(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Return the spellings of each name, with the technique that it means."""
        owners: dict[str, list[Technique]] = defaultdict(list)
        for one in self._known.values():
            for name in (one.name, *one.aliases):
                owners[name.lower()].append(one)
        for name, listed in owners.items():
            if name not in self._ambiguous and (meant := self._meant(listed)) is not None:
                yield tuple(_spellings(name)), meant
        for one in self._known.values():
            parent = self._known.get(one.parent)
            if parent is not None and not one.deprecated and not one.revoked:
                joined = tuple(f"{parent.name}{between}{one.name}" for between in _BETWEEN)
                yield joined, one.id

    def outermost(
        self, named: Iterable[tuple[str, Span]], data: bytes
    ) -> Iterator[tuple[str, Span]]:
        """Return the names that stand in no longer one and are not only the parent of the next."""
        last = -1
        listed = sorted(named, key=lambda one: (one[1][0], -one[1][1]))
        for number, (identifier, (start, end)) in enumerate(listed):
            if end <= last:
                continue
            last = end
            if not self._leads(identifier, end, listed[number + 1 :], data):
                yield identifier, (start, end)

    def _leads(
        self, identifier: str, end: int, later: Sequence[tuple[str, Span]], data: bytes
    ) -> bool:
        return any(
            self._known[other].parent == identifier and b"\n" not in data[end:begin]
            for other, (begin, _) in later[:_NAMED_TOGETHER]
            if end <= begin <= end + _NAMED_TOGETHER
        )

    def _meant(self, owners: Sequence[Technique]) -> str | None:
        """Return the technique that a name means: the one there is, of a live and wider domain."""
        live = [one for one in owners if not (one.revoked or one.deprecated)]
        if not live:
            replaced = {self.last(one) for one in owners if one.replaced_by in self._known}
            return replaced.pop() if len(replaced) == 1 else None
        enterprise = [one for one in live if Domain.ENTERPRISE in one.domains]
        chosen = enterprise or live
        if len(chosen) > 1:
            chosen = [one for one in chosen if one.id in self._preferred]
        return chosen[0].id if len(chosen) == 1 else None

    def last(self, one: Technique) -> str:
        """Return what took the place of a technique in the end."""
        seen: set[str] = set()
        while one.replaced_by in self._known and one.id not in seen:
            seen.add(one.id)
            one = self._known[one.replaced_by]
        return one.id


def _spellings(name: str) -> Iterator[str]:
    """Return a name with its last word in singular and plural, and without marks on letters."""
    yield name
    yield name[:-1] if name.endswith("s") and not name.endswith("ss") else f"{name}s"
    if "ä" in name:
        yield name.replace("ä", "a")
