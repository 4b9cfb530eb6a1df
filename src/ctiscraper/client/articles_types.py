"""Types of articles; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from ctiscraper.client.shared_types import ArticleSummary, ScoredPart, SearchNote, SourceRef


class DuplicateRef(Struct, frozen=True, kw_only=True):
    """A near-duplicate; `similarity` (0 to 1) is to the article that folds it."""

    id: int
    title: str
    source: SourceRef
    listed_at: datetime
    similarity: float | None


class RevisionRef(Struct, frozen=True, kw_only=True):
    """One text that an article had; `replaced_at` is None for the current one.

    `cause` says why it was replaced: "edited" by its publisher, or "reprocessed" here.
    """

    number: int
    title: str
    stored_at: datetime
    replaced_at: datetime | None
    cause: str | None


class SightingRef(Struct, frozen=True, kw_only=True):
    """One announcement of an article by a source."""

    source: SourceRef
    url: str
    seen_at: datetime
    first: bool


class SnapshotRef(Struct, frozen=True, kw_only=True):
    """The answer that an article was read from; `sha256` (hex) names the kept bytes."""

    url: str
    status: int
    content_type: str
    bytes: int
    sha256: str
    fetched_at: datetime


class ArticleDetail(Struct, frozen=True, kw_only=True):
    """An article in full, with where it comes from."""

    id: int
    title: str
    url: str
    canonical_url: str
    source: SourceRef
    tier: str
    tlp: str
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    language: str | None
    summary: str
    text: str
    html: str
    published_at: datetime | None
    published_raw: str
    published_from: str | None
    modified_at: datetime | None
    collected_at: datetime
    updated_at: datetime | None
    listed_at: datetime
    word_count: int
    reading_minutes: int
    method: str
    notes: tuple[str, ...]
    revision: int
    text_sha256: str
    duplicate_of: DuplicateRef | None
    duplicates: tuple[DuplicateRef, ...]
    revisions: tuple[RevisionRef, ...]
    sightings: tuple[SightingRef, ...]
    snapshot: SnapshotRef | None
    score: float | None = None
    parts: tuple[ScoredPart, ...] = ()


class FacetValue(Struct, frozen=True, kw_only=True):
    """How many of the matches have a value; `term` narrows a search to it."""

    value: str
    label: str
    term: str
    articles: int


class Facets(Struct, frozen=True, kw_only=True):
    """What the matches have in common, each side with its most frequent values.

    They are of the newest `counted` matches; `capped` says that there are more.
    """

    counted: int
    capped: bool
    source: tuple[FacetValue, ...]
    tier: tuple[FacetValue, ...]
    actor: tuple[FacetValue, ...]
    malware: tuple[FacetValue, ...]
    technique: tuple[FacetValue, ...]


class Suggestion(Struct, frozen=True, kw_only=True):
    """A search with a word spelt as a known name is: `meant` in the place of `word`."""

    word: str
    meant: str
    search: str


class ArticlePage(Struct, frozen=True, kw_only=True):
    """A page of articles, newest or best first.

    `next` is the cursor of the page that follows, None at the end. `found` counts what a search
    or tag matched, at most `FOUND_MOST`; None where nothing was counted. `searched_to` says how
    far back a search came that ran out of time: `next` goes on from there.
    """

    articles: tuple[ArticleSummary, ...]
    next: str | None
    found: int | None = None
    searched_to: datetime | None = None
    notes: tuple[SearchNote, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    facets: Facets | None = None


class Span(Struct, frozen=True, kw_only=True):
    """A run of words; `changed` when the other side does not have it."""

    text: str
    changed: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """One line of a comparison; a gap stands for `skipped` equal lines."""

    kind: Literal["same", "added", "removed", "gap"]
    spans: tuple[Span, ...] = ()
    skipped: int = 0


class Changes(Struct, frozen=True, kw_only=True):
    """Two texts compared: `cut` when only their start was, `coarse` when not in full."""

    lines: tuple[Line, ...]
    added: int
    removed: int
    cut: bool = False
    coarse: bool = False


class RevisionText(Struct, frozen=True, kw_only=True):
    """The words of one revision."""

    number: int
    title: str
    text: str
    stored_at: datetime
