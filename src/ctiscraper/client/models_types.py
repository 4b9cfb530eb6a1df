"""Types of models; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

TaskName: TypeAlias = Literal[
    "summary", "key_points", "relations", "techniques", "detections", "relevance", "title"
]
"""What a model can be asked of an article."""


class AnalysisAsked(Struct, frozen=True, kw_only=True):
    """What a model is to do; without a model it is the one that is configured."""

    tasks: tuple[TaskName, ...]
    model: str | UnsetType = UNSET
    again: bool | UnsetType = UNSET


AnalysisState: TypeAlias = Literal["pending", "running", "done", "failed", "cancelled"]
"""Where an analysis stands."""


class QuoteView(Struct, frozen=True, kw_only=True):
    """Words of the article that prove a claim, and the characters of its text at which they are."""

    text: str
    start: int
    end: int


class ClaimView(Struct, frozen=True, kw_only=True):
    """One thing that a model said: `good` and `bad` count what people think of it.

    `mine` is what the reader thinks; None says nothing.
    """

    number: int
    text: str
    quotes: tuple[QuoteView, ...]
    fields: dict[str, str]
    good: int = 0
    bad: int = 0
    mine: bool | None = None


ModelFault: TypeAlias = Literal[
    "off",
    "away",
    "busy",
    "timeout",
    "refused",
    "model_missing",
    "out_of_memory",
    "too_long",
    "cut_off",
    "bad_answer",
    "wrong_language",
    "over_budget",
    "tlp",
    "lost",
]
"""Why a language model gave no answer that can be used: stored beside what was asked."""


Waits: TypeAlias = Literal["server", "source_budget", "day_budget", "later"]
"""What an analysis waits for that is not its turn."""


class AnalysisView(Struct, frozen=True, kw_only=True):
    """What one model made of one text by one task.

    `current` tells whether the article still has that text. `said` counts the characters that a
    running model has answered. `unread` are characters that no model was shown for want of
    room, `hidden` those that no reader sees; `why` counts dropped claims by reason. `again_at`
    is when it is asked next, `raw` what it answered where that could not be used. `copied_from`
    is the analysis of the same words that this one repeats.
    """

    id: int
    article_id: int
    revision: int
    current: bool
    task: str
    model: str
    prompt_version: str
    state: AnalysisState
    asked_by: str
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    again_at: datetime | None = None
    waits: Waits | None = None
    fault: ModelFault | None = None
    detail: str = ""
    advice: str = ""
    attempts: int = 0
    said: int = 0
    claims: tuple[ClaimView, ...] = ()
    dropped: int = 0
    hidden: int = 0
    unread: int = 0
    parts: int = 0
    why: dict[str, int]
    repaired: bool = False
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    copied_from: int | None = None
    raw: str = ""


class AnalysisRow(Struct, frozen=True, kw_only=True):
    """An analysis in a list, with the article that it is of."""

    analysis: AnalysisView
    title: str
    source_key: str
    source_name: str


class AnalysisPage(Struct, frozen=True, kw_only=True):
    """A page of analyses, the latest asked first."""

    analyses: tuple[AnalysisRow, ...]
    next: str | None


class ArticleAnalyses(Struct, frozen=True, kw_only=True):
    """What models said of an article; `tasks` and `models` are what may be asked for.

    With `configured` false there is no model here, and nothing can be asked.
    """

    configured: bool
    model: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    analyses: tuple[AnalysisView, ...]


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
