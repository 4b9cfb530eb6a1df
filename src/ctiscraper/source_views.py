"""What the doors show of the past of a source: read models as frozen values."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.views import ChangeRow, CheckRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage:
    """A page of the checks of a source, newest first."""

    checks: tuple[CheckRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """A page of the edits of a source, newest first."""

    changes: tuple[ChangeRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A page that a source announced and what asking for it brought.

    `status`, `bytes` and `fetched_at` are of the answer that is kept, None where none is.
    """

    id: int
    url: str
    host: str
    state: str
    reason: str | None
    detail: str
    attempts: int
    host_tries: int
    announced_at: datetime
    ended_at: datetime | None
    status: int | None
    bytes: int | None
    fetched_at: datetime | None
    article_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """A page of what a source announced, newest first."""

    requests: tuple[RequestRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStanding:
    """How a host is treated: requests in all, the next slot, and whether it is left alone."""

    host: str
    requests: int
    next_allowed_at: datetime | None
    open_until: datetime | None
    failures: int
    reason: str | None
    detail: str
