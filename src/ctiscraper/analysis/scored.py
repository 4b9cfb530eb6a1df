"""How well a model did on labelled articles: what of its answers held, and what they cost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ctiscraper.analysis.analysed import Analysis, Claim, TaskName
from ctiscraper.analysis.labelled import LabelledArticle

# What entities of these kinds are called is labelled, so that another name is one too many.
_LABELLED_KINDS = frozenset(("actor", "malware", "vulnerability", "country"))


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


def score(task: TaskName, article: LabelledArticle, analysis: Analysis) -> Scored:
    """Return how an answer compares with what a reader found."""
    claims = analysis.claims
    if task is TaskName.TECHNIQUES:
        found = {claim.fields["technique"] for claim in claims}
        counts = _compared(found, article.techniques)
    elif task is TaskName.RELATIONS:
        counts = _compared(_names(claims), {name.casefold() for name in article.names})
    elif task is TaskName.RELEVANCE:
        concerned = {name for name, is_about in article.watched.items() if is_about}
        counts = _compared({claim.fields["watched"] for claim in claims}, concerned)
    elif task is TaskName.TITLE:
        counts = _translated(claims, article.english)
    else:
        labels = article.traces if task is TaskName.DETECTIONS else article.facts
        counts = _covered(claims, article.text, labels)
    right, extra, missed = counts
    return Scored(article=article.name, analysis=analysis, right=right, extra=extra, missed=missed)


def labels_of(task: TaskName, article: LabelledArticle) -> int:
    """Return how many things a perfect answer finds: those are missed where there is none."""
    if task is TaskName.TECHNIQUES:
        return len(article.techniques)
    if task is TaskName.RELATIONS:
        return len(article.names)
    if task is TaskName.RELEVANCE:
        return sum(article.watched.values())
    if task is TaskName.TITLE:
        return bool(article.english)
    return len(article.traces if task is TaskName.DETECTIONS else article.facts)


def is_for(task: TaskName, article: LabelledArticle) -> bool:
    """Whether a model is asked this of an article: no title in English is translated."""
    return task is not TaskName.TITLE or bool(article.english)


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


def _compared(found: Iterable[str], labelled: Iterable[str]) -> tuple[int, int, int]:
    one, other = set(found), set(labelled)
    return len(one & other), len(one - other), len(other - one)


def _names(claims: Iterable[Claim]) -> set[str]:
    """What the relations name, of the kinds that are labelled."""
    return {
        claim.fields[side].casefold()
        for claim in claims
        for side in ("subject", "object")
        if claim.fields[f"{side}_kind"] in _LABELLED_KINDS
    }


def _translated(claims: Sequence[Claim], words: Sequence[str]) -> tuple[int, int, int]:
    """Whether a translation has every word that it should have."""
    said = " ".join(claim.text for claim in claims).casefold()
    right = bool(claims) and all(word.casefold() in said for word in words)
    return int(right), int(bool(claims) and not right), int(not right)


def _covered(claims: Iterable[Claim], text: str, labels: Iterable[str]) -> tuple[int, int, int]:
    """Which labelled words are quoted, and how many claims quote none of them."""
    spans = [(at, at + len(label)) for label in labels if (at := text.find(label)) >= 0]
    met: set[tuple[int, int]] = set()
    extra = 0
    for claim in claims:
        hits = {
            (start, end)
            for start, end in spans
            for quote in claim.quotes
            if start < quote.end and quote.start < end
        }
        met |= hits
        extra += not hits
    return len(met), extra, len(spans) - len(met)


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
