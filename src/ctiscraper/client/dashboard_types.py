"""Types of dashboard; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import Struct

from ctiscraper.client.shared_types import ArticleSummary, EntityRef, Health, SourceRef


class DayVolume(Struct, frozen=True, kw_only=True):
    """How many articles are listed under a day (UTC), by tier."""

    day: str
    premium: int
    standard: int
    basic: int


class FailingSource(Struct, frozen=True, kw_only=True):
    """A source that cannot be read; `reason` and `detail` say why."""

    source: SourceRef
    health: Health
    reason: str | None
    detail: str
    failures: int
    last_success_at: datetime | None


class SilentSource(Struct, frozen=True, kw_only=True):
    """A source that answers and yet brings nothing for longer than it ever did in nine weeks.

    `per_week` is what it brought until it fell silent, `longest_days` its longest pause then.
    """

    source: SourceRef
    last_day: str
    quiet_days: int
    longest_days: int
    per_week: float


class SourceVolume(Struct, frozen=True, kw_only=True):
    """How many articles of a source are listed in the last 30 days, and in the 30 before."""

    source: SourceRef
    articles: int
    before: int


class TechniqueHeat(Struct, frozen=True, kw_only=True):
    """A technique, and how many articles of the last 30 days and of the 30 before name it."""

    technique: EntityRef
    articles: int
    before: int


class TacticHeat(Struct, frozen=True, kw_only=True):
    """A tactic with the techniques that articles name; sums count each of these by itself."""

    tactic: str
    articles: int
    before: int
    techniques: tuple[TechniqueHeat, ...]


class Trend(Struct, frozen=True, kw_only=True):
    """A thing that more articles name than usually do, with the figures that say so.

    `usual` is how many would be expected in a window of this length, by its share of the
    articles of the eight weeks before; `best_week` is the most that one of these had, `weeks`
    what each had, the oldest first. `score` is how many standard deviations it is above that.
    """

    entity: EntityRef
    articles: int
    sources: int
    usual: float
    best_week: int
    weeks: tuple[int, ...]
    score: float


class Trends(Struct, frozen=True, kw_only=True):
    """What stands out in the last `hours`, the most unusual first.

    `articles` were listed in the last seven days, `articles_before` in the eight weeks that
    they are held against; without any of these nothing can be said.
    """

    hours: int
    kinds: tuple[str, ...]
    articles: int
    articles_before: int
    trends: tuple[Trend, ...]


class WatchedBy(Struct, frozen=True, kw_only=True):
    """An entry of the watchlist that an article has."""

    id: int
    kind: str
    term: str


class WatchedArticle(Struct, frozen=True, kw_only=True):
    """An article that concerns the team, and the entries that say so."""

    article: ArticleSummary
    because: tuple[WatchedBy, ...]


class Dashboard(Struct, frozen=True, kw_only=True):
    """All that a morning asks; `is_filled` is false while older articles are still being counted.

    `failing` and `silent` are the first twenty of each; `failing_count` counts all that fail.
    """

    made_at: datetime
    is_filled: bool
    day: Trends
    week: Trends
    watch_entries: int
    watched: tuple[WatchedArticle, ...]
    failing_count: int
    failing: tuple[FailingSource, ...]
    silent: tuple[SilentSource, ...]
    volumes: tuple[DayVolume, ...]
    sources: tuple[SourceVolume, ...]
    tactics: tuple[TacticHeat, ...]
