"""Types of watchlist; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType


class WatchEntry(Struct, frozen=True, kw_only=True):
    """An entry of the watchlist, and how many articles of the last 30 days have it.

    It is `settled` once it was held against every article. `entity_id` is what it names, where
    articles named that before.
    """

    id: int
    kind: str
    term: str
    weight: float
    note: str
    actor: str
    made_at: datetime
    entity_id: int | None
    settled: bool
    recent_articles: int


WatchKind: TypeAlias = Literal[
    "vendor",
    "product",
    "sector",
    "country",
    "actor",
    "malware",
    "technique",
    "cve",
    "domain",
    "keyword",
]
"""What an entry of the watchlist names."""


class WatchEntryIn(Struct, frozen=True, kw_only=True):
    """A new entry of the watchlist."""

    kind: WatchKind | UnsetType = UNSET
    term: str
    weight: float | UnsetType = UNSET
    note: str | UnsetType = UNSET


class WatchImportRow(Struct, frozen=True, kw_only=True):
    """What became of a row of a watchlist file: added, known or bad."""

    row: int
    kind: str
    term: str
    outcome: str
    detail: str = ""


class WatchImport(Struct, frozen=True, kw_only=True):
    """What became of a watchlist file, row by row; a dry run changes nothing."""

    dry_run: bool
    rows: tuple[WatchImportRow, ...] = ()
