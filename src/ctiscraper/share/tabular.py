"""Results as tables for other programs: CSV (RFC 4180), and JSON a line a row."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from ctiscraper.audit_views import AuditEntry
from ctiscraper.defang import defang
from ctiscraper.entity_views import (
    EntitySighting,
    EntitySummary,
    Evidence,
    LookedUp,
    TeamVerdict,
)
from ctiscraper.views import ArticleSummary

Row = TypeVar("Row")
Cell = str | int | float | datetime | None

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """The columns of a result, and how a row fills them; the flag asks for defanged values."""

    heads: tuple[str, ...]
    cells: Callable[[Row, bool], tuple[Cell, ...]]


def csv_lines(table: Table[Row], rows: Iterable[Row], *, defanged: bool) -> Iterator[str]:
    """Return a line of CSV for each row, without the line of heads."""
    return (_line(table.cells(row, defanged)) for row in rows)


def csv_heads(table: Table[Row]) -> str:
    """Return the line that names the columns."""
    return _line(table.heads)


def json_lines(rows: Iterable[object]) -> Iterator[str]:
    """Return a JSON document on a line for each row."""
    return (msgspec.json.encode(row).decode() + "\n" for row in rows)


def _line(cells: Iterable[Cell]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_written(cell) for cell in cells])
    return buffer.getvalue()


def _written(cell: Cell) -> str | int | float:
    """Return a cell as it is written: text that a spreadsheet would run begins with a quote."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\0", "")
    return f"'{text}" if text[:1] in _FORMULA else text


_THING = (
    *("id", "kind", "value", "name", "verdict", "team_verdict", "articles", "sources"),
    *("first_seen", "last_seen", "freshness"),
)
_ARTICLE = ("article", "listed", "source", "title", "url")


def _thing(one: EntitySummary, defanged: bool) -> tuple[Cell, ...]:
    value = defang(one.kind, one.value) if defanged else one.value
    return (
        *(one.id, one.kind, value, one.name, one.verdict, one.team, one.articles, one.sources),
        *(one.first_seen, one.last_seen, one.freshness),
    )


def _article(one: ArticleSummary) -> tuple[Cell, ...]:
    return one.id, one.listed_at, one.source.key, one.title, one.url


def _sighting(one: EntitySighting, _defanged: bool) -> tuple[Cell, ...]:
    said = (one.count, one.verdict, "; ".join(one.reasons), one.alias, one.rule)
    return (*_article(one.article), *said, one.excerpt)


def _summary(one: ArticleSummary, _defanged: bool) -> tuple[Cell, ...]:
    return (
        *_article(one),
        *(one.tier, one.language, one.published_at, one.collected_at, one.word_count),
        *("; ".join(one.tags), one.folded, one.summary),
    )


def _evidence(one: Evidence, defanged: bool) -> tuple[Cell, ...]:
    mention, entity = one.mention, one.mention.entity
    value = defang(entity.kind, entity.value) if defanged else entity.value
    said = (mention.verdict, mention.found_verdict, "; ".join(mention.reasons), mention.count)
    how = (mention.alias, mention.rule, mention.extractor, mention.version)
    first = one.places[0] if one.places else None
    words = (first.start, first.end, first.words, first.sentence, first.section) if first else ()
    return (entity.id, entity.kind, value, entity.name, *said, *how, *words, *_EMPTY[len(words) :])


_PLACE = ("start", "end", "words", "sentence", "section")
_EMPTY = (None,) * len(_PLACE)


def _looked_up(one: LookedUp, defanged: bool) -> tuple[Cell, ...]:
    value = defang(one.kind, one.value) if defanged else one.value
    if one.entity is None:
        return one.given, one.kind, value, one.state, *(None,) * 7
    known = one.entity
    counts = (known.articles, known.sources, known.first_seen, known.last_seen)
    return one.given, one.kind, value, one.state, known.id, known.name, known.verdict, *counts


def _verdict(one: TeamVerdict, defanged: bool) -> tuple[Cell, ...]:
    kind = "domain" if one.scope == "domain" else one.kind
    value = defang(kind, one.value) if defanged else one.value
    return (
        *(one.id, one.scope, one.kind, value, one.source.key if one.source else ""),
        *(one.verdict, one.reason, one.actor, one.made_at, one.undone_at, one.undone_by),
    )


def _audited(one: AuditEntry, _defanged: bool) -> tuple[Cell, ...]:
    who = (one.actor_kind, one.actor_id, one.actor_token, one.actor_name)
    what = (one.action, one.object_kind, one.object_id, one.changes)
    hashes = (one.before_hash, one.after_hash, one.previous_hash, one.hash)
    return (one.id, one.at, *who, *what, one.ip, one.request_id, *hashes)


ENTITIES = Table(_THING, _thing)
SIGHTINGS = Table((*_ARTICLE, "times", "verdict", "reasons", "alias", "rule", "excerpt"), _sighting)
EVIDENCE = Table(
    (
        *("id", "kind", "value", "name", "verdict", "found_verdict", "reasons", "times"),
        *("alias", "rule", "extractor", "version", *_PLACE),
    ),
    _evidence,
)
LOOKUP = Table(
    (
        *("given", "kind", "value", "state", "id", "name", "verdict", "articles", "sources"),
        *("first_seen", "last_seen"),
    ),
    _looked_up,
)
ARTICLES = Table(
    (
        *_ARTICLE,
        *("tier", "language", "published", "collected", "words", "tags", "repeated", "summary"),
    ),
    _summary,
)
VERDICTS = Table(
    (
        *("id", "scope", "kind", "value", "source", "verdict", "reason", "actor", "made"),
        *("undone", "undone_by"),
    ),
    _verdict,
)
AUDIT = Table(
    (
        *("id", "at", "actor_kind", "actor_id", "actor_token", "actor_name"),
        *("action", "object_kind", "object_id", "changes", "ip", "request_id"),
        *("before_hash", "after_hash", "previous_hash", "hash"),
    ),
    _audited,
)
