"""Results as CSV, or JSON a line a row: read a page at a time, so of any length."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ctiscraper.identity import Permission
from ctiscraper.share.tabular import Table, csv_heads, csv_lines, json_lines
from ctiscraper.web.auditing import tell
from ctiscraper.web.who import require

Row = TypeVar("Row")
Ask = Callable[[str | None, int], Awaitable[tuple[Sequence[Row], str | None]]]
"""Asks for the page from a cursor on, of so many rows; gives it and the next cursor."""

PAGE = 200
# What the rows of a list are, by the last part of its address.
_KINDS = {"articles": "article", "entities": "entity", "verdicts": "verdict"}


class Format(StrEnum):
    """In what form a result is answered."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


_MEDIA = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.NDJSON: "application/x-ndjson",
}
_ACCEPTED = {media.partition(";")[0]: form for form, media in _MEDIA.items()}
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/x-ndjson": {}}}
}


class FormParameters(BaseModel):
    """The form of a result."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[
        Format | None,
        Field(description="json, or the whole result as csv or ndjson; else as Accept asks"),
    ] = None
    values: Annotated[
        Literal["refanged", "defanged"],
        Field(description="how CSV spells addresses"),
    ] = "refanged"

    def form(self, request: Request) -> Format:
        """Return what is asked for, by parameter or by Accept (the first that is known).

        That a whole result is handed out is noted in the audit log.
        Raises HTTPException for whoever may read it and not take it away.
        """
        form = self._form(request)
        if form is not Format.JSON:
            require(request.state.principal, Permission.ARTICLE_EXPORT)
            last = request.url.path.rstrip("/").rpartition("/")[2]
            action = f"{_KINDS.get(last, last)}.export"
            tell(request, action=action, format=form, query=request.url.query)
        return form

    def _form(self, request: Request) -> Format:
        if self.format is not None:
            return self.format
        for part in request.headers.get("accept", "").lower().split(","):
            form = _ACCEPTED.get(part.partition(";")[0].strip())
            if form is not None:
                return form
        return Format.JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How a result is written: its form, its spelling and the name of its file."""

    form: Format
    defanged: bool
    name: str

    @classmethod
    def of(cls, parameters: FormParameters, form: Format, name: str) -> "Export":
        """Return what parameters ask for."""
        return cls(form=form, defanged=parameters.values == "defanged", name=name)

    @property
    def media_type(self) -> str:
        """The type of its content."""
        return _MEDIA[self.form]

    @property
    def headers(self) -> dict[str, str]:
        """What is said of the file."""
        return {
            "content-disposition": f'attachment; filename="{self.name}.{self.form}"',
            "vary": "accept",
        }

    def heads(self, table: Table[Row]) -> str:
        """Return the line above the rows, if there is one."""
        return csv_heads(table) if self.form is Format.CSV else ""

    def lines(self, table: Table[Row], rows: Sequence[Row]) -> str:
        """Return rows as they are written."""
        made = (
            csv_lines(table, rows, defanged=self.defanged)
            if self.form is Format.CSV
            else json_lines(rows)
        )
        return "".join(made)


async def streamed(
    table: Table[Row], ask: Ask[Row], export: Export, *, cursor: str | None, most: int | None
) -> Response:
    """Return the answer with all rows from a cursor on, `most` at most.

    The first page is read before anything is sent: what is wrong is answered as a problem.
    """
    first = await ask(cursor, min(PAGE, most or PAGE))

    async def lines() -> AsyncIterator[str]:
        rows, following = first
        yield export.heads(table) + export.lines(table, rows)
        sent = len(rows)
        while following is not None and (most is None or sent < most):
            rows, following = await ask(following, PAGE if most is None else min(PAGE, most - sent))
            sent += len(rows)
            yield export.lines(table, rows)

    return StreamingResponse(lines(), media_type=export.media_type, headers=export.headers)


def written(table: Table[Row], rows: Sequence[Row], export: Export) -> Response:
    """Return the answer with these rows."""
    body = export.heads(table) + export.lines(table, rows)
    return Response(body, media_type=export.media_type, headers=export.headers)
