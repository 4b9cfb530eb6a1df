"""Types of stories; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import EntityRef, SourceRef


class MergeIn(Struct, frozen=True, kw_only=True):
    """The story that is joined to another."""

    reason: str | UnsetType = UNSET
    other: int


class MoveIn(Struct, frozen=True, kw_only=True):
    """The article that is put into a story."""

    reason: str | UnsetType = UNSET
    article: int


class RoundupRef(Struct, frozen=True, kw_only=True):
    """An article on many events that touches a story."""

    id: int
    title: str
    source: SourceRef
    listed_at: datetime


class SplitIn(Struct, frozen=True, kw_only=True):
    """Articles of one story that get a story of their own."""

    reason: str | UnsetType = UNSET
    articles: tuple[int, ...]


class StorySummary(Struct, frozen=True, kw_only=True):
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


class StoriesOfArticle(Struct, frozen=True, kw_only=True):
    """The story of an article, None while it stands alone, and those that it touches."""

    story: StorySummary | None
    also: tuple[StorySummary, ...]


class StoryWhy(Struct, frozen=True, kw_only=True):
    """One reason for an article to be in its story; below zero it spoke against it."""

    name: str
    weight: float
    detail: str = ""


class StoryArticle(Struct, frozen=True, kw_only=True):
    """An article in the timeline of its story.

    `hours` is how long after the first it came, `added` what no earlier article of the story
    names, the rarest first, `added_count` how much that is in all. `like` is the article that
    it was found to be like, for `reasons`; `by_hand` when a person put it there.
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


class StoryDecision(Struct, frozen=True, kw_only=True):
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


class StoryDetail(Struct, frozen=True, kw_only=True):
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


class StoryNumber(Struct, frozen=True, kw_only=True):
    """The story that came of it."""

    story: int


class StoryPage(Struct, frozen=True, kw_only=True):
    """A page of stories, newest first; `next` is the cursor of the page that follows."""

    stories: tuple[StorySummary, ...]
    next: str | None
