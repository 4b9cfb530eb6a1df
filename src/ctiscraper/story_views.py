"""What the doors show of stories and of how sources compare, as frozen values."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.views import SourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRef:
    """A thing that articles name; `articles` counts all that do."""

    id: int
    kind: str
    value: str
    name: str
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryWhy:
    """One reason for an article to be in its story; below zero it spoke against it."""

    name: str
    weight: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryArticle:
    """An article in the timeline of its story.

    `hours` is how long after the first it came, `added` what no earlier article of the story
    names, the rarest first, `added_count` how much that is in all. `like` is the article that it
    was found to be like, for `reasons`; `by_hand` when a person put it there.
    """

    id: int
    title: str
    url: str
    source: SourceRef
    language: str | None
    listed_at: datetime
    hours: float
    duplicate_of: int | None
    added: tuple[EntityRef, ...]
    added_count: int
    like: int | None
    score: float
    reasons: tuple[StoryWhy, ...]
    by_hand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySummary:
    """A story as a list shows it, under the title of its first article.

    `sources` are all that tell it, the first reporter first; `next_hours` is how much later the
    second source came, None where there is none.
    """

    id: int
    title: str
    first_at: datetime
    last_at: datetime
    articles: int
    sources: tuple[SourceRef, ...]
    next_hours: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPage:
    """A page of stories, newest first; `next` is the cursor of the page that follows."""

    stories: tuple[StorySummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundupRef:
    """An article on many events that touches a story."""

    id: int
    title: str
    source: SourceRef
    listed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDecision:
    """What a person decided of a story; `undone_at` is None while it holds."""

    id: int
    action: str
    story: int
    other_story: int | None
    articles: tuple[int, ...]
    actor: str
    reason: str
    made_at: datetime
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDetail:
    """A story in full; `entities` are what most of its articles share, the rarest first.

    `id` differs from the number that was asked for where that story was merged into this one.
    """

    id: int
    title: str
    first_at: datetime
    last_at: datetime
    articles: int
    sources: tuple[SourceRef, ...]
    next_hours: float | None
    timeline: tuple[StoryArticle, ...]
    entities: tuple[EntityRef, ...]
    also: tuple[RoundupRef, ...]
    decisions: tuple[StoryDecision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoriesOfArticle:
    """The story of an article, None while it stands alone, and those that it touches."""

    story: StorySummary | None
    also: tuple[StorySummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScore:
    """What a source gave in a period.

    `duplicates` of its `articles` repeat others. `first` counts the stories that it told before
    any other source, `lead_hours` is by how much in the middle case. `unique` are observables and
    names of the period that no other source has, `entities` all that its articles name, each
    article for itself, and `flagged` those of them that are held malicious or suspicious.
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

    @property
    def failed_share(self) -> float:
        """How much of what was asked of it failed, 0 to 1."""
        return self.failed_checks / self.checks if self.checks else 0.0

    @property
    def duplicate_share(self) -> float:
        """How much of what it published repeats others, 0 to 1."""
        return self.duplicates / self.articles if self.articles else 0.0

    @property
    def entities_per_article(self) -> float:
        """How much an article of it names."""
        return self.entities / self.articles if self.articles else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """How sources compare over a period, those with the most unique entities first."""

    since: datetime
    until: datetime
    sources: tuple[SourceScore, ...]
