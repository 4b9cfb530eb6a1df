"""Types of entities; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import Struct

from ctiscraper.client.shared_types import ArticleSummary, EntitySummary, SourceRef, TeamVerdict


class EnrichmentRecord(Struct, frozen=True, kw_only=True):
    """When an article was looked through last, and by what.

    `added` and `removed` are what a new revision or a second look changed, without what is
    known no more; their counts are of all. `failure` is why it could not be looked through.
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


class MentionView(Struct, frozen=True, kw_only=True):
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


class Place(Struct, frozen=True, kw_only=True):
    """One place of a text: its words, and the sentence around them with the section's heading.

    `start` and `end` count characters of the article's text, `sentence_start` too.
    """

    start: int
    end: int
    words: str
    sentence: str
    sentence_start: int
    section: str


class Evidence(Struct, frozen=True, kw_only=True):
    """A thing as one article names it, with the first of its places and what stands around."""

    mention: MentionView
    places: tuple[Place, ...]


class ArticleEvidence(Struct, frozen=True, kw_only=True):
    """All that an article names, in the order of its text; no `record` before it was looked at."""

    article: int
    revision: int
    record: EnrichmentRecord | None
    entities: tuple[Evidence, ...]


class EntityInSource(Struct, frozen=True, kw_only=True):
    """When a source named a thing, first and last, and in how many articles."""

    source: SourceRef
    articles: int
    first_seen: datetime
    last_seen: datetime


class EntityDetail(Struct, frozen=True, kw_only=True):
    """A thing with all that is known of it; `beside` stand in the same recent articles."""

    summary: EntitySummary
    by_source: tuple[EntityInSource, ...]
    beside: tuple[EntitySummary, ...]
    verdicts: tuple[TeamVerdict, ...]


class EntityPage(Struct, frozen=True, kw_only=True):
    """A page of things, the newest known first; `next` is the cursor of what follows."""

    entities: tuple[EntitySummary, ...]
    next: str | None


class EntitySighting(Struct, frozen=True, kw_only=True):
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


class LookedUp(Struct, frozen=True, kw_only=True):
    """What is known of one thing that was asked for, and what of the question named it."""

    given: str
    kind: str
    value: str
    state: str
    entity: EntitySummary | None


class LookupReport(Struct, frozen=True, kw_only=True):
    """What is known of many things, in the order of the question, each of them once."""

    answers: tuple[LookedUp, ...]
    known: int
    benign: int
    unknown: int


class Neighbour(Struct, frozen=True, kw_only=True):
    """An article that names the same rare things as another."""

    article: ArticleSummary
    shared: tuple[EntitySummary, ...]


class SightingPage(Struct, frozen=True, kw_only=True):
    """A page of articles that name a thing, newest first."""

    sightings: tuple[EntitySighting, ...]
    next: str | None


class SimilarArticle(Struct, frozen=True, kw_only=True):
    """An article that has to do with another: the rare things and words that both have.

    `closeness` is how near both are in meaning, from 0 to 1; None where that is not known or
    far.
    """

    article: ArticleSummary
    things: tuple[EntitySummary, ...]
    words: tuple[str, ...]
    closeness: float | None = None
