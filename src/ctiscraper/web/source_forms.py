"""What the pages of sources may be asked and sent."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, model_validator

from ctiscraper.types import Tier
from ctiscraper.web.schemas import Cursor, Limit, ReasonGiven
from ctiscraper.web.source_form import FIELDS

# The longest list of 200 addresses that a setting may hold.
_LONGEST = 200_000
SCORE_DAYS = (7, 30, 90)


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_DONE = {
    "added": "It is saved, and asked as soon as its host may be.",
    "checking": "It is asked as soon as its host may be.",
    "mended": "The fix is in place; the source is asked at once. You can undo it below.",
    "paused": "It is paused: nothing is asked of it until somebody resumes it.",
    "removed": "The source is removed: it is asked no more, and its articles stay.",
    "resumed": "It is collected again, and asked at once.",
    "saved": "The settings are saved; the source is asked at once. You can undo it below.",
    "undone": "The last change is undone.",
}
_Open = BeforeValidator(_none)
Version = Annotated[int, Field(ge=0, le=2**63 - 1)]


class AddForm(BaseModel):
    """The form that adds a source; `settings` carries what its preview settled, as JSON.

    Without a tier the one that fits is proposed; `feed` is the one that was chosen of several.
    """

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=4096)]
    tier: Annotated[Tier | None, _Open] = None
    feed: Annotated[Annotated[str, Field(max_length=4096)] | None, _Open] = None
    name: Annotated[Annotated[str, Field(max_length=200)] | None, _Open] = None
    settings: Annotated[Json[dict[str, object]], Field(max_length=40)] = {}


class EditForm(ReasonGiven):
    """The form of every setting; the fields are those of `source_form`, all of them text.

    `version` is that of the settings it was made from.
    """

    model_config = ConfigDict(extra="allow")

    version: Version
    action: Literal["try", "look", "save"]

    @model_validator(mode="after")
    def _holds_settings(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if name not in FIELDS:
                raise ValueError(f"{name[:60]!r} is no setting of a source")
            if not isinstance(value, str) or len(value) > _LONGEST:
                raise ValueError(f"{name} is longer than {_LONGEST:,} characters")
        return self

    @property
    def typed(self) -> dict[str, str]:
        """What was typed, by field."""
        return {name: str(value) for name, value in (self.model_extra or {}).items()}


class VersionForm(ReasonGiven):
    """A change of what a page showed in this version."""

    version: Version


class FixForm(VersionForm):
    """A fix that was proposed, as JSON."""

    changes: Annotated[Json[dict[str, object]], Field(min_length=1, max_length=4)]


class SourcePageFilters(BaseModel):
    """What was done with a source before its page, or the list, is shown again."""

    model_config = ConfigDict(extra="ignore")

    done: Annotated[str, Field(max_length=20)] = ""

    @property
    def words(self) -> str:
        """What was done, in words."""
        return _DONE.get(self.done, "")


class PastFilters(BaseModel):
    """Which part of a source's past is shown, and where it goes on."""

    model_config = ConfigDict(extra="ignore")

    part: Literal["checks", "changes"] = "checks"
    cursor: Annotated[Cursor | None, _Open] = None


class RequestFilters(BaseModel):
    """Where the list of requests goes on, and the address that robots.txt is asked of."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[Cursor | None, _Open] = None
    url: Annotated[Annotated[str, Field(max_length=4096)] | None, _Open] = None


class ManyParameters(BaseModel):
    """Where a list goes on, and how much of it is wanted."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor | None = None
    limit: Limit = 50


class RobotsParameters(BaseModel):
    """Of which address robots.txt is asked; by default that of the source."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=4096)] | None = None


class ScoreFilters(BaseModel):
    """Over how many days sources are compared, and by what they are sorted."""

    model_config = ConfigDict(extra="ignore")

    days: Annotated[Literal[7, 30, 90], BeforeValidator(_whole)] = 30
    sort: Literal["first", "alone", "fresh", "repeats", "failures", "score", "articles", "name"] = (
        "alone"
    )
