"""What the doors show: read models of articles, sources and the queue, as frozen values."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.query.tree import Question
from ctiscraper.types import Accounting, Health, SourceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleQuery:
    """What a list of articles is narrowed to; None leaves that side open.

    With `source` the list shows near-duplicates too, without it they are folded.
    `q` is what was searched for; `ranked` puts the most relevant of the newest matches first.
    `since` and `until` bound the time an article is listed under; `entity` is named in it, `watch`
    is the number of an entry of the watchlist that it has. With `days` the list is that of
    the best scores of so many days, today included, and no longer that of the newest.
    `reader` is the user whose read and starred articles a search means.
    """

    source: str | None = None
    tier: str | None = None
    language: str | None = None
    method: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: Question | None = None
    ranked: bool = False
    entity: int | None = None
    watch: int | None = None
    min_score: float | None = None
    days: int | None = None
    reader: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPart:
    """One part of a score: its value from 0 to 1, its weight, and the words that gave it.

    `places[n]` is where `evidence[n]` stands in the text, (0, 0) for what stands nowhere there.
    """

    name: str
    value: float
    weight: float
    evidence: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Whose an article is."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of a text that a search matched; `marks` are where the matched words stand in it."""

    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNote:
    """What of a search found nothing to look for, and where it stands in what was typed."""

    message: str
    position: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A search with a word spelt as a known name is: `meant` in the place of `word`."""

    word: str
    meant: str
    search: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """How many of the matches have a value; `term` narrows a search to it."""

    value: str
    label: str
    term: str
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleSummary:
    """An article as a list shows it.

    `listed_at` is what lists are ordered by: the time of publication, or of collection where
    that is unknown. `folded` counts its near-duplicates, `folded_sources` names whose they are.
    `score` is from 0 to 1, None before it is made; its `parts` have their first evidence here.
    """

    id: int
    title: str
    url: str
    source: SourceRef
    tier: str
    summary: str
    language: str | None
    published_at: datetime | None
    collected_at: datetime
    listed_at: datetime
    reading_minutes: int
    word_count: int
    tags: tuple[str, ...]
    method: str
    revision: int
    duplicate_of: int | None
    folded: int
    folded_sources: tuple[SourceRef, ...]
    score: float | None = None
    parts: tuple[ScoredPart, ...] = ()
    snippet: Snippet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticlePage:
    """A page of articles, newest or best first.

    `next` is the cursor of the page that follows, None at the end. `found` counts what a
    search or tag matched, at most `FOUND_MOST`; None where nothing was counted. `searched_to`
    says how far back a search came that ran out of time: `next` goes on from there.
    """

    articles: tuple[ArticleSummary, ...]
    next: str | None
    found: int | None = None
    searched_to: datetime | None = None
    notes: tuple[SearchNote, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    facets: Facets | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """A search that somebody keeps, as one of those who see it has it.

    `own` is false for one that `owner` shares with the team; `feed` says whether this reader has
    an address to follow it by. `new` counts what came since he looked, None where that was not
    counted, `more` says that there is at least so much; `mistake` tells why it finds nothing any
    more, `notes` what of it stands for nothing.
    """

    id: int
    uid: str
    name: str
    query: str
    sort: str
    shared: bool
    own: bool
    owner: str
    made_at: datetime
    changed_at: datetime
    seen_at: datetime | None
    feed: bool
    new: int | None = None
    more: bool = False
    mistake: str = ""
    notes: tuple[SearchNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRef:
    """One text that an article had; `replaced_at` is None for the current one.

    `cause` says why it was replaced: "edited" by its publisher, or "reprocessed" here.
    """

    number: int
    title: str
    stored_at: datetime
    replaced_at: datetime | None
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionText:
    """The words of one revision."""

    number: int
    title: str
    text: str
    stored_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingRef:
    """One announcement of an article by a source."""

    source: SourceRef
    url: str
    seen_at: datetime
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRef:
    """A near-duplicate; `similarity` (0 to 1) is to the article that folds it."""

    id: int
    title: str
    source: SourceRef
    listed_at: datetime
    similarity: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRef:
    """The answer that an article was read from; `sha256` (hex) names the kept bytes."""

    url: str
    status: int
    content_type: str
    bytes: int
    sha256: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleDetail:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEntry:
    """An entry of the watchlist, and how many articles of the last 30 days have it.

    It is `settled` once it was held against every article. `entity_id` is what it names, where
    articles named that before.
    """

    id: int
    kind: str
    term: str
    weight: float
    note: str
    actor: str
    made_at: datetime
    entity_id: int | None
    settled: bool
    recent_articles: int

    @property
    def watched(self) -> dict[str, object]:
        """What is watched for, as the audit log keeps it."""
        return {"kind": self.kind, "term": self.term, "weight": self.weight, "note": self.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchImportRow:
    """What became of a row of a watchlist file: added, known or bad."""

    row: int
    kind: str
    term: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchImport:
    """What became of a watchlist file, row by row; a dry run changes nothing."""

    dry_run: bool
    rows: tuple[WatchImportRow, ...] = ()

    def count(self, outcome: str) -> int:
        """Return how many rows ended so."""
        return sum(row.outcome == outcome for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOverview:
    """A source with where its checks stand.

    `detail` tells more of `reason`, and without one what the last reading mended or passed over;
    `paused_until` is how long its host is left alone after repeated failures.
    """

    key: str
    name: str
    url: str
    feed_url: str | None
    tier: str
    active: bool
    health: Health
    reason: str | None
    detail: str
    failures: int
    items_per_day: float | None
    next_check_at: datetime | None
    last_checked_at: datetime | None
    last_success_at: datetime | None
    paused_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check of a source; `reason` is None when it went well.

    `detail` then tells what had to be mended or passed over.
    """

    id: int
    checked_at: datetime
    status: int | None
    reason: str | None
    detail: str
    announced: int
    discovered: int
    changed: int
    unchanged: bool
    requests: int
    wire_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One setting that was changed, as it was and is written."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One edit of a source: who, what and why; its number is the version it made."""

    id: int
    changed_at: datetime
    actor: str
    action: str
    reason: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsDecision:
    """What a host's robots.txt said when it was last asked; None `status` means no answer."""

    origin: str
    status: int | None
    fetched_at: datetime
    has_rules: bool
    good_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDetail:
    """A source with its settings and past."""

    overview: SourceOverview
    settings: SourceSettings
    moved_to: str | None
    moved_count: int
    removed_at: datetime | None
    checks: tuple[CheckRow, ...]
    changes: tuple[ChangeRow, ...]
    robots: RobotsDecision | None
    accounting: Accounting
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAccounting:
    """The invariant of one source."""

    source: SourceRef
    removed: bool
    accounting: Accounting


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingReport:
    """The invariant in all and for each source."""

    total: Accounting
    sources: tuple[SourceAccounting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """An item that ended without an article, with its cause and a sample of what it said."""

    id: int
    state: str
    url: str
    title: str
    sample: str
    source: SourceRef
    reason: str | None
    detail: str
    attempts: int
    discovered_at: datetime
    finished_at: datetime | None
    has_snapshot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many of the newest ended items share a cause."""

    reason: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """A page of ended items, newest first; `next` is the cursor of the page that follows."""

    items: tuple[QueueItem, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTrouble:
    """How many items wait for our own database or disk, and what it said to one of them."""

    items: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What every page says of the whole: counts of sources, and whether work waits."""

    sources: int
    troubled: int
    offline: int
    dead: int
    pending: bool
    articles: bool
