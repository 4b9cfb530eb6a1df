"""What the pages of stories send."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ctiscraper.web.schemas import Cursor, ReasonGiven, RowId


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


class StoryFilters(BaseModel):
    """Where the list of stories goes on."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[Cursor | None, BeforeValidator(_none)] = None


class SplitForm(ReasonGiven):
    """The articles that were ticked."""

    articles: Annotated[list[RowId], Field(default=[], max_length=500)]


class MergeForm(ReasonGiven):
    """The story that is joined to another."""

    other: RowId


class MoveForm(ReasonGiven):
    """The article that is put into a story."""

    article: RowId
