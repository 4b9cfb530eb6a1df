"""What the pages of things that articles name may be asked and sent."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ctiscraper.db.entities import EntityQuery
from ctiscraper.intelligence import Verdict
from ctiscraper.web.kind_words import GROUPS
from ctiscraper.web.schemas import Cursor, Key, Line, MatrixName, PageFilters, RowId


def _none(value: object) -> object:
    """An empty field of a form is one that was left open."""
    return None if isinstance(value, str) and not value.strip() else value


_Open = BeforeValidator(_none)
_KINDS = {group.name: tuple(group.kinds) for group in GROUPS}
_HELD = (Verdict.MALICIOUS, Verdict.SUSPICIOUS)
Kind = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]


class EntityFilters(BaseModel):
    """The filter bar of the list of things; what it does not know is left aside.

    `kind` is a kind or the name of a group of them; the verdict `held` is malicious or suspicious.
    """

    model_config = ConfigDict(extra="ignore")

    kind: Annotated[Kind | None, _Open] = None
    verdict: Annotated[Verdict | Literal["held"] | None, _Open] = None
    q: Annotated[Line | None, _Open] = None
    under: Annotated[Line | None, _Open] = None
    source: Annotated[Key | None, _Open] = None
    cursor: Annotated[Cursor | None, _Open] = None

    def query(self) -> EntityQuery:
        """Return the filters as the database takes them."""
        return EntityQuery(
            kinds=_KINDS.get(self.kind, (self.kind,)) if self.kind else (),
            verdicts=_HELD if self.verdict == "held" else (self.verdict,) if self.verdict else (),
            q=self.q,
            under=self.under.strip().strip(".").replace("[.]", ".") if self.under else None,
            source=self.source,
        )

    def chosen(self) -> dict[str, object]:
        """Return the filters that are set, for addresses of further pages."""
        return self.model_dump(mode="json", exclude={"cursor"}, exclude_none=True)


class SightingParameters(BaseModel):
    """Where the list of a thing's articles goes on."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[Cursor | None, _Open] = None


class MatrixFilters(PageFilters):
    """Of which articles the techniques are counted, and in which matrix they are shown."""

    matrix: MatrixName = "enterprise-attack"

    def chosen(self) -> dict[str, object]:
        """Return the filters that are set, less the matrix."""
        return self.model_dump(mode="json", exclude={"cursor", "matrix"}, exclude_none=True)


class VerdictForm(BaseModel):
    """A decision on a thing; `here` is the page to return to.

    `scope` is the value, the value in one source (its key follows), or a domain and all below it.
    """

    model_config = ConfigDict(extra="forbid")

    entity: RowId
    verdict: Verdict
    scope: Annotated[
        str, Field(pattern=r"^(value|source [a-z0-9][a-z0-9_-]{0,63}|domain [^\s]{1,253})$")
    ] = "value"
    reason: Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    here: str = "/indicators"


class UndoForm(BaseModel):
    """A decision that holds no more; `here` is the page to return to."""

    model_config = ConfigDict(extra="forbid")

    verdict: RowId
    entity: RowId
    here: str = "/indicators"
