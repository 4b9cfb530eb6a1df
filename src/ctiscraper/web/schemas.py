"""What callers may ask and send: every parameter and field by name, nothing else."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from ctiscraper.asking import asked
from ctiscraper.db.meaning import Mode
from ctiscraper.db.searched import Shown
from ctiscraper.intelligence import Extractor
from ctiscraper.query.parse import LONGEST
from ctiscraper.types import Extraction, Tier
from ctiscraper.views import ArticleQuery, ChangeRow
from ctiscraper.web.tables import FormParameters
from ctiscraper.weighing import DEFAULT_WATCH_WEIGHT, LEAST_WEIGHT, LONGEST_NOTE, WatchKind

Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["example-research"])]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", examples=["en"])]
Cursor = Annotated[str, Field(max_length=64, description="`next` of the page before")]
Limit = Annotated[int, Field(ge=1, le=200, description="how many at most")]
State = Literal["dead", "failed", "filtered", "duplicate"]
Action = Literal["retry", "discard", "release"]
ReasonName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
Order = Literal["newest", "relevance", "score"]
PageOrder = Literal["newest", "relevance", "score", "meaning", "both"]
Typed = Annotated[str, Field(min_length=1, max_length=4 * LONGEST, pattern=r"^[^\x00-\x1f\x7f]+$")]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, examples=[0.5])]
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ACTIONS: dict[str, Action] = {"retry": "retry", "discard": "discard", "release": "release"}


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


def _whole(value: object) -> object:
    """A number in an address is one of a few choices."""
    return int(value) if isinstance(value, str) and value in {"1", "7", "30"} else value


Days = Annotated[Literal[1, 7, 30], BeforeValidator(_whole)]


Moment = Annotated[datetime, AfterValidator(_aware), Field(examples=["2026-11-01T00:00:00Z"])]


class NoParameters(BaseModel):
    """For routes that take no parameter: any is refused."""

    model_config = ConfigDict(extra="forbid")


class ArticleFilters(BaseModel):
    """What a list of articles is narrowed to."""

    model_config = ConfigDict(extra="forbid")

    source: Key | None = Field(None, description="one source, near-duplicates shown")
    tier: Tier | None = None
    language: Language | None = None
    method: Extraction | None = Field(None, description="how the text was found")
    tag: Line | None = None
    since: Moment | None = Field(None, description="listed at this time or later")
    until: Moment | None = Field(None, description="listed before this time")
    q: Typed | None = Field(
        None,
        description='words, "phrases", AND OR NOT, -without, (groups), prefix* and fields such as '
        "actor: attack: cve: ioc: source: tier: score> after:; defanged addresses are understood",
        examples=['ransomware "lateral movement" -advert actor:"Lazarus Group" after:30d'],
    )
    watch: RowId | None = Field(None, description="having this entry of the watchlist")
    min_score: Score | None = Field(None, description="scored at least so high")
    order: Order = Field(
        "newest",
        description="the newest first, the most relevant of the newest 1,000 matches of `q`, "
        "or the best of `days`",
    )
    days: Days = Field(7, description="of how many days the best are listed, today included")

    entity: RowId | None = Field(None, description="names the thing of this number")

    def query(self) -> ArticleQuery:
        """Return the filters as the database takes them."""
        return ArticleQuery(
            source=self.source,
            tier=self.tier,
            language=self.language,
            method=self.method,
            tag=self.tag,
            since=self.since,
            until=self.until,
            q=asked(self.q),
            ranked=self.order == "relevance",
            entity=self.entity,
            watch=self.watch,
            min_score=self.min_score,
            days=self.days if self.order == "score" else None,
        )


class ArticleParameters(ArticleFilters, FormParameters):
    """The parameters of the list of articles."""

    cursor: Cursor | None = None
    limit: Limit = 50
    mode: Literal["words", "meaning", "both"] = Field(
        "words",
        description="what `q` goes by: its words, its meaning (at most 200 articles, nearest "
        "first), or both ranks fused; its fields narrow either way",
    )
    facets: bool = Field(
        default=False, description="with what the newest 1,000 matches have in common; not by score"
    )

    def shown(self) -> Shown:
        """Return what a page has beside its articles."""
        return Shown(facets=self.facets, snippets=self.q is not None)


MatrixName = Literal["enterprise-attack", "mobile-attack", "ics-attack"]


class LayerParameters(ArticleFilters):
    """Of which articles techniques are counted, and which matrix the layer is of."""

    matrix: Annotated[MatrixName, Field(description="the domain of ATT&CK")] = "enterprise-attack"


_Open = BeforeValidator(_none)


def _on_a_line(value: str) -> str:
    """A search as it was pasted, with its lines as one."""
    return " ".join(_CONTROL.sub(" ", value).split())


# Of any length and with anything in it: what is wrong with it is shown under its box.
Asked = Annotated[str, AfterValidator(_on_a_line)]


class PageFilters(BaseModel):
    """The filter bar of the article list; what it does not know is left aside."""

    model_config = ConfigDict(extra="ignore")

    source: Annotated[Key | None, _Open] = None
    tier: Annotated[Tier | None, _Open] = None
    language: Annotated[Language | None, _Open] = None
    method: Annotated[Extraction | None, _Open] = None
    tag: Annotated[Line | None, _Open] = None
    since: Annotated[date | None, _Open] = None
    until: Annotated[date | None, _Open] = None
    q: Annotated[Asked | None, _Open] = None
    watch: Annotated[RowId | None, _Open] = None
    min_score: Annotated[int | None, _Open, Field(ge=0, le=100)] = None
    order: Annotated[PageOrder | None, _Open] = None
    days: Annotated[Days | None, _Open] = None
    cursor: Annotated[Cursor | None, _Open] = None

    @property
    def mode(self) -> Mode:
        """Return what the search goes by; without words there is nothing to mean."""
        if self.q and self.order in {"meaning", "both"}:
            return Mode(self.order)
        return Mode.WORDS

    @property
    def by_score(self) -> int | None:
        """Return of how many days the best are listed, None for the newest."""
        return (self.days or 7) if self.order == "score" else None

    def query(self) -> ArticleQuery:
        """Return the filters as the database takes them; `until` includes its day."""
        last = None if self.until in {None, date.max} else self.until
        return ArticleQuery(
            source=self.source,
            tier=self.tier,
            language=self.language,
            method=self.method,
            tag=self.tag,
            since=_midnight(self.since) if self.since else None,
            until=_midnight(last + timedelta(days=1)) if last else None,
            q=asked(self.q),
            ranked=self.order == "relevance",
            watch=self.watch,
            min_score=None if self.min_score is None else self.min_score / 100,
            days=self.by_score,
        )

    def chosen(self) -> dict[str, object]:
        """Return the filters that are set, for addresses of further pages."""
        return self.model_dump(mode="json", exclude={"cursor"}, exclude_none=True)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


class RevisionParameters(BaseModel):
    """Which two revisions are compared; by default the last change."""

    model_config = ConfigDict(extra="forbid")

    before: int | None = Field(None, ge=1, le=2**31 - 1)
    after: int | None = Field(None, ge=1, le=2**31 - 1)


class QueueParameters(BaseModel):
    """Which ended items are listed."""

    model_config = ConfigDict(extra="forbid")

    state: State = "dead"
    source: Key | None = None
    reason: ReasonName | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class ReasonParameters(BaseModel):
    """Of which ended items the causes are counted."""

    model_config = ConfigDict(extra="forbid")

    state: State = "dead"


class QueuePageFilters(BaseModel):
    """The choices on the accounting page."""

    model_config = ConfigDict(extra="ignore")

    state: Annotated[State | None, _Open] = None
    source: Annotated[Key | None, _Open] = None
    reason: Annotated[ReasonName | None, _Open] = None
    cursor: Annotated[Cursor | None, _Open] = None
    action: Annotated[Action | None, _Open] = None
    count: Annotated[int | None, _Open, Field(ge=0, le=10_000_000)] = None


class OperationsPageFilters(BaseModel):
    """How often the operations page loads itself anew, in seconds; by default never."""

    model_config = ConfigDict(extra="ignore")

    every: Annotated[int | None, _Open, Field(ge=2, le=3600)] = None


class ItemsForm(BaseModel):
    """Which items a form acts on: the ticked ones by `action`, or `one` by its own button."""

    model_config = ConfigDict(extra="forbid")

    state: State
    source: Key | None = None
    reason: ReasonName | None = None
    action: Action | None = None
    ids: Annotated[list[RowId], Field(max_length=200)] = []
    one: Annotated[str, Field(pattern=r"^(retry|discard|release) [1-9][0-9]{0,17}$")] | None = None

    def wish(self) -> tuple[Action | None, list[int]]:
        """Return what to do with which items; no action when none was chosen."""
        if self.one is not None:
            action, number = self.one.split(" ")
            return _ACTIONS[action], [int(number)]
        return (self.action, self.ids) if self.action and self.ids else (None, [])


_ACTIONS_OF: dict[str, frozenset[str]] = {
    "dead": frozenset({"retry", "discard"}),
    "failed": frozenset({"retry", "discard"}),
    "filtered": frozenset({"release"}),
}


class AllItems(BaseModel):
    """Which ended items are acted on, and what is done with them."""

    model_config = ConfigDict(extra="forbid")

    state: State
    action: Action
    source: Annotated[Key | None, _Open] = None
    reason: Annotated[ReasonName | None, _Open] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.action not in _ACTIONS_OF.get(self.state, frozenset()):
            raise ValueError(f"what is {self.state} is not for {self.action}")
        return self


class ReasonGiven(BaseModel):
    """Why something is done, for the record."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class SourceProposal(BaseModel):
    """A site, blog or feed, with whatever settings are known of it."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=4096, examples=["https://research.example/blog"])]
    settings: Annotated[
        dict[str, object],
        Field(
            max_length=40,
            description="as in the catalogue of sources",
            examples=[{"tier": "premium", "interval_minutes": 60}],
        ),
    ] = {}


class SourceIn(SourceProposal, ReasonGiven):
    """A new source."""

    model_config = ConfigDict(extra="forbid")


class SourceChange(ReasonGiven):
    """The settings that change."""

    settings: Annotated[
        dict[str, object],
        Field(max_length=40, examples=[{"active": False, "interval_minutes": None}]),
    ]


class ImportParameters(BaseModel):
    """How a file is taken; `name` stands in its problems."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False
    name: Line = "import"


