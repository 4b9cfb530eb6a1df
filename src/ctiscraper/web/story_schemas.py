"""What callers may ask of stories and of the scoreboard, and decide of them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ctiscraper.web.schemas import Cursor, Limit, Moment, ReasonGiven, RowId


class StoryParameters(BaseModel):
    """The parameters of the list of stories."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor | None = None
    limit: Limit = 50


class ScoreParameters(BaseModel):
    """Over which period sources are compared, by default 30 days, at most 92."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = None
    until: Moment | None = None


class SplitIn(ReasonGiven):
    """Articles of one story that get a story of their own."""

    articles: Annotated[list[RowId], Field(min_length=1, max_length=400, examples=[[17, 18]])]


class MergeIn(ReasonGiven):
    """The story that is joined to another."""

    other: RowId


class MoveIn(ReasonGiven):
    """The article that is put into a story."""

    article: RowId


class StoryNumber(BaseModel):
    """The story that came of it."""

    story: int
