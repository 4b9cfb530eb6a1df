"""How a draft stands to the Sigma rules that are known: new, more than one has, or covered.

With the text of rules their values are compared; with titles alone nothing counts as covered.
"""

import re
from collections.abc import Iterable, Iterator

from ctiscraper.detect.drafted import Grade, KnownRule, Novelty, Rule
from ctiscraper.packs.sigma import SigmaPack, SigmaRule

MOST_SHOWN = 3

_WORD = re.compile(r"[a-z0-9][a-z0-9._-]+[a-z0-9]")
_TELLING = 4
_HALF = 0.5
_NEAR = 2.0
# What stands in the titles of half of all rules.
_COMMON = frozenset(
    """
    and created creation detected detection execution file from host host of report potential
    potentially program query registry report run set suspicious system task the usage via windows
    with
    """.split()  # noqa: SIM905 - read as words
)


class Library:
    """The rules of a pack, made ready to be compared with many drafts."""

    def __init__(self, pack: SigmaPack, *, name: str, notice: str) -> None:
        """Fold the text of each rule once."""
        self._name, self._notice = name, notice
        self._has_bodies = any(rule.body for rule in pack.rules)
        self._rules = tuple((rule, _folded(rule.body), _words(rule.title)) for rule in pack.rules)

    def compare(self, draft: Rule) -> Novelty:
        """Return how a draft stands to the rules, and the nearest of them."""
        found = self._by_values(draft) if self._has_bodies else self._by_titles(draft)
        near = sorted(found, key=lambda one: (-one[0], one[1].id))[:MOST_SHOWN]
        grade = Grade.NEW
        if self._has_bodies and near and near[0][0] >= 1.0:
            grade = Grade.COVERED
        elif near:
            grade = Grade.EXTENDS
        return Novelty(
            grade=grade,
            basis="values" if self._has_bodies else "titles",
            pack=self._name,
            notice=self._notice if near else "",
            nearest=tuple(one for _, one in near),
        )

    def _by_values(self, draft: Rule) -> Iterator[tuple[float, KnownRule]]:
        """Yield rules of the same log that look for half of the draft's values, or for all."""
        wanted = {_folded(atom): atom for atom in draft.atoms if atom}
        if not wanted:
            return
        log = draft.category or draft.service
        for rule, body, _ in self._rules:
            if f": {log}" not in body:
                continue
            shared = [atom for folded, atom in wanted.items() if folded in body]
            share = len(shared) / len(wanted)
            if share >= _HALF and any(len(atom) >= _TELLING for atom in shared):
                yield share, _known_rule(rule, shared)

    def _by_titles(self, draft: Rule) -> Iterator[tuple[float, KnownRule]]:
        """Yield rules for one of the draft's techniques whose titles name what it looks for."""
        own = _words(draft.title) | _words(" ".join(draft.atoms))
        for rule, _, words in self._rules:
            shared = sorted(own & words)
            techniques = set(draft.techniques) & set(rule.techniques)
            weight = len(shared) + 2.0 * bool(techniques)
            if shared and weight >= _NEAR:
                yield weight, _known_rule(rule, [*shared, *sorted(techniques)])


def _known_rule(rule: SigmaRule, shared: Iterable[str]) -> KnownRule:
    return KnownRule(
        id=rule.id,
        title=rule.title,
        author=rule.author,
        level=rule.level,
        techniques=rule.techniques,
        shared=tuple(shared),
    )


def _folded(text: str) -> str:
    """Return text as values are compared: without case, and with single strokes."""
    return text.lower().replace("\\\\", "\\").strip(" ")


def _words(text: str) -> frozenset[str]:
    words = (word.removesuffix(".exe") for word in _WORD.findall(text.lower()))
    return frozenset(word for word in words if word not in _COMMON)
