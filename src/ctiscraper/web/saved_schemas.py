"""What callers may send about saved searches."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ctiscraper.db.saved_searches import Given
from ctiscraper.query.parse import LONGEST
from ctiscraper.views import SavedSearch
from ctiscraper.web.schemas import Asked

LONGEST_NAME = 100


def _on_a_line(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


Name = Annotated[
    str,
    BeforeValidator(_on_a_line),
    StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
Query = Annotated[Asked, StringConstraints(min_length=1, max_length=4 * LONGEST)]
Sort = Literal["newest", "relevance"]
Place = Annotated[int, Field(ge=0, le=1000, description="in your list, the first is 0")]


class SavedSearchIn(BaseModel):
    """A search to keep; the form that saves one sends the same."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    query: Query
    sort: Sort = "newest"
    shared: bool = Field(default=False, description="seen by everybody here")

    def given(self) -> Given:
        """Return what the search is to be."""
        return Given(name=self.name, query=self.query, sort=self.sort, shared=self.shared)


class SavedSearchChange(BaseModel):
    """What changes of a saved search; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    query: Query | None = None
    sort: Sort | None = None
    shared: bool | None = None
    place: Place | None = None

    def given(self, present: SavedSearch) -> Given:
        """Return what the search is to be."""
        return Given(
            name=self.name or present.name,
            query=self.query or present.query,
            sort=self.sort or present.sort,
            shared=present.shared if self.shared is None else self.shared,
        )


class MoveForm(BaseModel):
    """Where in the list a search is to stand."""

    model_config = ConfigDict(extra="forbid")

    place: Place


class EmptyForm(BaseModel):
    """A button alone."""

    model_config = ConfigDict(extra="forbid")


class SearchesPage(BaseModel):
    """What was done before the page is shown again."""

    model_config = ConfigDict(extra="ignore")

    done: Literal["saved", "changed", "removed", "unfollowed"] | None = None


class FeedAddresses(BaseModel):
    """Where a feed is read, shown this once: of its token only a hash is kept."""

    atom: str
    json_feed: str