class ItemNumbers(BaseModel):
    """Which items are meant."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[RowId], Field(min_length=1, max_length=1000, examples=[[17, 18]])]


class ReprocessIn(BaseModel):
    """Which articles are read again: of a source, by number, or both.

    With `only` they are looked through again by these extractors, all of them without more.
    """

    model_config = ConfigDict(extra="forbid")

    source: Key | None = None
    articles: Annotated[list[RowId], Field(min_length=1, max_length=1000)] | None = None
    only: Annotated[list[Extractor], Field(min_length=1, max_length=10)] | None = None
    since: Moment | None = Field(None, description="with `only`: listed at this time or later")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.only is not None:
            return self
        if self.since is not None:
            raise ValueError("since goes with only: pages are read again by source or article")
        if self.source is None and self.articles is None:
            raise ValueError("name a source or articles")
        return self


class WatchEntryIn(BaseModel):
    """A new entry of the watchlist."""

    model_config = ConfigDict(extra="forbid")

    kind: WatchKind = WatchKind.KEYWORD
    term: Annotated[str, Field(min_length=1, max_length=400, examples=["Example Firewall"])]
    weight: Annotated[
        float,
        Field(ge=LEAST_WEIGHT, le=1, description="what one match alone makes of relevance"),
    ] = DEFAULT_WATCH_WEIGHT
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""


class WatchForm(WatchEntryIn):
    """The form that adds an entry."""


class WatchFileForm(BaseModel):
    """The form that adds many entries, a term a line or a table."""

    model_config = ConfigDict(extra="forbid")

    lines: Annotated[str, Field(min_length=1, max_length=200_000)]


class WatchPageFilters(BaseModel):
    """What was done on the watchlist page before it is shown again."""

    model_config = ConfigDict(extra="ignore")

    added: Annotated[int | None, _Open, Field(ge=0)] = None
    known: Annotated[int | None, _Open, Field(ge=0)] = None
    removed: Annotated[int | None, _Open, Field(ge=0)] = None


class Counted(BaseModel):
    """How many were changed."""

    count: int


class HealthOut(BaseModel):
    """How the program is; `degraded` names the parts that are not as they should be."""

    status: Literal["ok", "degraded", "unavailable"]
    degraded: list[Literal["redis", "storage", "clock", "database", "migrations"]] | None = None


class FieldProblem(BaseModel):
    """One thing that is wrong with what was sent."""

    field: str | None = None
    message: str


class Problem(BaseModel):
    """An error (RFC 9457); `request_id` finds it in the log."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldProblem] | None = None
    position: Annotated[int | None, Field(description="where a search is wrong")] = None
    length: Annotated[int | None, Field(description="of so many characters")] = None
    changes: Annotated[
        list[ChangeRow] | None, Field(description="what somebody else changed meanwhile")
    ] = None
