"""What commands print: tables and words for people, JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from ctiscraper.errors import CatalogError, CTIScraperError, SearchSyntaxError
from ctiscraper.share.tabular import Table, csv_heads, csv_lines

Row = TypeVar("Row")

PIPE_WIDTH = 200
# How much of a long search stands to either side of a mistake.
_AROUND = 60


def console(*, stderr: bool = False) -> Console:
    """Return the terminal, without colour and wide where it is none."""
    made = Console(highlight=False, markup=False, emoji=False, stderr=stderr, soft_wrap=True)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def plain(text: str, *, lines: bool = False) -> str:
    """Return text that cannot steer the terminal: what a site wrote is shown, never obeyed."""
    return "".join(char if char.isprintable() or (lines and char == "\n") else " " for char in text)


def print_json(value: object) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_csv(
    table: Table[Row], rows: Iterable[Row], *, defanged: bool, heads: bool = True
) -> None:
    """Print rows as CSV, under a line of heads."""
    if heads:
        sys.stdout.write(csv_heads(table))
    for line in csv_lines(table, rows, defanged=defanged):
        sys.stdout.write(line)
    sys.stdout.flush()


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text."""
    screen = console()
    for line in lines:
        screen.print(Text(plain(line)))


def print_text(text: str) -> None:
    """Print many lines that a site wrote, wrapped at words."""
    console().print(Text(plain(text, lines=True)), soft_wrap=False)


def made_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> RichTable:
    """Return a table; numbers are set to the right."""
    body = [list(row) for row in rows]
    table = RichTable(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for at, head in enumerate(heads):
        numbers = bool(body) and all(isinstance(row[at], int | float) for row in body)
        table.add_column(head, justify="right" if numbers else "left", overflow="fold")
    for row in body:
        table.add_row(*map(_cell, row))
    return table


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are set to the right."""
    print_parts([made_table(heads, rows)])


def print_parts(parts: Iterable[RenderableType]) -> None:
    """Print tables and texts one below the other, no line longer than it has to be."""
    screen = console()
    for part in parts:
        if screen.is_terminal:
            screen.print(part, soft_wrap=False)
            continue
        with screen.capture() as capture:
            screen.print(part, soft_wrap=False)
        for line in capture.get().splitlines():
            sys.stdout.write(line.rstrip() + "\n")


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names with their values, one a line; those without a value are left out."""
    kept = [(name, value) for name, value in facts if value not in {None, ""}]
    width = max((len(name) for name, _ in kept), default=0)
    screen = console()
    for name, value in kept:
        screen.print(Text.assemble((f"{name:<{width}}  ", "bold"), _cell(value)))


def print_error(error: CTIScraperError, *, as_json: bool) -> None:
    """Print what went wrong to standard error."""
    if as_json:
        document = {
            "error": type(error).__name__.removesuffix("Error").lower(),
            "message": str(error),
        } | _more_of(error)
        sys.stderr.write(msgspec.json.encode(document).decode() + "\n")
        return
    screen = console(stderr=True)
    screen.print(Text.assemble(("ctiscraper: ", "bold red"), str(error)))
    if isinstance(error, SearchSyntaxError):
        for line in pointed_at(error):
            screen.print(Text(line))


def _more_of(error: CTIScraperError) -> dict[str, object]:
    if isinstance(error, CatalogError):
        return {"problems": error.problems}
    if isinstance(error, SearchSyntaxError):
        return {"position": error.position, "length": error.length}
    return {}


def pointed_at(error: SearchSyntaxError) -> tuple[str, str]:
    """Return the search around a mistake, and a line of carets under it."""
    start = max(0, error.position - _AROUND)
    end = min(len(error.text), error.position + _AROUND)
    before = plain(error.text[start : error.position])
    wrong = plain(error.text[error.position : min(end, error.position + error.length)])
    carets = " " * cell_len(before) + "^" * max(1, cell_len(wrong))
    return f"  {plain(error.text[start:end])}", f"  {carets}"


def print_note(words: str) -> None:
    """Print what a command that takes its time is at, to standard error."""
    console(stderr=True).print(Text(plain(f"ctiscraper: {words}")))


def counted(number: int, word: str) -> str:
    """Return a number with its noun."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def moment(at: datetime | None) -> str:
    """Return a time as people read it, in the terminal's zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else ""


def ago(at: datetime | None) -> str:
    """Return how long ago, or how soon, a moment is."""
    if at is None:
        return ""
    seconds = (datetime.now(UTC) - at).total_seconds()
    words = _span(abs(seconds))
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def due(at: datetime | None) -> str:
    """Return how soon a moment is, or that it has come."""
    if at is None:
        return ""
    return "now" if at <= datetime.now(UTC) else ago(at)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else plain(str(value)))
