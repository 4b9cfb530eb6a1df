"""What the doors show of the things that articles name, as frozen values."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.views import ArticleSummary, SourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamVerdict:
    """What the team decided of a value, a domain with all below it, or a value in one source.

    `undone_at` is None for what holds.
    """

    id: int
    scope: str
    kind: str
    value: str
    verdict: str
    reason: str
    actor: str
    made_at: datetime
    source: SourceRef | None = None
    undone_at: datetime | None = None
    undone_by: str | None = None

    @property
    def decided(self) -> dict[str, object]:
        """What was decided, as the audit log keeps it."""
        return {
            "scope": self.scope,
            "kind": self.kind,
            "value": self.value,
            "verdict": self.verdict,
            "source": self.source.key if self.source else None,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySummary:
    """A thing as lists show it.

    `verdict` is the team's where it has one, else the gravest of its mentions; None for names.
    `freshness` (0 to 1) halves with time since `last_seen`, for some kinds sooner than for others.
    """

    id: int
    kind: str
    value: str
    name: str
    verdict: str | None
    team: str | None
    articles: int
    sources: int
    first_seen: datetime | None
    last_seen: datetime | None
    freshness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityPage:
    """A page of things, the newest known first; `next` is the cursor of what follows."""

    entities: tuple[EntitySummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityInSource:
    """When a source named a thing, first and last, and in how many articles."""

    source: SourceRef
    articles: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityDetail:
    """A thing with all that is known of it; `beside` stand in the same recent articles."""

    summary: EntitySummary
    by_source: tuple[EntityInSource, ...]
    beside: tuple[EntitySummary, ...]
    verdicts: tuple[TeamVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of a text: its words, and the sentence around them with the section's heading.

    `start` and `end` count characters of the article's text, `sentence_start` too.
    """

    start: int
    end: int
    words: str
    sentence: str
    sentence_start: int
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionView:
    """A thing as one article names it.

    `count` is how often, `places` the first of them. `verdict` is the team's where it has one;
    `found_verdict` and `reasons` are what the text alone said.
    """

    entity: EntitySummary
    count: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    verdict: str | None
    found_verdict: str | None
    reasons: tuple[str, ...]
    alias: str
    rule: str
    extractor: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySighting:
    """An article that names a thing, with the first sentence that does."""

    article: ArticleSummary
    count: int
    verdict: str | None
    reasons: tuple[str, ...]
    alias: str
    rule: str
    excerpt: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingPage:
    """A page of articles that name a thing, newest first."""

    sightings: tuple[EntitySighting, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An article that names the same rare things as another."""

    article: ArticleSummary
    shared: tuple[EntitySummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarArticle:
    """An article that has to do with another: the rare things and words that both have.

    `closeness` is how near both are in meaning, from 0 to 1; None where that is not known or far.
    """

    article: ArticleSummary
    things: tuple[EntitySummary, ...]
    words: tuple[str, ...]
    closeness: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is known of one asked value: `state` is known, benign or unknown."""

    kind: str
    value: str
    state: str
    entity: EntitySummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """What is known of one thing that was asked for, and what of the question named it."""

    given: str
    kind: str
    value: str
    state: str
    entity: EntitySummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupReport:
    """What is known of many things, in the order of the question, each of them once."""

    answers: tuple[LookedUp, ...]
    known: int
    benign: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A thing as one article names it, with the first of its places and what stands around."""

    mention: MentionView
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentRecord:
    """When an article was looked through last, and by what.

    `added` and `removed` are what a new revision or a second look changed, without what is known
    no more; their counts are of all. `failure` is why it could not be looked through.
    """

    revision: int
    made_at: datetime
    versions: dict[str, str]
    notes: tuple[str, ...]
    failure: str
    added: tuple[EntitySummary, ...]
    added_count: int
    removed: tuple[EntitySummary, ...]
    removed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleEvidence:
    """All that an article names, in the order of its text; no `record` before it was looked at."""

    article: int
    revision: int
    record: EnrichmentRecord | None
    entities: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEnrichment:
    """An article that could not be looked through, and why."""

    article: int
    title: str
    source: SourceRef
    revision: int
    failure: str
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPage:
    """A page of articles that could not be looked through, the latest failures first."""

    failures: tuple[FailedEnrichment, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictPage:
    """A page of decisions, the latest first."""

    verdicts: tuple[TeamVerdict, ...]
    next: str | None
