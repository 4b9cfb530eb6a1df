"""Labelled texts are read in one way, whatever is marked in them."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from ctiscraper.enrich.labelled import bundled, reports_of
from ctiscraper.errors import CatalogError, SettingsError


def write(folder: Path, raw: bytes) -> Path:
    file = folder / "data" / "ioc" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    return folder


def name(read: Mapping[str, object]) -> str | None:
    return str(read["id"]) if read["set"] == "ours" else None


@pytest.mark.parametrize("corpus", ["observables", "verdicts", "attack", "names"])
def test_texts_come_along_for_all_that_is_evaluated(corpus: str) -> None:
    assert len(bundled(corpus)) >= 5
    assert all(one["text"] for one in bundled(corpus))


def test_reports_are_a_line_each_and_some_are_left_out(tmp_path: Path) -> None:
    lines = b'{"id": 1, "set": "ours"}\n\n{"id": 2, "set": "theirs"}\n{"id": 3, "set": "ours"}\n'
    assert reports_of(write(tmp_path, gzip.compress(lines)), "ioc", name) == ["1", "3"]


@pytest.mark.parametrize(
    "raw",
    [
        b"plain text",
        gzip.compress(b'{"id": 1, "set": "ours"}')[:-9],
        gzip.compress(b"\xff"),
        gzip.compress(b"{"),
        gzip.compress(b"[1]"),
        gzip.compress(b'{"set": "ours"}'),
    ],
    ids=["no gzip", "cut", "no UTF-8", "no JSON", "no object", "no id"],
)
def test_what_cannot_be_read_is_told_with_its_file(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(CatalogError) as caught:
        reports_of(write(tmp_path, raw), "ioc", name)
    assert "docs.jsonl.gz cannot be read" in caught.value.problems[0]


def test_a_folder_without_reports_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no data/attack/docs\.jsonl\.gz: name a folder"):
        reports_of(write(tmp_path, b""), "attack", name)
