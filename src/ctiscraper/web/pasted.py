"""What is known of everything that a pasted list, log or report names."""

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from ctiscraper.db.entities import LOOKUP_MOST, Entities
from ctiscraper.entity_views import Answered
from ctiscraper.lookup import named_in
from ctiscraper.share.tabular import Cell, Table, csv_heads, csv_lines
from ctiscraper.web.forms import FIELDS_MOST

MOST_SHOWN = 1_000
"""How many answers a page shows; the table for other programs has all."""

_ORDER = {"known": 0, "benign": 1, "unknown": 2}
_HEAD = (
    "kind", "value", "state", "verdict", "articles", "sources", "first_seen", "last_seen",
    "freshness", "number",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedAnswers:
    """The answers, what is known first; `left_out` different values were too many."""

    answers: tuple[Answered, ...]
    known: int
    benign: int
    unknown: int
    left_out: int


async def read_text(request: Request) -> str:
    """Return the text of the box. Raises RequestValidationError."""
    body = await request.body()
    try:
        return await asyncio.to_thread(_text_of, body)
    except ValueError as error:
        fault = {"loc": ("body",), "msg": "the form could not be read", "type": "form"}
        raise RequestValidationError([fault]) from error


def _text_of(body: bytes) -> str:
    sent = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    return sent.get("text", [""])[-1].replace("\r\n", "\n")


async def look_up(entities: Entities, text: str) -> PastedAnswers:
    """Return what is known of the first 10,000 different values of a text."""
    values = await asyncio.to_thread(values_of, text)
    answers = await entities.lookup(values[:LOOKUP_MOST])
    states = [one.state for one in answers]
    return PastedAnswers(
        answers=tuple(sorted(answers, key=lambda one: _ORDER[one.state])),
        known=states.count("known"),
        benign=states.count("benign"),
        unknown=states.count("unknown"),
        left_out=max(0, len(values) - LOOKUP_MOST),
    )


def values_of(text: str) -> list[tuple[str, str]]:
    """Return the different values that a text names, as pairs of kind and value, in order."""
    return list(dict.fromkeys((kind, value) for _, kind, value in named_in(text)))


def to_csv(found: PastedAnswers) -> str:
    """Return the answers as a table; a value that a spreadsheet would compute is quoted for it."""
    return csv_heads(_TABLE) + "".join(csv_lines(_TABLE, found.answers, defanged=False))


def _cells(answer: Answered, _defanged: bool) -> tuple[Cell, ...]:
    entity = answer.entity
    known: tuple[Cell, ...] = (None,) * 7
    if entity is not None:
        known = (
            *(entity.verdict, entity.articles, entity.sources, entity.first_seen),
            *(entity.last_seen, entity.freshness, entity.id),
        )
    return (answer.kind, answer.value, answer.state, *known)


_TABLE = Table(_HEAD, _cells)
