"""How well a model did on labelled articles: what of its answers held, and what they cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ctiscraper.analysis.analysed import Analysis, TaskName


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One answer against its labels: found and labelled, found alone, labelled alone.

    Without `analysis` there was no answer that could be used, by `fault`.
    """

    article: str
    analysis: Analysis | None
    fault: str = ""
    right: int = 0
    extra: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """One task over all articles that it was asked of.

    Of `asked` articles `first` were answered as they should at once and `repaired` at the second
    try; `faults` counts why others were not. `dropped` counts claims by why they were not kept.
    """

    task: TaskName
    prompt_version: str
    asked: int
    first: int
    repaired: int
    faults: Mapping[str, int]
    claims: int
    dropped: Mapping[str, int]
    right: int
    extra: int
    missed: int
    seconds: tuple[float, ...]
    prompt_tokens: int
    answer_tokens: int

    @property
    def valid_first(self) -> float:
        """The share of answers with the right form at the first try."""
        return self.first / self.asked if self.asked else 1.0

    @property
    def valid(self) -> float:
        """The share of answers with the right form at last."""
        return (self.first + self.repaired) / self.asked if self.asked else 1.0

    @property
    def faithful(self) -> float:
        """The share of claims with a quotation that the article holds; 1 without claims."""
        made = self.claims + sum(self.dropped.values())
        return 1.0 - self.dropped.get("unquoted", 0) / made if made else 1.0

    @property
    def kept(self) -> float:
        """The share of claims that were kept; 1 without claims."""
        made = self.claims + sum(self.dropped.values())
        return self.claims / made if made else 1.0

    @property
    def precision(self) -> float:
        """The share of what was found that is labelled; 1 when nothing was found."""
        return self.right / (self.right + self.extra) if self.right + self.extra else 1.0

    @property
    def recall(self) -> float:
        """The share of what is labelled that was found; 1 when nothing is labelled."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def median_seconds(self) -> float:
        """How long an answer took, in the middle."""
        return median(self.seconds) if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScore:
    """A model at a server over a set of articles."""

    model: str
    server: str
    set_version: str
    tasks: tuple[TaskScore, ...] = field(repr=False)

    def document(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "model": self.model,
            "server": self.server,
            "set": self.set_version,
            "tasks": [_document(one) for one in self.tasks],
        }


def summed(task: TaskName, prompt_version: str, done: Sequence[Scored]) -> TaskScore:
    """Return the sum of what came of a task."""
    answers = [one.analysis for one in done if one.analysis is not None]
    dropped: Counter[str] = Counter()
    for answer in answers:
        dropped.update(answer.why)
    repaired = sum(answer.repaired for answer in answers)
    return TaskScore(
        task=task,
        prompt_version=prompt_version,
        asked=len(done),
        first=len(answers) - repaired,
        repaired=repaired,
        faults=dict(Counter(one.fault for one in done if one.analysis is None)),
        claims=sum(len(answer.claims) for answer in answers),
        dropped=dict(dropped),
        right=sum(one.right for one in done),
        extra=sum(one.extra for one in done),
        missed=sum(one.missed for one in done),
        seconds=tuple(round(answer.seconds, 3) for answer in answers),
        prompt_tokens=sum(answer.prompt_tokens for answer in answers),
        answer_tokens=sum(answer.answer_tokens for answer in answers),
    )


def _document(one: TaskScore) -> dict[str, object]:
    return {
        "task": one.task.value,
        "prompt": one.prompt_version,
        "asked": one.asked,
        "valid_first": round(one.valid_first, 4),
        "valid": round(one.valid, 4),
        "faults": dict(one.faults),
        "claims": one.claims,
        "dropped": dict(one.dropped),
        "faithful": round(one.faithful, 4),
        "kept": round(one.kept, 4),
        "right": one.right,
        "extra": one.extra,
        "missed": one.missed,
        "precision": round(one.precision, 4),
        "recall": round(one.recall, 4),
        "f1": round(one.f1, 4),
        "seconds": list(one.seconds),
        "median_seconds": round(one.median_seconds, 3),
        "prompt_tokens": one.prompt_tokens,
        "answer_tokens": one.answer_tokens,
    }
