"""Articles with what a good answer about them holds: the sets that models are measured by."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ctiscraper.analysis.analysed import AnalysedText, Analysis, Claim, TaskName
from ctiscraper.analysis.scored import Scored

FILES = ("reports.yaml", "negatives.yaml")
Words = Annotated[str, Field(min_length=1)]

# What entities of these kinds are called is labelled, so that another name is one too many.
_LABELLED_KINDS = frozenset(("actor", "malware", "vulnerability", "country"))


class LabelledArticle(BaseModel):
    """An article, and what a reader found in it.

    `facts` and `traces` are words of the text. `watched` tells of things whether it is about them,
    `english` has words of a good translation of the title.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Words
    title: Words
    text: Words
    language: str = "en"
    facts: tuple[Words, ...] = ()
    traces: tuple[Words, ...] = ()
    techniques: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    watched: dict[str, bool] = {}
    english: tuple[str, ...] = ()

    def shown(self) -> AnalysedText:
        """Return it as it is given to a model."""
        return AnalysedText(
            title=self.title, text=self.text, language=self.language, watched=tuple(self.watched)
        )

    def is_for(self, task: TaskName) -> bool:
        """Whether a model is asked this of it: no title in English is translated."""
        return task is not TaskName.TITLE or bool(self.english)

    def labels(self, task: TaskName) -> int:
        """Return how many things a perfect answer finds: those are missed where there is none."""
        if task is TaskName.TECHNIQUES:
            return len(self.techniques)
        if task is TaskName.RELATIONS:
            return len(self.names)
        if task is TaskName.RELEVANCE:
            return sum(self.watched.values())
        if task is TaskName.TITLE:
            return bool(self.english)
        return len(self.traces if task is TaskName.DETECTIONS else self.facts)

    def scored(self, task: TaskName, analysis: Analysis) -> Scored:
        """Return how an answer compares with what a reader found."""
        claims = analysis.claims
        if task is TaskName.TECHNIQUES:
            counts = _compared({claim.fields["technique"] for claim in claims}, self.techniques)
        elif task is TaskName.RELATIONS:
            counts = _compared(_names(claims), {name.casefold() for name in self.names})
        elif task is TaskName.RELEVANCE:
            concerned = {name for name, is_about in self.watched.items() if is_about}
            counts = _compared({claim.fields["watched"] for claim in claims}, concerned)
        elif task is TaskName.TITLE:
            counts = _translated(claims, self.english)
        else:
            labels = self.traces if task is TaskName.DETECTIONS else self.facts
            counts = _covered(claims, self.text, labels)
        right, extra, missed = counts
        return Scored(article=self.name, analysis=analysis, right=right, extra=extra, missed=missed)


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Some labelled articles; two with one `version` are the same."""

    articles: tuple[LabelledArticle, ...] = field(repr=False)
    version: str


def bundled_set() -> LabelledSet:
    """Return the articles that come along."""
    folder = files("ctiscraper.analysis").joinpath("sets")
    texts = [folder.joinpath(name).read_text("utf-8") for name in FILES]
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    reader = TypeAdapter(tuple[LabelledArticle, ...])
    articles = (one for text in texts for one in reader.validate_python(yaml.safe_load(text)))
    return LabelledSet(tuple(articles), f"bundled-{digest[:10]}")


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
