"""Plain lists as JSON, made of rows at once: lists are asked for most, and by programs in bulk."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ctiscraper.db.article_rows import EVIDENCE, SCORE_DIGITS, Row

_encoder = msgspec.json.Encoder()


class _Source(msgspec.Struct, frozen=True, gc=False):
    key: str
    name: str


class _Part(msgspec.Struct, frozen=True, gc=False):
    """The fields of `ScoredPart`."""

    name: str
    value: float
    weight: float
    evidence: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    note: str = ""


class _Listed(msgspec.Struct, frozen=True, gc=False):
    """The fields of `ArticleSummary`: a struct is made in a tenth of the time."""

    id: int
    title: str
    url: str
    source: _Source
    tier: str
    summary: str
    language: str | None
    published_at: datetime | None
    collected_at: datetime
    listed_at: datetime
    reading_minutes: int
    word_count: int
    tags: list[str]
    method: str
    revision: int
    duplicate_of: int | None
    folded: int
    folded_sources: Sequence[_Source]
    score: float | None
    parts: Sequence[_Part]
    snippet: None = None


class _Page(msgspec.Struct, frozen=True):
    """The fields of `ArticlePage`."""

    articles: list[_Listed]
    next: str | None
    found: None = None
    searched_to: None = None
    notes: tuple[()] = ()
    suggestions: tuple[()] = ()
    facets: None = None


_parts = msgspec.json.Decoder(list[_Part])


def encoded_page(rows: Sequence[Row], following: str | None) -> bytes:
    """Return rows of SUMMARY as the JSON of an `ArticlePage` of them."""
    return _encoder.encode(_Page([_listed(row) for row in rows], following))


def _listed(row: Row) -> _Listed:
    return _Listed(  # type: ignore[call-arg]  # a part of a row may be of any length
        *row[:3],
        _Source(row[3], row[4]),
        *row[5:18],
        _sources(row[18]),
        None if row[19] is None else round(row[19], SCORE_DIGITS),
        [_first(part) for part in _parts.decode(row[20])] if row[20] else (),
    )


def _sources(given: Sequence[tuple[str, str]] | None) -> Sequence[_Source]:
    return [_Source(key, name) for key, name in given] if given else ()


def _first(part: _Part) -> _Part:
    """Return a part with the first of its evidence."""
    if len(part.evidence) <= EVIDENCE and len(part.places) <= EVIDENCE:
        return part
    return replace(part, evidence=part.evidence[:EVIDENCE], places=part.places[:EVIDENCE])
