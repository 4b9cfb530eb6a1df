"""What the reader's forms send."""

from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ctiscraper.db.annotations import NOTE_LONGEST
from ctiscraper.types import TriageState
from ctiscraper.views import ArticleQuery
from ctiscraper.web.schemas import PageFilters, RowId

CHOSEN_MOST = 1_000
"""How many articles may be chosen one by one."""

Own = Literal["read", "unread", "star", "unstar", "everything"]
Team = Literal["state", "assign", "tag", "untag"]


def _numbers(value: object) -> object:
    """Numbers in one field, as a script sends those of a page."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_Open = BeforeValidator(_none)


class Chosen(BaseModel):
    """Which articles a form changes, and where it goes on.

    `whole` means all that `search`, the query of a list's address, finds. With `part` the answer
    is what changed of the articles `shown`, and no page. A browser sends all fields of its form,
    whichever button was pressed: a state, an assignee and a tag may be there and not be meant.
    """

    model_config = ConfigDict(extra="forbid")

    articles: Annotated[list[RowId], Field(max_length=CHOSEN_MOST)] = []
    whole: bool = False
    search: Annotated[str, Field(max_length=8_000)] = ""
    here: Annotated[str, Field(max_length=8_000)] = "/"
    part: bool = False
    shown: Annotated[
        Annotated[tuple[RowId, ...], Field(max_length=200)], BeforeValidator(_numbers)
    ] = ()
    state: Annotated[TriageState | None, _Open] = None
    assignee: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,17})?$")] = ""
    tag: Annotated[str, Field(max_length=200)] = ""

    def query(self) -> ArticleQuery:
        """Return what the list of `search` is narrowed to. Raises SearchSyntaxError, ValueError."""
        return PageFilters.model_validate(dict(parse_qsl(self.search))).query()


class ReadingForm(Chosen):
    """What a reader says of articles: of the chosen by `act`, or of one by its own button."""

    act: Annotated[Own | None, _Open] = None
    one: Annotated[str, Field(pattern=r"^(read|unread|star|unstar) [1-9][0-9]{0,17}$")] | None = (
        None
    )

    @model_validator(mode="after")
    def _one_alone(self) -> Self:
        if self.one is not None:
            act, number = self.one.split(" ")
            # Checked by the pattern of the field.
            self.act = act  # type: ignore[assignment]
            self.articles, self.whole = [int(number)], False
        return self


class TriageForm(Chosen):
    """What the team makes of articles.

    Without an act a tag that was typed is added, which is what the Enter key does.
    """

    act: Annotated[Team | None, _Open] = None


class UndoForm(BaseModel):
    """Which change is undone."""

    model_config = ConfigDict(extra="forbid")

    change: RowId
    here: Annotated[str, Field(max_length=8_000)] = "/"
    part: bool = False
    shown: Annotated[
        Annotated[tuple[RowId, ...], Field(max_length=200)], BeforeValidator(_numbers)
    ] = ()


class TriageTold(BaseModel):
    """What a form did before the page is shown again."""

    model_config = ConfigDict(extra="ignore")

    changed: Annotated[RowId | None, _Open] = None
    undone: Annotated[RowId | None, _Open] = None


class NoteForm(BaseModel):
    """A note as it is typed; `version` is what it was when its editing began."""

    model_config = ConfigDict(extra="forbid")

    # A browser sends two characters for the end of each line.
    body: Annotated[str, Field(max_length=2 * NOTE_LONGEST)] = ""
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1


class HighlightForm(BaseModel):
    """Words of an article to be marked, with what stands around them where that is known."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    words: Annotated[str, Field(max_length=20_000)] = ""
    before: Annotated[str, Field(max_length=1_000)] = ""
    after: Annotated[str, Field(max_length=1_000)] = ""
