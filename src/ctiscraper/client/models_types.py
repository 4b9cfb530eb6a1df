"""Types of models; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import AnalysisView, ModelFault

TaskName: TypeAlias = Literal[
    "summary", "key_points", "relations", "techniques", "detections", "relevance", "title"
]
"""What a model can be asked of an article."""


class AnalysisAsked(Struct, frozen=True, kw_only=True):
    """What a model is to do; without a model it is the one that is configured."""

    tasks: tuple[TaskName, ...]
    model: str | UnsetType = UNSET
    again: bool | UnsetType = UNSET


class AnalysisRow(Struct, frozen=True, kw_only=True):
    """An analysis in a list, with the article that it is of."""

    analysis: AnalysisView
    title: str
    source_key: str
    source_name: str


class AnalysisPage(Struct, frozen=True, kw_only=True):
    """A page of analyses, the newest first; one that is asked anew keeps its place."""

    analyses: tuple[AnalysisRow, ...]
    next: str | None


class ComparedTask(Struct, frozen=True, kw_only=True):
    """What two models made of an article by one task; None where one was not asked."""

    task: str
    left: AnalysisView | None
    right: AnalysisView | None


class Compared(Struct, frozen=True, kw_only=True):
    """Two models side by side on one article."""

    article_id: int
    left: str
    right: str
    models: tuple[str, ...]
    tasks: tuple[ComparedTask, ...]


class EvaluationView(Struct, frozen=True, kw_only=True):
    """How a model did on the sets that come along."""

    id: int
    made_at: datetime
    model: str
    actor: str
    result: dict[str, object]


class JudgementIn(Struct, frozen=True, kw_only=True):
    """What somebody thinks of a claim: good, bad, or null to take it back."""

    claim: int
    good: bool | None
    note: str | UnsetType = UNSET
    seen: str | UnsetType = UNSET


class ModelBudgets(Struct, frozen=True, kw_only=True):
    """Tokens that one article, one source a day, and all a day may cost; 0 is without limit."""

    article: int = 0
    source: int = 0
    day: int = 0


class ModelCounts(Struct, frozen=True, kw_only=True):
    """How many analyses stand where; `faults` are of those that failed."""

    pending: int
    running: int
    done: int
    failed: int
    cancelled: int
    oldest_seconds: float
    faults: dict[str, int]


class ServerView(Struct, frozen=True, kw_only=True):
    """A server of models as the worker last found it."""

    name: str
    reachable: bool
    fault: ModelFault | None
    detail: str
    version: str
    models: tuple[str, ...]
    remote: bool
    seen_at: datetime | None
    rest_until: datetime | None


class SpentDay(Struct, frozen=True, kw_only=True):
    """What was spent on a day; `estimated` tokens are of answers that nobody saw end."""

    day: str
    calls: int
    prompt_tokens: int
    answer_tokens: int
    estimated: int
    cost: float


class SpentSource(Struct, frozen=True, kw_only=True):
    """What a source cost today, and whether its budget is spent."""

    key: str
    name: str
    tokens: int
    cost: float
    over: bool


class ModelReport(Struct, frozen=True, kw_only=True):
    """The state of all that has to do with models; `model` is empty where none is configured."""

    configured: bool
    model: str
    tasks: tuple[str, ...]
    budgets: ModelBudgets
    counts: ModelCounts
    server: ServerView | None
    tokens_today: int
    cost_today: float
    days: tuple[SpentDay, ...]
    sources: tuple[SpentSource, ...]
    evaluations: tuple[EvaluationView, ...]
    good: int
    bad: int
