"""The nouns: what every stage takes and gives, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

MAX_ATTEMPTS = 5
"""How often an item is tried before it is a dead letter."""


class Tier(StrEnum):
    """How much a source matters; sets interval bounds, order, budget and weight."""

    PREMIUM = "premium"
    STANDARD = "standard"
    BASIC = "basic"


class TriageState(StrEnum):
    """How far the team is with an article."""

    NEW = "new"
    REVIEW = "review"
    DONE = "done"
    IGNORED = "ignored"


Days = Mapping[Tier, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """For how many days each tier's things are kept; 0 is for ever."""

    raw: Days
    revisions: Days
    checks: Days


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 marking (FIRST); the later ones are more guarded."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    def exceeds(self, ceiling: "Tlp") -> bool:
        """Return whether a text of this marking must stay where only a lower one may go."""
        order = list(Tlp)
        return order.index(self) > order.index(ceiling)


class Health(StrEnum):
    """What a source's last checks say about it."""

    NEW = "new"
    OK = "ok"
    OFFLINE = "offline"
    FAILING = "failing"
    BLOCKED = "blocked"
    GONE = "gone"
    PAUSED = "paused"


class Outcome(StrEnum):
    """Where a discovered item stands: every item is in exactly one."""

    PENDING = "pending"
    STORED = "stored"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    FAILED = "failed"
    DEAD = "dead"


class Extraction(StrEnum):
    """Which way the text of an article was found."""

    SELECTORS = "selectors"
    STRUCTURED = "structured"
    GENERAL = "general"
    FALLBACK = "fallback"
    FEED = "feed"
    IMPORTED = "imported"


class Discovery(StrEnum):
    """Which way a source's new articles are found."""

    FEED = "feed"
    SITEMAP = "sitemap"
    LISTING = "listing"


