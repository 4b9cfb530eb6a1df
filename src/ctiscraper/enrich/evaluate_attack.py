"""How well techniques are found: against texts in which a reader marked them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.enrich.attack import Techniques
from ctiscraper.enrich.evaluate import Score
from ctiscraper.enrich.labelled import bundled, reports_of

# The readers of these sets looked for the techniques of a list, and for no others.
_LISTED = frozenset({"tram2"})


@dataclass(frozen=True, slots=True)
class Report:
    """A text of a set, and the techniques that a reader marked in it."""

    name: str
    set: str
    text: str
    techniques: frozenset[str]


@dataclass(frozen=True, slots=True)
class AttackEvaluation:
    """Scores by set and by rule, and every error as text, technique and the rules for it.

    A rule's score counts the texts in which it found its technique; it misses none by itself.
    """

    by_set: dict[str, Score]
    by_rule: dict[str, Score]
    misses: tuple[tuple[str, str], ...]
    extras: tuple[tuple[str, str, str], ...]


def evaluate_attack(reports: Iterable[Report], techniques: Techniques) -> AttackEvaluation:
    """Return how well the techniques of labelled reports are found, each once a text.

    Where the readers of a set marked no sub-techniques theirs are counted as the whole technique.
    """
    sets: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        sets[report.set].append(report)
    by_set: dict[str, Score] = {}
    by_rule: dict[str, Score] = defaultdict(Score)
    misses: list[tuple[str, str]] = []
    extras: list[tuple[str, str, str]] = []
    for name, listed in sets.items():
        view = _View(techniques, name, listed)
        score = by_set[name] = Score()
        for report in listed:
            marked, found = view.marked(report), view.found(report)
            missed = sorted(marked - found.keys())
            misses.extend((report.name, one) for one in missed)
            score.missed += len(missed)
            for one, rules in sorted(found.items()):
                _count(score, one in marked)
                for rule in rules:
                    _count(by_rule[f"{rule} {one}"], one in marked)
                if one not in marked:
                    extras.append((report.name, one, " ".join(sorted(rules))))
    return AttackEvaluation(by_set, dict(sorted(by_rule.items())), tuple(misses), tuple(extras))


def _count(score: Score, right: bool) -> None:
    if right:
        score.right += 1
    else:
        score.extra += 1


class _View:
    """How the readers of a set see techniques: which ones, and with their parts or without."""

    def __init__(self, techniques: Techniques, name: str, reports: Iterable[Report]) -> None:
        self._techniques = techniques
        labels = {one for report in reports for one in report.techniques}
        self._parts = any("." in one for one in labels)
        self._listed = {self._seen(one) for one in labels} if name in _LISTED else None

    def _seen(self, identifier: str) -> str:
        current = self._techniques.current(identifier)
        return current if self._parts else current.partition(".")[0]

    def marked(self, report: Report) -> set[str]:
        return {self._seen(one) for one in report.techniques}

    def found(self, report: Report) -> dict[str, set[str]]:
        """Return the techniques found, each with the rules that found it."""
        found: dict[str, set[str]] = defaultdict(set)
        for hit in self._techniques.hits(report.text):
            identifier = self._seen(hit.technique)
            if self._listed is None or identifier in self._listed:
                found[identifier].add(hit.rule)
        return found


def bundled_reports() -> list[Report]:
    """Return the texts that come with the program, marked for every technique."""
    return [
        Report(
            name=f"text {number}",
            set="bundled",
            text=one["text"],
            techniques=frozenset(one["techniques"]),
        )
        for number, one in enumerate(bundled("attack"), 1)
    ]


def reports_in(folder: Path) -> list[Report]:
    """Return the reports of a folder with `data/attack/docs.jsonl.gz`, a JSON text a line.

    Each has `id`, `set`, `text` and `techniques`.

    Raises SettingsError and CatalogError.
    """
    return reports_of(folder, "attack", _report)


def _report(read: Mapping[str, object]) -> Report:
    techniques = read["techniques"]
    if not isinstance(techniques, list):
        raise TypeError("a list of techniques is needed")
    return Report(
        name=str(read["id"]),
        set=str(read["set"]),
        text=str(read["text"]),
        techniques=frozenset(map(str, techniques)),
    )
