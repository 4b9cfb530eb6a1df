"""The watchlist as a file: a term a line, or a table with a head."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from ctiscraper.errors import CatalogError
from ctiscraper.weighing import DEFAULT_WATCH_WEIGHT, WatchKind

COLUMNS = ("kind", "term", "weight", "note")
MOST_ROWS = 2_000
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """A row of a file as it was written; `row` counts its lines from 1."""

    row: int
    kind: str
    term: str
    weight: str = ""
    note: str = ""


def read_watch_file(body: bytes, *, name: str = "the file") -> tuple[WatchRow, ...]:
    """Return the rows of a watchlist file.

    A table has a head with `term`, and may have `kind`, `weight` and `note`; any other file is a
    text with a term a line, or `kind: term`, and comments after `#`. Raises CatalogError.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(
            [f"{name} is not UTF-8: save it as UTF-8 and import it again"]
        ) from error
    head, _, _ = text.lstrip().partition("\n")
    separator = next((one for one in _SEPARATORS if one in head), ",")
    names = [column.strip().strip('"').lower() for column in head.split(separator)]
    rows = tuple(_of_table(text, separator) if "term" in names else _of_lines(text))
    if len(rows) > MOST_ROWS:
        raise CatalogError([f"{name} has {len(rows)} rows, at most {MOST_ROWS} are taken at once"])
    return rows


def write_watch_file(rows: Iterable[tuple[str, str, float, str]]) -> str:
    """Return entries (kind, term, weight, note) as a table that can be read again."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((kind, term, f"{weight:g}", note) for kind, term, weight, note in rows)
    return made.getvalue()


def _of_table(text: str, separator: str) -> Iterable[WatchRow]:
    reader = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=separator)
    try:
        names = [column.strip().lower() for column in next(reader)]
        for values in reader:
            row = dict(zip(names, (value.strip() for value in values), strict=False))
            if any(row.values()):
                yield WatchRow(
                    row=reader.line_num,
                    kind=row.get("kind", "") or WatchKind.KEYWORD,
                    term=row.get("term", ""),
                    weight=row.get("weight", ""),
                    note=row.get("note", ""),
                )
    except csv.Error as error:
        raise CatalogError([f"line {reader.line_num}: {error}"]) from error


def _of_lines(text: str) -> Iterable[WatchRow]:
    kinds = frozenset(WatchKind)
    for number, line in enumerate(text.splitlines(), 1):
        words, _, note = line.partition("#")
        before, colon, behind = words.partition(":")
        kind = before.strip().lower()
        if colon and kind in kinds:
            words = behind
        else:
            kind = WatchKind.KEYWORD
        if words.strip():
            yield WatchRow(row=number, kind=kind, term=words.strip(), note=note.strip())


def weight_of(written: str) -> float:
    """Return a weight as it was written, the usual one for none; NaN for what is no number."""
    if not written:
        return DEFAULT_WATCH_WEIGHT
    try:
        return float(written)
    except ValueError:
        return float("nan")
