"""What people make of articles, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ctiscraper.types import TriageState


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRef:
    """Somebody who may log in."""

    id: int
    login: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderStanding:
    """What an article is to a reader and to the team.

    `notes` and `highlights` count the team's; `story` is the story that it is part of.
    """

    read: bool = False
    new: bool = False
    starred_at: datetime | None = None
    state: TriageState = TriageState.NEW
    assignee: PersonRef | None = None
    tags: tuple[str, ...] = ()
    notes: int = 0
    highlights: int = 0
    story: int | None = None


UNTOUCHED = ReaderStanding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Since when articles are new to a reader, and how many came, up to `NEW_MOST` of them.

    `since` is None on the first visit.
    """

    since: datetime | None
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of many articles at once; `articles` are those that were not so already.

    `capped` says that more were asked for than are changed at once. Until `undo_until` it can be
    undone, once. `full` could not be tagged, as they have all the tags that an article may have.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What became of a change that was undone; `left` were changed by others since, and stay."""

    change: Change
    restored: int
    left: int
    articles: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note on an article; whoever edits it names the version that he read."""

    id: int
    article_id: int
    author: str
    body: str
    version: int
    made_at: datetime
    edited_at: datetime | None
    edited_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """Words of an article that somebody marked.

    They stood at `start` of the text of `revision`, between `before` and `after`.
    """

    id: int
    article_id: int
    author: str
    revision: int
    start: int
    quote: str
    before: str
    after: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedHighlight:
    """A highlight in the present text: where it stands, or None where its words went."""

    highlight: Highlight
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A tag of the team, and of how many articles."""

    tag: str
    articles: int


Standings = Mapping[int, ReaderStanding]
