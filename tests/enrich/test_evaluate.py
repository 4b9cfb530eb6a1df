"""Evaluation: counted right, and no worse than it was."""

import gzip
import json
from pathlib import Path

import pytest

from ctiscraper.enrich.evaluate import Labelled, Score, bundled_corpus, corpus_in, evaluate
from ctiscraper.enrich.kinds import Kind
from ctiscraper.errors import CatalogError, SettingsError

# What the texts that come along reached; to go below it is to have made something worse.
PRECISION, RECALL = 1.0, 1.0


def test_the_texts_that_come_along_are_read_as_well_as_ever() -> None:
    done = evaluate(bundled_corpus())
    assert done.total.right >= 49
    assert (done.total.precision, done.total.recall) >= (PRECISION, RECALL), (
        done.misses,
        done.extras,
    )


def test_errors_are_counted_and_named() -> None:
    text = Labelled(
        name="one",
        text="1.1.1.1 and 2.2.2.2, evil.com",
        marked=frozenset({(Kind.IPV4, "1.1.1.1"), (Kind.IPV4, "3.3.3.3")}),
        kinds=frozenset({Kind.IPV4}),
    )
    done = evaluate([text])
    assert done.by_kind == {Kind.IPV4: Score(right=1, extra=1, missed=1)}
    assert done.misses == (("one", Kind.IPV4, "3.3.3.3"),)
    assert done.extras == (("one", Kind.IPV4, "2.2.2.2"),)
    assert (done.total.precision, done.total.recall, done.total.f1) == (0.5, 0.5, 0.5)


def test_nothing_to_find_and_nothing_found_is_perfect_and_nothing_right_is_not() -> None:
    assert (Score().precision, Score().recall) == (1.0, 1.0)
    assert Score(extra=1, missed=1).f1 == 0.0


def write(folder: Path, *reports: object) -> Path:
    file = folder / "data" / "ioc" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, reports)).encode()))
    return folder


def test_reports_of_a_folder_are_read_with_what_is_neutral(tmp_path: Path) -> None:
    report = {
        "id": "r",
        "text": "hxxp://a.example.com/x b.example.com duskgytldkxiuqc6.onion c.example.com",
        "truth": [["url", "http://a.example.com/x"], ["domain", "duskgytldkxiuqc6.onion"]],
        "also": [["domain", "c.example.com"]],
    }
    done = evaluate(corpus_in(write(tmp_path, report)))
    assert done.total == Score(right=2, extra=1)
    assert done.extras == (("r", Kind.DOMAIN, "b.example.com"),)


def test_the_root_url_of_a_marked_host_is_neutral(tmp_path: Path) -> None:
    report = {
        "id": "r",
        "text": "URLs\n\na.example.com\nb.example.com\nhxxp://c.example.com/x",
        "truth": [["url", "http://c.example.com/x"], ["domain", "a.example.com"]],
        "also": [["domain", "b.example.com"]],
    }
    done = evaluate(corpus_in(write(tmp_path, report)))
    assert done.total == Score(right=2)


def test_a_folder_without_reports_and_broken_ones_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no data/ioc"):
        corpus_in(tmp_path)
    file = write(tmp_path, {"id": "r", "text": "x", "truth": [["planet", "Mars"]]})
    with pytest.raises(CatalogError, match="cannot be read"):
        corpus_in(file)
