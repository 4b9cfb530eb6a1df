"""What callers of the API may send of reading, triage, notes and highlights."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ctiscraper.db.annotations import NOTE_LONGEST, QUOTE_LONGEST
from ctiscraper.types import TriageState
from ctiscraper.web.schemas import ArticleFilters, RowId
from ctiscraper.web.triage_forms import CHOSEN_MOST


class _Meant(BaseModel):
    """Which articles are meant: by number, or all that a search finds (15,000 at most)."""

    model_config = ConfigDict(extra="forbid")

    articles: Annotated[
        list[RowId] | None, Field(min_length=1, max_length=CHOSEN_MOST, examples=[[17, 18]])
    ] = None
    search: Annotated[
        ArticleFilters | None, Field(description="as the list of articles is narrowed")
    ] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.articles is None) == (self.search is None):
            raise ValueError("name articles or a search, and not both")
        return self


class ReadingChangeIn(_Meant):
    """What a reader says of articles: one of the fields."""

    read: bool | None = None
    starred: bool | None = None

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.read is None) == (self.starred is None):
            raise ValueError("say read or starred, and not both")
        return self


class TriageChangeIn(_Meant):
    """What the team makes of articles: one of the fields; the assignee null is nobody."""

    state: TriageState | None = None
    assignee: RowId | None = None
    tag: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    untag: Annotated[str | None, Field(min_length=1, max_length=200)] = None

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if len(self.model_fields_set & {"state", "assignee", "tag", "untag"}) != 1:
            raise ValueError("say one of state, assignee, tag and untag")
        return self


class NoteIn(BaseModel):
    """The words of a note, plain text."""

    model_config = ConfigDict(extra="forbid")

    body: Annotated[str, Field(min_length=1, max_length=NOTE_LONGEST, examples=["Seen here too."])]


class WordsToMark(BaseModel):
    """Words of an article's present text: their place, or the words and what is around them."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1, le=2**31 - 1, description="the text that was read")]
    start: Annotated[int | None, Field(ge=0, le=2**31 - 1)] = None
    end: Annotated[int | None, Field(ge=0, le=2**31 - 1)] = None
    quote: Annotated[str | None, Field(min_length=1, max_length=QUOTE_LONGEST)] = None
    before: Annotated[str, Field(max_length=1_000)] = ""
    after: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if (self.start is None) != (self.end is None) or (self.start is None) == (
            self.quote is None
        ):
            raise ValueError("name start and end, or a quote")
        return self


class TagParameters(BaseModel):
    """Which of the team's tags are listed."""

    model_config = ConfigDict(extra="forbid")

    beginning: Annotated[str, Field(max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NoteParameters(BaseModel):
    """The version of a note that was read, where it is not sent as If-Match."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
