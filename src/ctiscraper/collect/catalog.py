"""The catalogue of sources: a YAML file read strictly, with the line of every fault."""

from collections.abc import Mapping, Sequence
from importlib import resources

import yaml

from ctiscraper.collect.lined_yaml import LinedYaml, Place, read_lined_yaml
from ctiscraper.collect.source_fields import (
    label,
    read_settings,
    settings_from_mapping,
    settings_to_mapping,
)
from ctiscraper.errors import CatalogError
from ctiscraper.types import SourceSettings

__all__ = [
    "default_catalog",
    "dump_catalog",
    "load_catalog",
    "settings_from_mapping",
    "settings_to_mapping",
]

DEFAULT_NAME = "sources.yaml"
MAX_SOURCES = 5000


def load_catalog(text: str, *, name: str) -> tuple[SourceSettings, ...]:
    """Return the sources of a catalogue in its order; problems call the file `name`.

    Raises CatalogError with every fault, in line order, each as
    `name:LINE: source 'key': what is wrong; what to do`.
    """
    document = read_lined_yaml(text)
    found = _Faults(name, document)
    rows = _rows(document, found)
    sources = [settings for i, row in rows if (settings := found.read(i, row)) is not None]
    found.add_twins(rows)
    found.raise_all()
    return tuple(sources)


def default_catalog() -> tuple[SourceSettings, ...]:
    """Return the sources that come with the product."""
    text = resources.files(__package__).joinpath(DEFAULT_NAME).read_text(encoding="utf-8")
    return load_catalog(text, name=DEFAULT_NAME)


def dump_catalog(settings: Sequence[SourceSettings]) -> str:
    """Return the catalogue file of these sources, as `load_catalog` reads it."""
    return yaml.safe_dump(
        {"sources": [settings_to_mapping(source) for source in settings]},
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


class _Faults:
    """What is wrong with a catalogue, gathered with its lines."""

    def __init__(self, name: str, document: LinedYaml) -> None:
        self.name = name
        self.document = document
        self.found: list[tuple[int, str]] = []
        for problem in document.problems:
            self.add(problem.place, problem.text)

    def add(self, place: Place, text: str) -> None:
        self.found.append((self.document.line(place), f"{self._source(place)}{text}"))

    def read(self, index: int, row: Mapping[str, object]) -> SourceSettings | None:
        settings, problems = read_settings(row)
        for problem in problems:
            self.add(("sources", index, *problem.place), problem.text)
        return settings

    def add_twins(self, rows: Sequence[tuple[int, Mapping[str, object]]]) -> None:
        seen: dict[str, int] = {}
        for index, row in rows:
            key = row.get("key")
            if not isinstance(key, str):
                continue
            first = seen.setdefault(key, index)
            if first != index:
                line = self.document.line(("sources", first, "key"))
                text = f"the same key stands on line {line}; give each source its own"
                self.add(("sources", index, "key"), text)

    def raise_all(self) -> None:
        if self.found:
            ordered = sorted(self.found, key=lambda fault: fault[0])
            raise CatalogError([f"{self.name}:{line}: {text}" for line, text in ordered])

    def _source(self, place: Place) -> str:
        data = self.document.data
        if len(place) < 2 or not isinstance(data, dict):  # noqa: PLR2004 - ("sources", index, …)
            return ""
        rows, index = data.get("sources"), place[1]
        if not isinstance(rows, list) or not isinstance(index, int):
            return ""
        return f"{label(rows[index])}: " if isinstance(rows[index], dict) else ""


def _rows(document: LinedYaml, found: _Faults) -> list[tuple[int, Mapping[str, object]]]:
    """Return the entries that are mappings with their index; the others become faults."""
    data = document.data
    if not isinstance(data, dict) or "sources" not in data:
        if not document.problems:
            found.add((), "no list of sources; start the file with 'sources:'")
        return []
    for key in data:
        if key != "sources":
            found.add((key,), f"unknown key {key[:64]!r}; only 'sources' stands at the top")
    rows = data["sources"]
    if not isinstance(rows, list) or len(rows) > MAX_SOURCES:
        found.add(("sources",), f"'sources' must be a list of at most {MAX_SOURCES}; write - key:")
        return []
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            found.add(("sources", index), "an entry is no mapping; write - key: …")
    return [(i, row) for i, row in enumerate(rows) if isinstance(row, dict)]