def host_of(url: str) -> str:
    """Return the host that requests for a URL are counted against, empty when it has none."""
    return (urlsplit(url).hostname or "").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """CSS selectors of one site; an empty one leaves the general way."""

    listing: str = ""
    title: str = ""
    content: str = ""
    author: str = ""
    date: str = ""
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsPolicy:
    """Whether robots.txt (RFC 9309) is obeyed; an override needs a reason."""

    obey: bool = True
    override_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What an operator decides about a source.

    Intervals are minutes, delays seconds; None leaves the tier's own value.
    """

    key: str
    name: str
    url: str
    feed_url: str | None = None
    discovery: Discovery = Discovery.FEED
    tier: Tier = Tier.STANDARD
    interval_minutes: int | None = None
    robots: RobotsPolicy = RobotsPolicy()
    crawl_delay: float | None = None
    requests_per_minute: int | None = None
    selectors: Selectors = Selectors()
    allow: tuple[str, ...] = ()
    include_words: tuple[str, ...] = ()
    exclude_words: tuple[str, ...] = ()
    min_length: int = 0
    language: str | None = None
    tlp: Tlp = Tlp.CLEAR
    active: bool = True
    fetch_pages: bool = True
    verified: bool = False
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """HTTP validators of the last good answer, verbatim (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None
    body_sha256: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as stored: its settings and where its checks stand.

    `detail` tells more of `reason`, and without one what the last reading mended or passed over,
    which is in `note` while there is one.
    """

    id: int
    settings: SourceSettings
    validators: Validators = Validators()
    health: Health = Health.NEW
    reason: str | None = None
    detail: str = ""
    failures: int = 0
    items_per_day: float | None = None
    next_check_at: datetime | None = None
    last_checked_at: datetime | None = None
    last_success_at: datetime | None = None
    moved_to: str | None = None
    moved_count: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One hop of a redirect chain."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An HTTP answer, decoded (identity) within its limits.

    `headers` has lower-case names and the last value of each. `requests` counts all
    that were made for it: redirects and robots.txt included.
    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    redirects: tuple[Redirect, ...] = ()
    wire_bytes: int = 0
    requests: int = 1

    @property
    def not_modified(self) -> bool:
        """True for 304: the copy we hold is current."""
        return self.status == HTTPStatus.NOT_MODIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """What a feed, sitemap or listing announces.

    `summary` and `content` are markup as announced; dates are None when they
    could not be read (`published_raw` keeps the words).
    """

    guid: str
    url: str
    title: str = ""
    authors: tuple[str, ...] = ()
    summary: str = ""
    content: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    published_raw: str = ""
    tags: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """An announced item that cannot be followed, with its reason."""

    guid: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A feed in neutral form; `truncated` when older entries passed the cap."""

    kind: str
    title: str = ""
    link: str = ""
    description: str = ""
    language: str | None = None
    ttl_minutes: int | None = None
    entries: tuple[FeedEntry, ...] = ()
    bad: tuple[BadEntry, ...] = ()
    truncated: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What two texts are compared by.

    `signature` is the MinHash, little-endian uint32 each; `bands` its LSH keys
    (signed 32-bit); `shingles` the number of distinct shingles; `version` names
    the algorithm: fingerprints of two versions are never compared.
    """

    version: int
    text_sha256: bytes
    signature: bytes
    bands: tuple[int, ...]
    shingles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleContent:
    """What a page says, ready to keep.

    `text` is the clean text that every offset refers to; `html` is sanitised.
    `published_from` names where the date stood, or None when there is no date.
    """

    title: str
    text: str
    html: str
    url: str
    canonical_url: str
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    language: str | None = None
    summary: str = ""
    published: datetime | None = None
    published_raw: str = ""
    published_from: str | None = None
    modified: datetime | None = None
    word_count: int = 0
    reading_minutes: int = 0
    method: Extraction = Extraction.GENERAL
    notes: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionHints:
    """What is known of a page before it is read.

    `entry` is what the feed announced; `content_type` the HTTP header.
    """

    content_type: str = ""
    selectors: Selectors = Selectors()
    language: str | None = None
    entry: FeedEntry | None = None
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchJob:
    """One announced item to be fetched and kept, as claimed by a worker.

    `snapshot_id` is set when the kept answer is to be read again instead of fetching;
    `released` when its gates were overruled; `busy_turns` is how often in a row a host on its way
    had no turn for it; `trace` is the `traceparent` of the check that announced it, when that is
    traced.
    """

    id: int
    source_id: int
    url: str
    entry: FeedEntry
    attempts: int
    lease_owner: str
    host_tries: int = 0
    busy_turns: int = 0
    article_id: int | None = None
    snapshot_id: int | None = None
    released: bool = False
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsRecord:
    """A host's robots.txt as last read (RFC 9309); `body` is None when unreachable."""

    origin: str
    status: int | None
    body: str | None
    fetched_at: datetime
    good_body: str | None = None
    good_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """The invariant: discovered = the sum of all the others."""

    discovered: int
    stored: int
    duplicate: int
    filtered: int
    failed: int
    dead: int
    pending: int

    @property
    def balanced(self) -> bool:
        """True when nothing is lost or counted twice."""
        return self.discovered == (
            self.stored + self.duplicate + self.filtered + self.failed + self.dead + self.pending
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """What one check of a source did; `reason` is None when it went well."""

    source_key: str
    status: int | None = None
    reason: str | None = None
    detail: str = ""
    announced: int = 0
    discovered: int = 0
    changed: int = 0
    unchanged: bool = False
    requests: int = 0
    wire_bytes: int = 0
    discovery: Discovery = Discovery.FEED


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An entry ready for the queue; `state` is pending, or why it will never be fetched."""

    url_hash: bytes
    guid_hash: bytes
    entry_hash: bytes
    url: str
    host: str
    entry: FeedEntry
    state: str = "pending"
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStanding:
    """Where a source stands after a check; `next_check_seconds` counts from now.

    `note` is what the last reading in full mended or passed over.
    """

    health: Health
    next_check_seconds: float
    validators: Validators
    failures: int
    succeeded: bool
    reason: str | None = None
    detail: str = ""
    note: str = ""
    items_per_day: float | None = None
    moved_to: str | None = None
    moved_count: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How an unfinished item goes back to the queue.

    `refund` gives the attempt back (the fault was not the item's); `host_try` counts it
    against what the host may still cost this item; `delay` is seconds; `busy_turns` are those in a
    row that were too far away.
    """

    reason: str
    detail: str = ""
    delay: float = 0.0
    refund: bool = False
    host_try: bool = False
    busy_turns: int = 0
