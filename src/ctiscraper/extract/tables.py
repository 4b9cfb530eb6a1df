"""Tables: their rows, and whether they hold data or only lay out the page."""

from ctiscraper.extract.dom import Element, raw_text

_COLUMNS = 2
_PARAGRAPHS = 2
_SENTENCES = 120
_CELLS = frozenset({"td", "th"})
_PARTS = frozenset({"thead", "tbody", "tfoot"})


def table_rows(table: Element) -> list[list[Element]]:
    """The cells of each row, rows of nested tables left out."""
    rows: list[list[Element]] = []
    for part in table:
        if part.tag == "tr":
            rows.append([c for c in part if c.tag in _CELLS])
        elif part.tag in _PARTS:
            rows += [[c for c in r if c.tag in _CELLS] for r in part if r.tag == "tr"]
    return [r for r in rows if r]


def is_data_table(table: Element, rows: list[list[Element]]) -> bool:
    """False for a table that only lays out the page."""
    if table.get("role") == "presentation" or not rows:
        return False
    if next(table.iterdescendants("table"), None) is not None:
        return False
    if next(table.iterdescendants("th"), None) is not None:
        return True
    if (
        max(map(len, rows)) < _COLUMNS
        or next(table.iterdescendants("h1", "h2", "h3"), None) is not None
    ):
        return False
    return not any(_holds_prose(cell) for row in rows for cell in row)


def _holds_prose(cell: Element) -> bool:
    """True for a cell of several paragraphs: it holds a text, not a value."""
    prose = sum(1 for p in cell.iterdescendants("p") if len(raw_text(p)) > _SENTENCES)
    return prose >= _PARAGRAPHS


def spans_of(cell: Element) -> str:
    """The cell's colspan and rowspan as markup."""
    found = ((name, cell.get(name, "")) for name in ("colspan", "rowspan"))
    return "".join(f' {n}="{v}"' for n, v in found if v.isdecimal() and v != "1")
