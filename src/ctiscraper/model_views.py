"""What language models said of articles, and what waits for them: read models, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from ctiscraper.errors import ModelFault


class AnalysisState(StrEnum):
    """Where an analysis stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Waits(StrEnum):
    """What an analysis waits for that is not its turn."""

    SERVER = "server"
    SOURCE_BUDGET = "source_budget"
    DAY_BUDGET = "day_budget"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteView:
    """Words of the article that prove a claim, and the characters of its text at which they are."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """One thing that a model said: `good` and `bad` count what people think of it.

    `mine` is what the reader thinks; None says nothing.
    """

    number: int
    text: str
    quotes: tuple[QuoteView, ...]
    fields: Mapping[str, str]
    good: int = 0
    bad: int = 0
    mine: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisView:
    """What one model made of one text by one task.

    `current` tells whether the article still has that text. `said` counts the characters that a
    running model has answered. `unread` are characters that no model was shown for want of room,
    `hidden` those that no reader sees; `why` counts dropped claims by reason, `failed_parts` the
    parts that got no usable answer by fault, where `parts` others did. `again_at` is when it is
    asked next, `raw` what it answered where that could not be used. `copied_from` is the analysis
    of the same words that this one repeats.
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
    why: Mapping[str, int]
    failed_parts: Mapping[str, int]
    repaired: bool = False
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    copied_from: int | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRow:
    """An analysis in a list, with the article that it is of."""

    analysis: AnalysisView
    title: str
    source_key: str
    source_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPage:
    """A page of analyses, the newest first; one that is asked anew keeps its place."""

    analyses: tuple[AnalysisRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleAnalyses:
    """What models said of an article; `tasks` and `models` are what may be asked for.

    Those of them that are `remote` are on another network, where a text goes if its marking allows
    it, and for relevance what is watched. With `configured` false there is no model here, and
    nothing can be asked.
    """

    configured: bool
    model: str
    models: tuple[str, ...]
    remote: tuple[str, ...]
    tasks: tuple[str, ...]
    analyses: tuple[AnalysisView, ...]

    @property
    def busy(self) -> bool:
        """Whether any of them is still to come."""
        open_states = {AnalysisState.PENDING, AnalysisState.RUNNING}
        return any(one.state in open_states for one in self.analyses)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTask:
    """What two models made of an article by one task; None where one was not asked."""

    task: str
    left: AnalysisView | None
    right: AnalysisView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two models side by side on one article."""

    article_id: int
    left: str
    right: str
    models: tuple[str, ...]
    tasks: tuple[ComparedTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentDay:
    """What was spent on a day; `estimated` tokens are of answers that nobody saw end."""

    day: date
    calls: int
    prompt_tokens: int
    answer_tokens: int
    estimated: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentSource:
    """What a source cost today, and whether its budget is spent."""

    key: str
    name: str
    tokens: int
    cost: float
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBudgets:
    """Tokens that one article, one source a day, and all a day may cost; 0 is without limit."""

    article: int = 0
    source: int = 0
    day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCounts:
    """How many analyses stand where; `faults` are of those that failed."""

    pending: int
    running: int
    done: int
    failed: int
    cancelled: int
    oldest_seconds: float
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationView:
    """How a model did on the sets that come along."""

    id: int
    made_at: datetime
    model: str
    actor: str
    result: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
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
