"""What callers may ask of the audit log and of tokens, and send to make one."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ctiscraper.audit_views import AuditQuery
from ctiscraper.identity import Permission
from ctiscraper.web.schemas import Cursor, Limit, Line, Moment

DAYS = (7, 30, 90, 365)
DEFAULT_DAYS = 90


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


def _object(value: str | None) -> dict[str, str | None]:
    """Return kind and id of what reads kind or kind:id."""
    kind, sign, name = (value or "").partition(":")
    return {"object_kind": kind or None, "object_id": name if sign and name else None}


class AuditFilters(BaseModel):
    """Which entries of the audit log."""

    model_config = ConfigDict(extra="forbid")

    actor: Line | None = Field(
        None, description="the login of who did it, or his name as it was noted; user:7, token:ID"
    )
    action: Line | None = Field(
        None, description="an action, or its first part: source is source.change too"
    )
    about: Line | None = Field(None, description="a kind of object, or one of it: source:acme")
    since: Moment | None = None
    until: Moment | None = None

    def query(self) -> AuditQuery:
        """Return the filters as the database takes them."""
        return AuditQuery(
            actor=self.actor,
            action=self.action,
            since=self.since,
            until=self.until,
            **_object(self.about),
        )


class AuditParameters(AuditFilters):
    """A page of the audit log."""

    cursor: Cursor | None = None
    limit: Limit = 50


class AuditExportParameters(AuditFilters):
    """In which form the audit log is handed out."""

    format: Literal["ndjson", "csv"] = "ndjson"


_Open = BeforeValidator(_none)


class AuditPageFilters(BaseModel):
    """The filter bar of the audit log; what it does not know is left aside."""

    model_config = ConfigDict(extra="ignore")

    actor: Annotated[Line | None, _Open] = None
    action: Annotated[Line | None, _Open] = None
    about: Annotated[Line | None, _Open] = None
    since: Annotated[date | None, _Open] = None
    until: Annotated[date | None, _Open] = None
    cursor: Annotated[Cursor | None, _Open] = None

    def query(self) -> AuditQuery:
        """Return the filters as the database takes them; `until` is the last day."""
        until = None if self.until in {None, date.max} else self.until
        return AuditQuery(
            actor=self.actor,
            action=self.action,
            since=_midnight(self.since),
            until=None if until is None else _midnight(until + timedelta(days=1)),
            **_object(self.about),
        )

    def chosen(self) -> dict[str, object]:
        """Return the filters that are set, for addresses of further pages."""
        return self.model_dump(mode="json", exclude={"cursor"}, exclude_none=True)

    def exported(self) -> dict[str, object]:
        """Return the same filters as the export of the API takes them."""
        query = self.query()
        moments = {"since": query.since, "until": query.until}
        return self.chosen() | {k: v.isoformat() for k, v in moments.items() if v is not None}


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


class TokenListParameters(BaseModel):
    """Whose tokens are listed."""

    model_config = ConfigDict(extra="forbid")

    everybody: bool = Field(default=False, description="those of others too; needs token:write")


class TokenIn(BaseModel):
    """A token to be made: never more than its maker may do himself."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
    ]
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=40)]
    days: Annotated[
        int | None,
        Field(
            ge=1,
            le=3650,
            description="until it expires; more than 365, or null for never, is for administrators",
        ),
    ] = DEFAULT_DAYS


class TokenForm(BaseModel):
    """The form that makes a token; `days` is "never" for one that does not expire."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    scopes: list[Permission] = Field(default_factory=list, max_length=40)
    days: Literal["7", "30", "90", "365", "never"] = "90"

    @property
    def lifetime(self) -> int | None:
        """The days until it expires, None for never."""
        return None if self.days == "never" else int(self.days)


class TokenPageFilters(BaseModel):
    """Whose tokens the page shows; what it does not know is left aside."""

    model_config = ConfigDict(extra="ignore")

    everybody: bool = False
    revoked: Annotated[Line | None, _Open] = None
