"""Articles with claims that readers held to be right or wrong: the set an installation grows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ctiscraper.analysis.analysed import AnalysedText, Analysis, Claim, Quote, TaskName
from ctiscraper.analysis.marking import marking
from ctiscraper.analysis.proof import evidence, telling_words
from ctiscraper.analysis.scored import Scored
from ctiscraper.analysis.shown import shown
from ctiscraper.types import Tlp

# Of these tasks the fields say it all; of the others the words do, and the quotations.
_BY_FIELDS = frozenset((TaskName.RELATIONS, TaskName.TECHNIQUES, TaskName.RELEVANCE))
# Of the telling words of two claims that say the same so many are common to both.
_ALIKE = 0.5


class LeftOut(StrEnum):
    """Why what was judged is not in a set."""

    UNDECIDED = "undecided"
    REVISED = "revised"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbed:
    """A claim with how many held it to be right and wrong."""

    task: TaskName
    claim: Claim
    good: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbedText:
    """An article as it is now, with what was judged of it; `least` is how guarded its source is."""

    number: int
    title: str
    text: str = field(repr=False)
    language: str
    least: Tlp
    thumbed: tuple[Thumbed, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedClaim:
    """A claim that most held to be right, or wrong."""

    task: TaskName
    claim: Claim
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedArticle:
    """An article whose right claims should be made again, and its wrong ones not.

    What nobody judged counts for nothing: readers judge what they see, which is not all there is.
    """

    number: int
    title: str
    text: str = field(repr=False)
    language: str
    judged: tuple[JudgedClaim, ...]

    @property
    def name(self) -> str:
        """What it is called where scores are told."""
        return f"article {self.number}"

    def shown(self) -> AnalysedText:
        """Return it as it is given to a model: it watches what was judged."""
        watched = [one.claim.fields["watched"] for one in self._of(TaskName.RELEVANCE)]
        return AnalysedText(
            title=self.title,
            text=self.text,
            language=self.language,
            watched=tuple(dict.fromkeys(watched)),
        )

    def is_for(self, task: TaskName) -> bool:
        """Whether something of this task was judged."""
        return bool(self._of(task))

    def labels(self, task: TaskName) -> int:
        """Return how many claims were held to be right."""
        return sum(one.is_right for one in self._of(task))

    def scored(self, task: TaskName, analysis: Analysis) -> Scored:
        """Return how many right and wrong claims an answer makes again."""
        judged = self._of(task)
        right = [one.claim for one in judged if one.is_right]
        wrong = [one.claim for one in judged if not one.is_right]
        found: set[int] = set()
        extra = 0
        for claim in analysis.claims:
            near = _near(task, claim, right)
            worst = max(_near(task, claim, wrong).values(), default=0.0)
            if worst >= _ALIKE and worst > max(near.values(), default=0.0):
                extra += 1
            else:
                found.update(n for n, alike in near.items() if _is_found(task, alike))
        return Scored(
            article=self.name,
            analysis=analysis,
            right=len(found),
            extra=extra,
            missed=len(right) - len(found),
        )

    def _of(self, task: TaskName) -> list[JudgedClaim]:
        return [one for one in self.judged if one.task is task]


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Some judged articles; two with one `version` are the same. `left_out` counts claims."""

    articles: tuple[JudgedArticle, ...] = field(repr=False)
    version: str
    left_out: Mapping[LeftOut, int]

    @property
    def claims(self) -> int:
        """How many claims are in it."""
        return sum(len(one.judged) for one in self.articles)


def judged_set(texts: Iterable[ThumbedText], ceiling: Tlp | None = None) -> JudgedSet:
    """Return the set that readers' thumbs make.

    Left out are claims that as many held to be right as wrong, those whose words the article no
    longer has, and articles more guarded than `ceiling`.
    """
    left_out: Counter[LeftOut] = Counter()
    articles = []
    for text in texts:
        is_guarded = ceiling is not None and (
            marking(text.title, text.text, least=text.least).exceeds(ceiling)
        )
        if is_guarded:
            left_out[LeftOut.GUARDED] += len(text.thumbed)
        elif judged := _judged(text, left_out):
            articles.append(
                JudgedArticle(
                    number=text.number,
                    title=text.title,
                    text=text.text,
                    language=text.language,
                    judged=judged,
                )
            )
    told = repr([(one.number, one.title, one.text, one.judged) for one in articles])
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    return JudgedSet(tuple(articles), f"thumbs-{digest[:10]}", dict(left_out))


def _judged(text: ThumbedText, left_out: Counter[LeftOut]) -> tuple[JudgedClaim, ...]:
    """What is decided of an article and stands in it still; each claim once."""
    votes: Counter[tuple[object, ...]] = Counter()
    claims: dict[tuple[object, ...], Thumbed] = {}
    for one in text.thumbed:
        key = _identity(one)
        votes[key] += one.good - one.bad
        claims[key] = one
    made = []
    for key, one in claims.items():
        if not votes[key]:
            left_out[LeftOut.UNDECIDED] += 1
        elif quotes := _standing(text, one):
            claim = Claim(text=one.claim.text, quotes=quotes, fields=one.claim.fields)
            made.append(JudgedClaim(task=one.task, claim=claim, is_right=votes[key] > 0))
        else:
            left_out[LeftOut.REVISED] += 1
    return tuple(made)


def _identity(one: Thumbed) -> tuple[object, ...]:
    words = "" if one.task in _BY_FIELDS else one.claim.text.casefold()
    return one.task, words, _folded(one.claim)


def _folded(claim: Claim) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value.casefold()) for name, value in claim.fields.items()))


def _standing(text: ThumbedText, one: Thumbed) -> tuple[Quote, ...]:
    """The quotations of a claim where they stand in the article now."""
    if one.task is TaskName.TITLE:
        proof = evidence(text.title, shown(text.title).traced)
        found = [proof.find_whole(quote.text) for quote in one.claim.quotes]
    else:
        proof = evidence(text.text, shown(text.text).traced)
        found = [proof.find(quote.text) for quote in one.claim.quotes]
    return tuple(quote for quote in found if quote is not None)


def _near(task: TaskName, claim: Claim, others: Iterable[Claim]) -> dict[int, float]:
    """How alike a claim is to those others that are about the same, by their numbers."""
    alike = {number: _likeness(task, claim, other) for number, other in enumerate(others)}
    return {number: share for number, share in alike.items() if share is not None}


def _likeness(task: TaskName, one: Claim, other: Claim) -> float | None:
    """How alike two claims are in their words, None where they are about different things."""
    if task in _BY_FIELDS:
        return 1.0 if _folded(one) == _folded(other) else None
    if not any(a.start < b.end and b.start < a.end for a in one.quotes for b in other.quotes):
        return None
    words, others = set(telling_words(one.text)), set(telling_words(other.text))
    return len(words & others) / len(words | others) if words | others else 0.0


def _is_found(task: TaskName, alike: float) -> bool:
    """Whether a claim makes another again: who quotes the same fact may word it as they like.

    Of translations all quote the same title.
    """
    return task is not TaskName.TITLE or alike >= _ALIKE
