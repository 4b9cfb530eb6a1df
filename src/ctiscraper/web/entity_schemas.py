"""What callers may ask and send about what articles name."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ctiscraper.db.entities import LOOKUP_MOST, EntityQuery
from ctiscraper.db.similar import MOST
from ctiscraper.db.verdicts import Decision, Scope
from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name, Verdict
from ctiscraper.lookup import to_decision
from ctiscraper.web.schemas import Cursor, Key, Limit, Line, RowId
from ctiscraper.web.tables import FormParameters

LONGEST_VALUE = 8192
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
Value = Annotated[str, Field(max_length=LONGEST_VALUE)]


class SimilarParameters(BaseModel):
    """How many similar articles are given."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(MOST, ge=1, le=20, description="how many at most")


class EntityParameters(FormParameters):
    """What a list of things is narrowed to."""

    kind: list[Kind | Name] = Field(
        default_factory=list, max_length=40, description="any of these; may be repeated"
    )
    verdict: list[Verdict] = Field(
        default_factory=list, max_length=4, description="any of these; names have none"
    )
    q: Line | None = Field(None, description="the beginning of the name or value")
    under: Host | None = Field(None, description="a domain: itself and all below it")
    source: Key | None = Field(None, description="named by this source")
    cursor: Cursor | None = None
    limit: Limit = 50

    def query(self) -> EntityQuery:
        """Return the filters as the database takes them."""
        return EntityQuery(
            kinds=[one.value for one in self.kind],
            verdicts=[one.value for one in self.verdict],
            q=self.q,
            under=self.under,
            source=self.source,
        )


class SightingParameters(FormParameters):
    """Which of the articles that name a thing are listed."""

    cursor: Cursor | None = None
    limit: Limit = 50


class EvidenceParameters(FormParameters):
    """What is told of the things that an article names."""

    kind: list[Kind | Name] = Field(default_factory=list, max_length=40)
    places: Annotated[int, Field(ge=0, le=50, description="of each thing, with sentences")] = 3


class NeighbourParameters(BaseModel):
    """How many neighbours are told."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=50)] = 10


class LookupIn(BaseModel):
    """Values to be looked up, or a text that names them; defanged or not."""

    model_config = ConfigDict(extra="forbid")

    values: Annotated[
        list[Value] | None,
        Field(
            max_length=LOOKUP_MOST,
            examples=[["hxxp://evil[.]example/a", "203.0.113[.]9", "Emotet"]],
        ),
    ] = None
    text: str | None = Field(None, examples=["The loader calls evil[.]example."])

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.values is None) == (self.text is None):
            raise ValueError("give either values or a text")
        return self


class VerdictParameters(FormParameters):
    """Which decisions are listed."""

    standing: bool = Field(default=False, description="only those that hold")
    cursor: Cursor | None = None
    limit: Limit = 50


class VerdictIn(BaseModel):
    """A decision: of a value, of a domain with all below it, or of a value in one source."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[str, Field(min_length=1, max_length=LONGEST_VALUE, examples=["cdn[.]example"])]
    verdict: Verdict
    scope: Scope = Scope.VALUE
    kind: Kind | Name | None = Field(None, description="where the value does not tell it")
    source: Key | None = Field(None, description="for the scope 'source'")
    reason: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""

    def decision(self) -> Decision:
        """Return it as the database takes it. Raises InputError."""
        return to_decision(
            self.value,
            self.verdict,
            scope=self.scope,
            kind=self.kind.value if self.kind else "",
            source=self.source,
            reason=self.reason,
        )


class FailureParameters(BaseModel):
    """Which articles that could not be looked through are listed."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor | None = None
    limit: Limit = 50


class FailedNumbers(BaseModel):
    """Which articles are looked through again; without numbers all that could not be."""

    model_config = ConfigDict(extra="forbid")

    articles: Annotated[list[RowId], Field(min_length=1, max_length=1000)] | None = None
