"""Types of questions; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import ArticleSummary, Tier, Tlp

AnswerState: TypeAlias = Literal["answered", "refused", "passages", "failed"]
"""What became of a question."""


class CitedSentence(Struct, frozen=True, kw_only=True):
    """A sentence with the number of its passage, counted from 1, and where the quotation stands."""

    text: str
    passage: int
    quote: str
    start: int
    end: int


class Stretch(Struct, frozen=True, kw_only=True):
    """Characters of a passage from `start` to before `end`."""

    start: int
    end: int


class RetrievedPassage(Struct, frozen=True, kw_only=True):
    """A passage and the article that it is of; `start` and `end` are its place in the text.

    `closeness` is the cosine, None where there is no vector of it. `share` is which part of the
    question's words stand in it or in its title. `tlp` is the strictest marking that the
    article carries or its source has. `undrawn` is what no browser would have drawn of its
    text, and `orders` what speaks to a model in it, by all that stands around it in the
    article.
    """

    article: ArticleSummary
    start: int
    end: int
    text: str
    closeness: float | None
    share: float
    tlp: Tlp | None
    undrawn: tuple[Stretch, ...] = ()
    orders: tuple[Stretch, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """What the collection says to a question.

    Every sentence cites one of `passages`; `dropped` were said by the model and borne out by
    none. `withheld` passages may not leave this network, so that the model was not shown them.
    `hidden` characters of the others are seen by no reader: they were not shown either. `fault`
    says why there is no answer by a model, where one was asked, or why it broke off; `unmeant`
    why passages were found by the words of the question alone, where they should be by its
    meaning too.
    """

    question: str
    state: AnswerState
    passages: tuple[RetrievedPassage, ...]
    sentences: tuple[CitedSentence, ...] = ()
    dropped: int = 0
    withheld: int = 0
    hidden: int = 0
    model: str = ""
    prompt: str = ""
    fault: str = ""
    unmeant: str = ""
    seconds: float = 0.0


class QuestionAsked(Struct, frozen=True, kw_only=True):
    """A question, and which articles may answer it."""

    question: str
    source: str | UnsetType | None = UNSET
    tier: Tier | UnsetType | None = UNSET
    since: datetime | UnsetType | None = UNSET
    until: datetime | UnsetType | None = UNSET
    passages_only: bool | UnsetType = UNSET
