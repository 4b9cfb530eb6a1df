"""Types that several parts of the API use; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct


class Accounting(Struct, frozen=True, kw_only=True):
    """The invariant: discovered = the sum of all the others."""

    discovered: int
    stored: int
    duplicate: int
    filtered: int
    failed: int
    dead: int
    pending: int


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
    "broke_off",
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
    "unforeseen",
]
"""Why a language model gave no answer that can be used: stored beside what was asked."""


Waits: TypeAlias = Literal["server", "source_budget", "day_budget", "later"]
"""What an analysis waits for that is not its turn."""


class AnalysisView(Struct, frozen=True, kw_only=True):
    """What one model made of one text by one task.

    `current` tells whether the article still has that text. `said` counts the characters that a
    running model has answered. `unread` are characters that no model was shown for want of
    room, `hidden` those that no reader sees; `why` counts dropped claims by reason,
    `failed_parts` the parts that got no usable answer by fault, where `parts` others did.
    `again_at` is when it is asked next, `raw` what it answered where that could not be used.
    `copied_from` is the analysis of the same words that this one repeats.
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
    failed_parts: dict[str, int]
    repaired: bool = False
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    copied_from: int | None = None
    raw: str = ""


class ArticleAnalyses(Struct, frozen=True, kw_only=True):
    """What models said of an article; `tasks` and `models` are what may be asked for.

    Those of them that are `remote` are on another network, where a text goes if its marking
    allows it, and for relevance what is watched. With `configured` false there is no model
    here, and nothing can be asked.
    """

    configured: bool
    model: str
    models: tuple[str, ...]
    remote: tuple[str, ...]
    tasks: tuple[str, ...]
    analyses: tuple[AnalysisView, ...]


class ScoredPart(Struct, frozen=True, kw_only=True):
    """One part of a score: its value from 0 to 1, its weight, and the words that gave it.

    `places[n]` is where `evidence[n]` stands in the text, (0, 0) for what stands nowhere there.
    """

    name: str
    value: float
    weight: float
    evidence: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    note: str = ""


class Snippet(Struct, frozen=True, kw_only=True):
    """A piece of a text that a search matched; `marks` are where the matched words stand in it."""

    text: str
    marks: tuple[tuple[int, int], ...]


class SourceRef(Struct, frozen=True, kw_only=True):
    """Whose an article is."""

    key: str
    name: str


class ArticleSummary(Struct, frozen=True, kw_only=True):
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


class Counted(Struct, frozen=True, kw_only=True):
    """How many were changed."""

    count: int


class EntityRef(Struct, frozen=True, kw_only=True):
    """A thing that articles name; `articles` counts all that do."""

    id: int
    kind: str
    value: str
    name: str
    articles: int


class EntitySummary(Struct, frozen=True, kw_only=True):
    """A thing as lists show it.

    `verdict` is the team's where it has one, else the gravest of its mentions; None for names.
    `freshness` (0 to 1) halves with time since `last_seen`, for some kinds sooner than for
    others.
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


Extraction: TypeAlias = Literal[
    "selectors", "structured", "general", "fallback", "feed", "imported"
]
"""Which way the text of an article was found."""


Format: TypeAlias = Literal["json", "csv", "ndjson"]
"""In what form a result is answered."""


Health: TypeAlias = Literal["new", "ok", "offline", "failing", "blocked", "gone", "paused"]
"""What a source's last checks say about it."""


Kind: TypeAlias = Literal[
    "ipv4",
    "ipv6",
    "cidr",
    "domain",
    "onion",
    "url",
    "email",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "ssdeep",
    "cve",
    "attack",
    "asn",
    "mac",
    "file_name",
    "file_path",
    "registry_key",
    "mutex",
    "user_agent",
    "command_line",
    "ja3",
    "ja4",
    "crypto_address",
    "yara",
    "sigma",
    "snort",
    "query",
]
"""What sort of thing was seen; names follow STIX 2.1 where it has one."""


Name: TypeAlias = Literal[
    "technique", "actor", "malware", "ransomware", "tool", "sector", "country", "vendor", "product"
]
"""The kinds of what texts name by a name, beside the observables of `enrich.kinds`."""


class SearchNote(Struct, frozen=True, kw_only=True):
    """What of a search found nothing to look for, and where it stands in what was typed."""

    message: str
    position: int
    length: int


class TeamVerdict(Struct, frozen=True, kw_only=True):
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


Tier: TypeAlias = Literal["premium", "standard", "basic"]
"""How much a source matters; sets interval bounds, order, budget and weight."""


Tlp: TypeAlias = Literal["clear", "green", "amber", "amber+strict", "red"]
"""Traffic Light Protocol 2.0 marking (FIRST); the later ones are more guarded."""


VerdictInput: TypeAlias = Literal["malicious", "suspicious", "mentioned", "benign"]
"""What a value that stands in a text is held to be; nothing is ever left out for it."""
