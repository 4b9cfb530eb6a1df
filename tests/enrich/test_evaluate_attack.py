"""Evaluation of techniques: counted right, and no worse than it was."""

import gzip
import json
from pathlib import Path

import pytest

from ctiscraper.enrich.attack import Techniques
from ctiscraper.enrich.evaluate import Score, total_of
from ctiscraper.enrich.evaluate_attack import (
    Report,
    bundled_reports,
    evaluate_attack,
    reports_in,
)
from ctiscraper.errors import CatalogError, SettingsError
from ctiscraper.packs.attack import build_default

TECHNIQUES = Techniques(build_default()[1])
# What the texts that come along reached; to go below it is to have made something worse.
PRECISION, RECALL = 1.0, 0.86


def test_the_texts_that_come_along_are_read_as_well_as_ever() -> None:
    reports = bundled_reports()
    done = evaluate_attack(reports, TECHNIQUES)
    total = total_of(done.by_set.values())
    assert len(reports) >= 50
    assert total.precision >= PRECISION, done.extras
    assert total.recall >= RECALL, done.misses


def report(name: str, text: str, *techniques: str, of: str = "own") -> Report:
    return Report(name=name, set=of, text=text, techniques=frozenset(techniques))


def test_errors_are_counted_and_named_by_set_and_rule() -> None:
    done = evaluate_attack(
        [
            report("a", "T1113 and T1055.012", "T1113", "T1123"),
            report("b", "It takes screenshots.", "T1113", "T1055.001"),
        ],
        TECHNIQUES,
    )
    assert done.by_set == {"own": Score(right=2, extra=1, missed=2)}
    assert done.by_rule == {
        "id T1055.012": Score(extra=1),
        "id T1113": Score(right=1),
        "screenshot T1113": Score(right=1),
    }
    assert done.misses == (("a", "T1123"), ("b", "T1055.001"))
    assert done.extras == (("a", "T1055.012", "id"),)


def test_a_set_without_parts_is_compared_without_them() -> None:
    done = evaluate_attack([report("a", "T1055.012", "T1055")], TECHNIQUES)
    assert done.by_set == {"own": Score(right=1)}


def test_of_a_set_with_a_list_other_techniques_do_not_count() -> None:
    reports = [report("a", "T1113 T1123 T1574.001", "T1113", "T1574.002", of="tram2")]
    assert evaluate_attack(reports, TECHNIQUES).by_set == {"tram2": Score(right=2)}


def write(folder: Path, *reports: object) -> Path:
    file = folder / "data" / "attack" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, reports)).encode()))
    return folder


def test_reports_of_a_folder_are_read(tmp_path: Path) -> None:
    read = {"id": "r", "set": "s", "text": "T1113", "techniques": ["T1113"], "spans": []}
    assert reports_in(write(tmp_path, read)) == [report("r", "T1113", "T1113", of="s")]


def test_a_folder_without_reports_and_broken_ones_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no data/attack"):
        reports_in(tmp_path)
    with pytest.raises(CatalogError, match="cannot be read"):
        reports_in(write(tmp_path, {"id": "r", "set": "s", "text": "x", "techniques": 3}))
