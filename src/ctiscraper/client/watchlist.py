"""What the API offers of watchlist; written from the description of the API, not by hand."""

from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.transport import Transport, path_part
from ctiscraper.client.watchlist_types import WatchEntry, WatchEntryIn, WatchImport, WatchKind


class WatchlistCalls(Transport):
    """The operations of watchlist."""

    def list_watchlist(
        self,
    ) -> tuple[WatchEntry, ...]:
        """Every entry in use.

        By kind and term, each with how many articles of the last 30 days have it.

        Needs `article:read`.
        """
        return self.call("GET", "/watchlist", tuple[WatchEntry, ...])

    def add_watchlist_entry(
        self,
        *,
        kind: WatchKind | UnsetType = UNSET,
        term: str,
        weight: float | UnsetType = UNSET,
        note: str | UnsetType = UNSET,
    ) -> WatchEntry:
        """Watch for something.

        The newest 1,000 articles are scored by it before the answer, older ones after it.

        Needs `watchlist:write`.
        """
        return self.call(
            "POST",
            "/watchlist",
            WatchEntry,
            body=WatchEntryIn(kind=kind, term=term, weight=weight, note=note),
        )

    def import_watchlist(
        self,
        content: bytes,
        media_type: Literal["text/csv", "text/plain"] = "text/csv",
        *,
        dry_run: bool | None = None,
        name: str | None = None,
    ) -> WatchImport:
        """Add the entries of a file.

        The file is the body: a term a line, or a table with `term`. Tells of each row.

        Needs `watchlist:write`.
        """
        return self.call(
            "POST",
            "/watchlist/import",
            WatchImport,
            query={"dry_run": dry_run, "name": name},
            body=content,
            media_type=media_type,
        )

    def export_watchlist(
        self,
    ) -> bytes:
        """The entries as CSV.

        A table that `import` reads.

        Needs `article:export`.
        """
        return self.call("GET", "/watchlist/export.csv", bytes)

    def get_watchlist_entry(
        self,
        entry_id: int,
    ) -> WatchEntry:
        """One entry.

        It is `settled` once it was held against every article.

        Needs `article:read`.
        """
        return self.call("GET", f"/watchlist/{path_part(entry_id)}", WatchEntry)

    def remove_watchlist_entry(
        self,
        entry_id: int,
    ) -> None:
        """Watch for it no more.

        Scores follow; that it was there stays on record.

        Needs `watchlist:write`.
        """
        self.call("DELETE", f"/watchlist/{path_part(entry_id)}", None)
