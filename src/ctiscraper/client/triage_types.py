"""Types of triage; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import Extraction, Tier


class ArticleFilters(Struct, frozen=True, kw_only=True):
    """What a list of articles is narrowed to."""

    source: str | UnsetType | None = UNSET
    tier: Tier | UnsetType | None = UNSET
    language: str | UnsetType | None = UNSET
    method: Extraction | UnsetType | None = UNSET
    tag: str | UnsetType | None = UNSET
    since: datetime | UnsetType | None = UNSET
    until: datetime | UnsetType | None = UNSET
    q: str | UnsetType | None = UNSET
    watch: int | UnsetType | None = UNSET
    min_score: float | UnsetType | None = UNSET
    order: Literal["newest", "relevance", "score"] | UnsetType = UNSET
    days: Literal[1, 7, 30] | UnsetType = UNSET
    entity: int | UnsetType | None = UNSET


class Change(Struct, frozen=True, kw_only=True):
    """A change of many articles at once; `articles` are those that were not so already.

    `capped` says that more were asked for than are changed at once. Until `undo_until` it can
    be undone, once. `full` could not be tagged, as they have all the tags that an article may
    have.
    """

    id: int
    field: str
    value: str
    articles: int
    made_at: datetime
    undo_until: datetime
    undone_at: datetime | None = None
    capped: bool = False
    full: int = 0


class PersonRef(Struct, frozen=True, kw_only=True):
    """Somebody who may log in."""

    id: int
    login: str
    name: str


TriageState: TypeAlias = Literal["new", "review", "done", "ignored"]
"""How far the team is with an article."""


class ReaderStanding(Struct, frozen=True, kw_only=True):
    """What an article is to a reader and to the team.

    `notes` and `highlights` count the team's; `story` is the story that it is part of.
    """

    read: bool = False
    new: bool = False
    starred_at: datetime | None = None
    state: TriageState = "new"
    assignee: PersonRef | None = None
    tags: tuple[str, ...] = ()
    notes: int = 0
    highlights: int = 0
    story: int | None = None


class ReadingChangeIn(Struct, frozen=True, kw_only=True):
    """What a reader says of articles: one of the fields."""

    articles: tuple[int, ...] | UnsetType | None = UNSET
    search: ArticleFilters | UnsetType | None = UNSET
    read: bool | UnsetType | None = UNSET
    starred: bool | UnsetType | None = UNSET


class Tagged(Struct, frozen=True, kw_only=True):
    """A tag of the team, and of how many articles."""

    tag: str
    articles: int


class TriageChangeIn(Struct, frozen=True, kw_only=True):
    """What the team makes of articles: one of the fields; the assignee null is nobody."""

    articles: tuple[int, ...] | UnsetType | None = UNSET
    search: ArticleFilters | UnsetType | None = UNSET
    state: TriageState | UnsetType | None = UNSET
    assignee: int | UnsetType | None = UNSET
    tag: str | UnsetType | None = UNSET
    untag: str | UnsetType | None = UNSET


class Undone(Struct, frozen=True, kw_only=True):
    """What became of a change that was undone; `left` were changed by others since, and stay."""

    change: Change
    restored: int
    left: int
    articles: tuple[int, ...]


class Visit(Struct, frozen=True, kw_only=True):
    """Since when articles are new to a reader, and how many came, up to `NEW_MOST` of them.

    `since` is None on the first visit.
    """

    since: datetime | None
    new: int
