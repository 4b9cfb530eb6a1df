"""How well observables are found: against texts in which a reader marked them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.labelled import bundled, reports_of
from ctiscraper.enrich.observables import find_observables

Marked = frozenset[tuple[Kind, str]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what a reader marked in it; only of `kinds` is anything known."""

    name: str
    text: str
    marked: Marked
    kinds: frozenset[Kind]
    neutral: Marked = frozenset()


@dataclass(slots=True)
class Score:
    """Counts of one kind: found and marked, found alone, marked alone."""

    right: int = 0
    extra: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of what was found that is marked; 1 when nothing was found."""
        return self.right / (self.right + self.extra) if self.right + self.extra else 1.0

    @property
    def recall(self) -> float:
        """The share of what is marked that was found; 1 when nothing is marked."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def total_of(scores: Iterable[Score]) -> Score:
    """Return the sum of scores."""
    total: Counter[str] = Counter()
    for score in scores:
        total.update(right=score.right, extra=score.extra, missed=score.missed)
    return Score(total["right"], total["extra"], total["missed"])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores by kind and in all, and each single error as (text, kind, value)."""

    by_kind: Mapping[StrEnum, Score]
    total: Score
    misses: tuple[tuple[str, StrEnum, str], ...] = ()
    extras: tuple[tuple[str, StrEnum, str], ...] = ()


Named = frozenset[tuple[StrEnum, str]]


@dataclass(slots=True)
class Tally:
    """Counts what is found in texts against what is marked in them."""

    scores: dict[StrEnum, Score] = field(default_factory=lambda: defaultdict(Score))
    misses: list[tuple[str, StrEnum, str]] = field(default_factory=list)
    extras: list[tuple[str, StrEnum, str]] = field(default_factory=list)

    def add(self, name: str, found: Named, marked: Named, neutral: Named = frozenset()) -> None:
        """Count one text; what is neutral is neither right nor wrong."""
        for kind, value in sorted(found | marked):
            score = self.scores[kind]
            if (kind, value) not in found:
                score.missed += 1
                self.misses.append((name, kind, value))
            elif (kind, value) in marked:
                score.right += 1
            elif (kind, value) not in neutral:
                score.extra += 1
                self.extras.append((name, kind, value))

    def evaluation(self) -> Evaluation:
        """Return the scores by kind and in all."""
        return Evaluation(
            by_kind=dict(sorted(self.scores.items())),
            total=total_of(self.scores.values()),
            misses=tuple(self.misses),
            extras=tuple(self.extras),
        )


def _as_marked(kind: Kind, text: Labelled) -> Kind:
    """Return the kind that a corpus has for one of ours: most call onion services domains."""
    return Kind.DOMAIN if kind is Kind.ONION and kind not in text.kinds else kind


def evaluate(corpus: Iterable[Labelled]) -> Evaluation:
    """Return how well the observables of labelled texts are found, each value once a text."""
    tally = Tally()
    for one in corpus:
        seen = ((_as_marked(o.kind, one), o.value) for o in find_observables(one.text))
        found = frozenset((kind, value) for kind, value in seen if kind in one.kinds)
        tally.add(one.name, found, one.marked, one.neutral)
    return tally.evaluation()


def bundled_corpus() -> list[Labelled]:
    """Return the texts that come with the program, marked for every kind."""
    return [
        Labelled(
            name=f"text {number}",
            text=one["text"],
            marked=frozenset(
                (Kind(kind), v) for kind, vs in one["observables"].items() for v in vs
            ),
            kinds=frozenset(Kind),
        )
        for number, one in enumerate(bundled("observables"), 1)
    ]


def corpus_in(folder: Path) -> list[Labelled]:
    """Return the labelled reports of a folder with `data/ioc/docs.jsonl.gz`, a JSON text a line.

    Each has `id`, `text` and `truth`, pairs of kind and value; `also` are values that are neither
    right nor wrong, and so are hosts of marked URLs and the root URLs of marked hosts.

    Raises SettingsError and CatalogError.
    """
    return reports_of(folder, "ioc", _report)


def _report(read: Mapping[str, object]) -> Labelled:
    marked, also = _pairs(read["truth"]), _pairs(read.get("also", ()))
    hosts = {
        (kind, _host(value)) for _, value in marked | also for kind in (Kind.DOMAIN, Kind.IPV4)
    }
    roots = {
        (Kind.URL, f"http://{value}")
        for kind, value in marked | also
        if kind in {Kind.DOMAIN, Kind.IPV4}
    }
    return Labelled(
        name=str(read["id"]),
        text=str(read["text"]),
        marked=marked,
        kinds=frozenset(kind for kind, _ in marked),
        neutral=also | frozenset(hosts | roots),
    )


def _pairs(listed: object) -> Marked:
    if not isinstance(listed, list | tuple):
        raise TypeError("pairs of kind and value are needed")
    return frozenset((Kind(kind), _normal(str(value))) for kind, value in listed)


def _normal(value: str) -> str:
    """Return a value whose URL names the root of its host as ours do."""
    _, slashes, rest = value.partition("://")
    return value.removesuffix("/") if slashes and rest.find("/") == len(rest) - 1 else value


def _host(value: str) -> str:
    where = value.partition("://")[2].partition("/")[0] or value
    return where.rpartition("@")[2].partition(":")[0]
