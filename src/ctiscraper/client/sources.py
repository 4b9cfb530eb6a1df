"""What the API offers of sources; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.sources_types import (
    ImportReport,
    Preview,
    Scoreboard,
    SourceChange,
    SourceDetail,
    SourceIn,
    SourceOverview,
    SourceProposal,
)
from ctiscraper.client.transport import Transport, path_part


class SourcesCalls(Transport):
    """The operations of sources."""

    def list_sources(
        self,
    ) -> tuple[SourceOverview, ...]:
        """Every source in use.

        Premium first, then by name.
        """
        return self.call("GET", "/sources", tuple[SourceOverview, ...])

    def add_source(
        self,
        *,
        reason: str | UnsetType = UNSET,
        url: str,
        settings: dict[str, object] | UnsetType = UNSET,
    ) -> SourceDetail:
        """Add a source.

        Only `url` is needed; the key is made from it, the feed found at the first check.
        """
        return self.call(
            "POST",
            "/sources",
            SourceDetail,
            body=SourceIn(reason=reason, url=url, settings=settings),
        )

    def preview_source(
        self,
        *,
        url: str,
        settings: dict[str, object] | UnsetType = UNSET,
    ) -> Preview:
        """What a source would bring.

        Asks the site now, keeps nothing: its feed and its five newest articles.
        """
        return self.call(
            "POST", "/sources/preview", Preview, body=SourceProposal(url=url, settings=settings)
        )

    def import_sources(
        self,
        content: bytes,
        media_type: Literal["text/x-opml", "application/yaml"] = "text/x-opml",
        *,
        dry_run: bool | None = None,
        name: str | None = None,
    ) -> ImportReport:
        """Add the sources of an OPML or catalogue file.

        The file is the body, at most 20 MB. The answer tells what became of each row.
        """
        return self.call(
            "POST",
            "/sources/import",
            ImportReport,
            query={"dry_run": dry_run, "name": name},
            body=content,
            media_type=media_type,
        )

    def export_sources(
        self,
    ) -> bytes:
        """Sources as OPML.

        Other readers take it; our own settings stand in a namespace of ours.
        """
        return self.call("GET", "/sources/export.opml", bytes)

    def get_source(
        self,
        key: str,
    ) -> SourceDetail:
        """One source with its past.

        Its settings, the last 50 checks, the last 20 edits, and its accounts.
        """
        return self.call("GET", f"/sources/{path_part(key)}", SourceDetail)

    def change_source(
        self,
        key: str,
        *,
        reason: str | UnsetType = UNSET,
        settings: dict[str, object],
    ) -> SourceDetail:
        """Change settings.

        Only the settings that are sent change; null takes one back to its default.
        """
        return self.call(
            "PATCH",
            f"/sources/{path_part(key)}",
            SourceDetail,
            body=SourceChange(reason=reason, settings=settings),
        )

    def remove_source(
        self,
        key: str,
        *,
        reason: str | None = None,
    ) -> None:
        """Stop collecting a source.

        Its articles stay.
        """
        self.call("DELETE", f"/sources/{path_part(key)}", None, query={"reason": reason})

    def check_source(
        self,
        key: str,
    ) -> None:
        """Check it now.

        The source is asked as soon as its host may be.
        """
        self.call("POST", f"/sources/{path_part(key)}/check", None)

    def get_scoreboard(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Scoreboard:
        """How sources compare over a period.

        Stories told first and by how much, entities no other source has, and repetitions.
        """
        return self.call("GET", "/scoreboard", Scoreboard, query={"since": since, "until": until})
