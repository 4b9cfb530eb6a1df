"""How well verdicts part indicators from what is only mentioned, as a reader would."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ctiscraper.enrich.evaluate import Labelled, corpus_in
from ctiscraper.enrich.kinds import NETWORK, Kind
from ctiscraper.enrich.labelled import bundled
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.verdicts import Verdicts
from ctiscraper.intelligence import Mention, Verdict

_BAD = frozenset((Verdict.MALICIOUS, Verdict.SUSPICIOUS))


@dataclass(frozen=True, slots=True)
class Report:
    """A text and which of its observables a reader holds to be indicators.

    Of what is in neither `bad` nor `neutral` the addresses are held to be harmless, and of other
    kinds nothing is known.
    """

    name: str
    text: str
    html: str
    url: str
    bad: frozenset[tuple[Kind, str]]
    neutral: frozenset[tuple[Kind, str]] = frozenset()


@dataclass(slots=True)
class Tally:
    """Of one kind: indicators that were caught and let off, other values cleared and accused."""

    caught: int = 0
    let_off: int = 0
    cleared: int = 0
    accused: int = 0

    @property
    def recall(self) -> float:
        """The share of indicators that were held malicious or suspicious; 1 without any."""
        return self.caught / (self.caught + self.let_off) if self.caught + self.let_off else 1.0

    @property
    def specificity(self) -> float:
        """The share of other addresses that were held mentioned or benign; 1 without any."""
        return self.cleared / (self.cleared + self.accused) if self.cleared + self.accused else 1.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mention whose verdict the reader does not share."""

    text: str
    mention: Mention


@dataclass(frozen=True, slots=True)
class VerdictEvaluation:
    """Tallies by kind and in all, and each verdict that was wrong.

    What was not found at all is no verdict and counts nowhere.
    """

    by_kind: Mapping[str, Tally]
    total: Tally
    let_off: tuple[Wrong, ...]
    accused: tuple[Wrong, ...]


@dataclass(slots=True)
class _Count:
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    let_off: list[Wrong] = field(default_factory=list)
    accused: list[Wrong] = field(default_factory=list)

    def add(self, report: Report, mention: Mention) -> None:
        kind = Kind(mention.kind)
        thing = (Kind.DOMAIN if kind is Kind.ONION else kind, mention.value)
        held = mention.verdict in _BAD
        tally = self.tallies[mention.kind]
        if thing in report.bad:
            tally.caught += held
            tally.let_off += not held
            if not held:
                self.let_off.append(Wrong(report.name, mention))
        elif kind in NETWORK and thing not in report.neutral:
            tally.cleared += not held
            tally.accused += held
            if held:
                self.accused.append(Wrong(report.name, mention))


def evaluate_verdicts(verdicts: Verdicts, reports: Iterable[Report]) -> VerdictEvaluation:
    """Return how often the verdicts on what reports name are a reader's."""
    count = _Count()
    for one in reports:
        found = find_observables(one.text)
        for mention in verdicts.judge(one.text, one.html, found, one.url, ""):
            count.add(one, mention)
    tallies = dict(sorted(count.tallies.items()))
    every = tallies.values()
    total = Tally(
        caught=sum(one.caught for one in every),
        let_off=sum(one.let_off for one in every),
        cleared=sum(one.cleared for one in every),
        accused=sum(one.accused for one in every),
    )
    return VerdictEvaluation(
        by_kind=tallies, total=total, let_off=tuple(count.let_off), accused=tuple(count.accused)
    )


def bundled_reports() -> list[Report]:
    """Return the reports that come with the program."""
    return [
        Report(
            name=f"report {number}",
            text=one["text"],
            html=one.get("html", ""),
            url=one.get("url", ""),
            bad=frozenset((Kind(kind), v) for kind, vs in one["indicators"].items() for v in vs),
        )
        for number, one in enumerate(bundled("verdicts"), 1)
    ]


def reports_in(folder: Path) -> list[Report]:
    """Return the labelled reports of a folder, as `corpus_in` reads them.

    Raises SettingsError where there is no such file, CatalogError when it cannot be read.
    """
    return [_report(one) for one in corpus_in(folder)]


def _report(one: Labelled) -> Report:
    return Report(
        name=one.name, text=one.text, html="", url="", bad=one.marked, neutral=one.neutral
    )
