"""What the API offers of sources; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.sources_types import (
    ChangePage,
    CheckPage,
    Diagnosis,
    ImportReport,
    Preview,
    ReasonGiven,
    Rehearsal,
    RequestPage,
    RobotsAnswer,
    Scoreboard,
    SourceChange,
    SourceDetail,
    SourceIn,
    SourceOverview,
    SourceProposal,
    VersionedSettings,
)
from ctiscraper.client.transport import Transport, path_part


class SourcesCalls(Transport):
    """The operations of sources."""

    def list_sources(
        self,
    ) -> tuple[SourceOverview, ...]:
        """Every source in use.

        Premium first, then by name.

        Needs `source:read`.
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

        Needs `source:write`.
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

        Needs `source:write`.
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

        Needs `source:write`.
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

        Needs `source:read`.
        """
        return self.call("GET", "/sources/export.opml", bytes)

    def export_catalogue(
        self,
    ) -> bytes:
        """Sources as a catalogue file.

        What `POST /sources/import` and the command line take.

        Needs `source:read`.
        """
        return self.call("GET", "/sources/export.yaml", bytes)

    def get_source(
        self,
        key: str,
    ) -> SourceDetail:
        """One source with its past.

        Its settings, the last 50 checks, the last 20 edits, and its accounts.

        Needs `source:read`.
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

        With `If-Match`, the tag that `GET /sources/{key}/settings` gave, nothing is written
        over another's change: 409 tells what that was.

        Needs `source:write`.
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

        Needs `source:write`.
        """
        self.call("DELETE", f"/sources/{path_part(key)}", None, query={"reason": reason})

    def undo_change(
        self,
        key: str,
        *,
        reason: str | UnsetType = UNSET,
    ) -> SourceDetail:
        """Undo the last edit.

        Its settings are again what they were before; undone again, the edit comes back.

        Needs `source:write`.
        """
        return self.call(
            "POST", f"/sources/{path_part(key)}/undo", SourceDetail, body=ReasonGiven(reason=reason)
        )

    def check_source(
        self,
        key: str,
    ) -> None:
        """Check it now.

        It is asked as soon as its host may be; ten times a minute at most, and not while
        paused.

        Needs `source:write`.
        """
        self.call("POST", f"/sources/{path_part(key)}/check", None)

    def get_settings(
        self,
        key: str,
    ) -> VersionedSettings:
        """Its settings, to be edited.

        The ETag is the version: send it back as `If-Match` with what changes.

        Needs `source:read`.
        """
        return self.call("GET", f"/sources/{path_part(key)}/settings", VersionedSettings)

    def list_checks(
        self,
        key: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> CheckPage:
        """Its checks, newest first.

        What each asked, what was answered, and what was new.

        Needs `source:read`.
        """
        return self.call(
            "GET",
            f"/sources/{path_part(key)}/checks",
            CheckPage,
            query={"cursor": cursor, "limit": limit},
        )

    def list_changes(
        self,
        key: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ChangePage:
        """Its edits, newest first.

        Who changed what of its settings, when and why.

        Needs `source:read`.
        """
        return self.call(
            "GET",
            f"/sources/{path_part(key)}/changes",
            ChangePage,
            query={"cursor": cursor, "limit": limit},
        )

    def list_requests(
        self,
        key: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RequestPage:
        """What was asked for it.

        Every address that it announced, newest first, with what asking brought.

        Needs `source:read`.
        """
        return self.call(
            "GET",
            f"/sources/{path_part(key)}/requests",
            RequestPage,
            query={"cursor": cursor, "limit": limit},
        )

    def get_robots(
        self,
        key: str,
        *,
        url: str | None = None,
    ) -> RobotsAnswer:
        """What robots.txt says of an address.

        By the copy that is held, with the line that decides, Crawl-delay and the gap in force.

        Needs `source:read`.
        """
        return self.call(
            "GET", f"/sources/{path_part(key)}/robots", RobotsAnswer, query={"url": url}
        )

    def rehearse(
        self,
        key: str,
        *,
        reason: str | UnsetType = UNSET,
        settings: dict[str, object],
    ) -> Rehearsal:
        """Try an edit on the last articles.

        What would be kept or held back, and read otherwise, by kept pages; nothing is written.

        Needs `source:write`.
        """
        return self.call(
            "POST",
            f"/sources/{path_part(key)}/rehearsal",
            Rehearsal,
            body=SourceChange(reason=reason, settings=settings),
        )

    def diagnose(
        self,
        key: str,
    ) -> Diagnosis:
        """Try fixes for a source in trouble.

        Asks the site now and writes nothing; only what works is proposed.

        Needs `source:write`.
        """
        return self.call("POST", f"/sources/{path_part(key)}/mend", Diagnosis)

    def apply_fix(
        self,
        key: str,
        *,
        reason: str | UnsetType = UNSET,
        settings: dict[str, object],
    ) -> SourceDetail:
        """Put a fix in place.

        It is tried once more first; `POST /sources/{key}/undo` takes it back.

        Needs `source:write`.
        """
        return self.call(
            "POST",
            f"/sources/{path_part(key)}/mend/apply",
            SourceDetail,
            body=SourceChange(reason=reason, settings=settings),
        )

    def get_scoreboard(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Scoreboard:
        """How sources compare over a period.

        Stories told first and by how much, entities no other source has, and repetitions.

        Needs `source:read`.
        """
        return self.call("GET", "/scoreboard", Scoreboard, query={"since": since, "until": until})
