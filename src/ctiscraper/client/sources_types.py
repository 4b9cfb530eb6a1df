"""Types of sources; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from ctiscraper.client.shared_types import Accounting, Health, SourceRef, Tier, Tlp


class Alike(Struct, frozen=True, kw_only=True):
    """A source that there is already and that is much like the one looked at.

    `shared` of the addresses that this one announces are announced by that one too; `same_site`
    says that both are of one site.
    """

    key: str
    name: str
    shared: int
    same_site: bool


class FieldChange(Struct, frozen=True, kw_only=True):
    """One setting that was changed, as it was and is written."""

    field: str
    before: str
    after: str


class ChangeRow(Struct, frozen=True, kw_only=True):
    """One edit of a source: who, what and why; its number is the version it made."""

    id: int
    changed_at: datetime
    actor: str
    action: str
    reason: str
    fields: tuple[FieldChange, ...]


class ChangePage(Struct, frozen=True, kw_only=True):
    """A page of the edits of a source, newest first."""

    changes: tuple[ChangeRow, ...]
    next: str | None


class CheckRow(Struct, frozen=True, kw_only=True):
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


class CheckPage(Struct, frozen=True, kw_only=True):
    """A page of the checks of a source, newest first."""

    checks: tuple[CheckRow, ...]
    next: str | None


class Decision(Struct, frozen=True, kw_only=True):
    """Whether a crawler may ask for a URL, and the line that says so; line 0 is of no rule.

    `agent` is whom that line is for, empty when the file says nothing to this crawler.
    """

    allowed: bool
    agent: str = ""
    line: int = 0
    words: str = ""


class Proposal(Struct, frozen=True, kw_only=True):
    """A change of settings that was tried and works, with what it would bring."""

    kind: str
    words: str
    changes: dict[str, object]
    entries: int
    newest_at: datetime | None
    newest: tuple[str, ...]
    requests: int


class Tried(Struct, frozen=True, kw_only=True):
    """A change that was tried and does not work, with what stood in its way."""

    kind: str
    reason: str
    detail: str


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What was tried for a source: what works, the likeliest first, and what does not."""

    proposals: tuple[Proposal, ...]
    tried: tuple[Tried, ...]


Discovery: TypeAlias = Literal["feed", "sitemap", "listing"]
"""Which way a source's new articles are found."""


class FeedCandidate(Struct, frozen=True, kw_only=True):
    """An address worth asking; `found` is document, link, anchor, path or robots."""

    url: str
    title: str = ""
    found: str = "link"
    discovery: Discovery = "feed"


class HostStanding(Struct, frozen=True, kw_only=True):
    """How a host is treated: requests in all, the next slot, and whether it is left alone."""

    host: str
    requests: int
    next_allowed_at: datetime | None
    open_until: datetime | None
    failures: int
    reason: str | None
    detail: str


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


class Manners(Struct, frozen=True, kw_only=True):
    """What robots.txt says of a URL, and the pace that its host is asked at.

    `status` is that of robots.txt, None when it gave no answer; `known` is False when its rules
    are not, so that nothing is asked. `decision` is None then, and where it is not obeyed.
    """

    origin: str
    url: str
    obeyed: bool
    asked_at: datetime | None
    status: int | None
    has_rules: bool
    known: bool
    decision: Decision | None
    robots_delay: float | None
    gap: float


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


class TierProposal(Struct, frozen=True, kw_only=True):
    """A tier that fits, and why."""

    tier: Tier
    words: str


class Preview(Struct, frozen=True, kw_only=True):
    """What a source would bring, asked for now and kept nowhere.

    `settings` are as they would be saved. `announced` counts its entries, `passed` those that
    its URL patterns let through, `bad` those that cannot be followed. `others` are further
    feeds that the site names, `alike` sources that are collected already.
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
    items_per_day: float | None = None
    newest_at: datetime | None = None
    tier: TierProposal | None = None
    robots: Manners | None = None
    others: tuple[FeedCandidate, ...] = ()
    alike: tuple[Alike, ...] = ()


class Reading(Struct, frozen=True, kw_only=True):
    """An article as settings make it; `reason` says why it would not be kept."""

    title: str = ""
    published: datetime | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    text: str = ""
    word_count: int = 0
    method: str = ""
    reason: str | None = None
    detail: str = ""


class ReasonGiven(Struct, frozen=True, kw_only=True):
    """Why something is done, for the record."""

    reason: str | UnsetType = UNSET


class Trial(Struct, frozen=True, kw_only=True):
    """One of the last items, by the settings of now and by those that are tried.

    `state` is how it ended when it was collected; `from_feed` says that no page of it is kept,
    so that the words of its feed were read.
    """

    url: str
    title: str
    state: str
    from_feed: bool
    article_id: int | None
    before: Reading
    after: Reading


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What an edit would do, newest item first; nothing was written and no site was asked.

    `at_the_site` are changed settings that only the site can tell of, `elsewhere` those that
    change no article but how it is collected.
    """

    changed: tuple[str, ...]
    at_the_site: tuple[str, ...]
    elsewhere: tuple[str, ...]
    trials: tuple[Trial, ...]


class RequestRow(Struct, frozen=True, kw_only=True):
    """A page that a source announced and what asking for it brought.

    `status`, `bytes` and `fetched_at` are of the answer that is kept, None where none is.
    """

    id: int
    url: str
    host: str
    state: str
    reason: str | None
    detail: str
    attempts: int
    host_tries: int
    announced_at: datetime
    ended_at: datetime | None
    status: int | None
    bytes: int | None
    fetched_at: datetime | None
    article_id: int | None


class RequestPage(Struct, frozen=True, kw_only=True):
    """A page of what a source announced, newest first."""

    requests: tuple[RequestRow, ...]
    next: str | None


class RobotsAnswer(Struct, frozen=True, kw_only=True):
    """What robots.txt says of an address, the pace that holds, and how its host stands."""

    manners: Manners
    host: HostStanding


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
    `fresh_hours` is how long after publication an article of it came here in the middle case,
    `score` the mean of theirs; `failed_checks` are of its last 1,000 `checks` at most.
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
    fresh_hours: float | None = None
    score: float | None = None
    checks: int = 0
    failed_checks: int = 0


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

    `detail` tells more of `reason`, and without one what the last reading mended or passed
    over; `paused_until` is how long its host is left alone after repeated failures.
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
    version: int


class SourceIn(Struct, frozen=True, kw_only=True):
    """A new source."""

    reason: str | UnsetType = UNSET
    url: str
    settings: dict[str, object] | UnsetType = UNSET


class SourceProposal(Struct, frozen=True, kw_only=True):
    """A site, blog or feed, with whatever settings are known of it."""

    url: str
    settings: dict[str, object] | UnsetType = UNSET


class VersionedSettings(Struct, frozen=True, kw_only=True):
    """The settings of a source, in the version that an edit names by If-Match."""

    version: int
    settings: SourceSettings
