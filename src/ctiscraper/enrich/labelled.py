"""Texts in which a reader marked things: those that come along, and those of a folder."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ctiscraper.errors import CatalogError, SettingsError

Report = TypeVar("Report")


def bundled(name: str) -> list[dict[str, Any]]:
    """Return the labelled texts of a name that come with the program."""
    listed = files("ctiscraper.enrich").joinpath("corpus", f"{name}.yaml").read_text("utf-8")
    read: list[dict[str, Any]] = yaml.safe_load(listed)
    return read


def reports_of(
    folder: Path, name: str, read: Callable[[Mapping[str, object]], Report | None]
) -> list[Report]:
    """Return what `read` makes of each report of a folder; those that it makes nothing of are out.

    The file is `data/NAME/docs.jsonl.gz`, a JSON text a line. Raises SettingsError where there is
    none, CatalogError when it cannot be read.
    """
    file = Path("data") / name / "docs.jsonl.gz"
    if not (folder / file).is_file():
        raise SettingsError(f"{folder} has no {file}: name a folder with labelled reports")
    try:
        lines = gzip.decompress((folder / file).read_bytes()).decode().split("\n")
        reports = [read(_object(line)) for line in lines if line.strip()]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise CatalogError([f"{folder / file} cannot be read: {error}"]) from error
    return [report for report in reports if report is not None]


def _object(line: str) -> Mapping[str, object]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError("a report is an object")
    return found
