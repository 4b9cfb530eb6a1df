"""Types of sources; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from ctiscraper.client.shared_types import Accounting, SourceRef, Tier


class FieldChange(Struct, frozen=True, kw_only=True):
    """One setting that was changed, as it was and is written."""

    field: str
    before: str
    after: str


class ChangeRow(Struct, frozen=True, kw_only=True):
    """One edit of a source: who, what and why."""

    changed_at: datetime
    actor: str
    action: str
    reason: str
    fields: tuple[FieldChange, ...]


class CheckRow(Struct, frozen=True, kw_only=True):
    """One check of a source; `reason` is None when it went well."""

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


Discovery: TypeAlias = Literal["feed", "sitemap", "listing"]
"""Which way a source's new articles are found."""


Health: TypeAlias = Literal["new", "ok", "offline", "failing", "blocked", "gone", "paused"]
"""What a source's last checks say about it."""


class ImportRow(Struct, frozen=True, kw_only=True):
    """What became, or would become, of one row: added, known or bad."""

    row: int
    key: str
    name: str
    url: str
    outcome: str
    detail: str = ""


class ImportReport(Struct, frozen=True, kw_only=True):
    """What became of an import file, row by row; a dry run changes nothing."""

    dry_run: bool
    rows: tuple[ImportRow, ...] = ()


class Sample(Struct, frozen=True, kw_only=True):
    """One article as it would be kept; `reason` says why it would not be, or not from its page."""

    url: str
    title: str
    published: datetime | None = None
    method: str = ""
    word_count: int = 0
    excerpt: str = ""
    reason: str | None = None
    detail: str = ""


class RobotsPolicy(Struct, frozen=True, kw_only=True):
    """Whether robots.txt (RFC 9309) is obeyed; an override needs a reason."""

    obey: bool = True
    override_reason: str = ""


class Selectors(Struct, frozen=True, kw_only=True):
    """CSS selectors of one site; an empty one leaves the general way."""

    listing: str = ""
    title: str = ""
    content: str = ""
    author: str = ""
    date: str = ""
    remove: tuple[str, ...] = ()


Tlp: TypeAlias = Literal["clear", "green", "amber", "amber+strict", "red"]
"""Traffic Light Protocol 2.0 marking (FIRST)."""


class SourceSettings(Struct, frozen=True, kw_only=True):
    """What an operator decides about a source.

    Intervals are minutes, delays seconds; None leaves the tier's own value.
    """

    key: str
    name: str
    url: str
    feed_url: str | None = None
    discovery: Discovery = "feed"
    tier: Tier = "standard"
    interval_minutes: int | None = None
    robots: RobotsPolicy = field(default_factory=RobotsPolicy)
    crawl_delay: float | None = None
    requests_per_minute: int | None = None
    selectors: Selectors = field(default_factory=Selectors)
    allow: tuple[str, ...] = ()
    include_words: tuple[str, ...] = ()
    exclude_words: tuple[str, ...] = ()
    min_length: int = 0
    language: str | None = None
    tlp: Tlp = "clear"
    active: bool = True
    fetch_pages: bool = True
    verified: bool = False
    notes: str = ""


class Preview(Struct, frozen=True, kw_only=True):
    """What a source would bring, asked for now and kept nowhere.

    `settings` are as they would be saved. `announced` counts its entries, `passed` those that
    its URL patterns let through, `bad` those that cannot be followed.
    """

    settings: SourceSettings
    title: str
    kind: str
    announced: int
    passed: int
    bad: int
    requests: int
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()


class RobotsDecision(Struct, frozen=True, kw_only=True):
    """What a host's robots.txt said when it was last asked; None `status` means no answer."""

    origin: str
    status: int | None
    fetched_at: datetime
    has_rules: bool
    good_at: datetime | None


class SourceScore(Struct, frozen=True, kw_only=True):
    """What a source gave in a period.

    `duplicates` of its `articles` repeat others. `first` counts the stories that it told before
    any other source, `lead_hours` is by how much in the middle case. `unique` are observables
    and names of the period that no other source has, `entities` all that its articles name,
    each article for itself, and `flagged` those of them that are held malicious or suspicious.
    """

    source: SourceRef
    articles: int
    duplicates: int
    stories: int
    first: int
    lead_hours: float | None
    unique: int
    entities: int
    flagged: int


class Scoreboard(Struct, frozen=True, kw_only=True):
    """How sources compare over a period, those with the most unique entities first."""

    since: datetime
    until: datetime
    sources: tuple[SourceScore, ...]


class SourceChange(Struct, frozen=True, kw_only=True):
    """The settings that change."""

    reason: str | UnsetType = UNSET
    settings: dict[str, object]


class SourceOverview(Struct, frozen=True, kw_only=True):
    """A source with where its checks stand.

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


class SourceDetail(Struct, frozen=True, kw_only=True):
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


class SourceIn(Struct, frozen=True, kw_only=True):
    """A new source."""

    reason: str | UnsetType = UNSET
    url: str
    settings: dict[str, object] | UnsetType = UNSET


class SourceProposal(Struct, frozen=True, kw_only=True):
    """A site, blog or feed, with whatever settings are known of it."""

    url: str
    settings: dict[str, object] | UnsetType = UNSET
