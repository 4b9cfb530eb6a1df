"""Types of queue; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import SourceRef


class AllItems(Struct, frozen=True, kw_only=True):
    """Which ended items are acted on, and what is done with them."""

    state: Literal["dead", "failed", "filtered", "duplicate"]
    action: Literal["retry", "discard", "release"]
    source: str | UnsetType | None = UNSET
    reason: str | UnsetType | None = UNSET


Extractor: TypeAlias = Literal["observables", "attack", "names", "score"]
"""What finds claims; each has a version of its own and is run again by itself."""


class FailedEnrichment(Struct, frozen=True, kw_only=True):
    """An article that could not be looked through, and why."""

    article: int
    title: str
    source: SourceRef
    revision: int
    failure: str
    failed_at: datetime


class FailedNumbers(Struct, frozen=True, kw_only=True):
    """Which articles are looked through again; without numbers all that could not be."""

    articles: tuple[int, ...] | UnsetType | None = UNSET


class FailedPage(Struct, frozen=True, kw_only=True):
    """A page of articles that could not be looked through, the latest failures first."""

    failures: tuple[FailedEnrichment, ...]
    next: str | None


class ItemNumbers(Struct, frozen=True, kw_only=True):
    """Which items are meant."""

    ids: tuple[int, ...]


class QueueItem(Struct, frozen=True, kw_only=True):
    """An item that ended without an article, with its cause and a sample of what it said."""

    id: int
    state: str
    url: str
    title: str
    sample: str
    source: SourceRef
    reason: str | None
    detail: str
    attempts: int
    discovered_at: datetime
    finished_at: datetime | None
    has_snapshot: bool


class QueuePage(Struct, frozen=True, kw_only=True):
    """A page of ended items, newest first; `next` is the cursor of the page that follows."""

    items: tuple[QueueItem, ...]
    next: str | None


class ReasonCount(Struct, frozen=True, kw_only=True):
    """How many of the newest ended items share a cause."""

    reason: str | None
    count: int


class ReprocessIn(Struct, frozen=True, kw_only=True):
    """Which articles are read again: of a source, by number, or both.

    With `only` they are looked through again by these extractors, all of them without more.
    """

    source: str | UnsetType | None = UNSET
    articles: tuple[int, ...] | UnsetType | None = UNSET
    only: tuple[Extractor, ...] | UnsetType | None = UNSET
    since: datetime | UnsetType | None = UNSET
