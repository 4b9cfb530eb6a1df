"""Long columns of values as PostgreSQL reads them: psycopg takes ten times as long for a list."""

from collections.abc import Iterable


def array(values: Iterable[int | str]) -> str:
    """Return an array of what needs no quotes: numbers, or words of letters and digits."""
    return "{" + ",".join(map(str, values)) + "}"


def text_array(values: Iterable[str | None]) -> str:
    """Return an array of any texts; None is NULL."""
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
