"""Types of searches; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import SearchNote


class FeedAddresses(Struct, frozen=True, kw_only=True):
    """Where a feed is read, shown this once: of its token only a hash is kept."""

    atom: str
    json_feed: str


class SavedSearch(Struct, frozen=True, kw_only=True):
    """A search that somebody keeps, as one of those who see it has it.

    `own` is false for one that `owner` shares with the team; `feed` says whether this reader
    has an address to follow it by. `new` counts what came since he looked, None where that was
    not counted, `more` says that there is at least so much; `mistake` tells why it finds
    nothing any more, `notes` what of it stands for nothing.
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


class SavedSearchChange(Struct, frozen=True, kw_only=True):
    """What changes of a saved search; what is left out stays."""

    name: str | UnsetType | None = UNSET
    query: str | UnsetType | None = UNSET
    sort: Literal["newest", "relevance"] | UnsetType | None = UNSET
    shared: bool | UnsetType | None = UNSET
    place: int | UnsetType | None = UNSET


class SavedSearchIn(Struct, frozen=True, kw_only=True):
    """A search to keep; the form that saves one sends the same."""

    name: str
    query: str
    sort: Literal["newest", "relevance"] | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
