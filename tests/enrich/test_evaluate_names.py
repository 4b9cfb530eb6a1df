"""Evaluation of names: counted right, and no worse than it was."""

import gzip
import json
from pathlib import Path

import pytest

from ctiscraper.enrich.evaluate import Score
from ctiscraper.enrich.evaluate_names import (
    NamedText,
    Thing,
    bundled_names,
    evaluate_names,
    names_in,
)
from ctiscraper.errors import CatalogError, SettingsError
from ctiscraper.intelligence import Name
from name_packs import names

EVAL = Path(__file__).resolve().parents[2].parent / "shared" / "eval"
# What the texts that come along reached; to go below it is to have made something worse.
PRECISION, RECALL = 1.0, 1.0


def test_the_sentences_that_come_along_are_read_as_well_as_ever() -> None:
    corpus = bundled_names()
    done = evaluate_names(corpus, names())
    assert len(corpus) >= 70
    assert (done.total.precision, done.total.recall) >= (PRECISION, RECALL), (
        done.misses,
        done.extras,
    )


def test_errors_are_counted_by_kind_and_named() -> None:
    text = NamedText(
        name="one",
        text="Emotet and PlugX in Peru",
        things=(Thing(Name.MALWARE, ("Emotet",)), Thing(Name.MALWARE, ("Dridex", "Bugat"))),
        kinds=frozenset({Name.MALWARE}),
    )
    done = evaluate_names([text], names())
    assert done.by_kind == {Name.MALWARE: Score(right=1, extra=1, missed=1)}
    assert done.misses == (("one", Name.MALWARE, "Dridex"),)
    assert done.extras == (("one", Name.MALWARE, "PlugX"),)


def reports(folder: Path, *lines: object) -> Path:
    file = folder / "data" / "attack" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return folder


def test_the_reports_of_a_folder_are_read(tmp_path: Path) -> None:
    folder = reports(
        tmp_path,
        {"id": "a", "set": "tram2", "text": "Emotet", "entities": []},
        {
            "id": "b",
            "set": "annoctr",
            "text": "Sodinokibi came, and TA544 with it.",
            "entities": [
                {"type": "malware", "name": "REvil", "mentions": ["Sodinokibi"]},
                {"type": "group", "name": "TA544", "mentions": ["TA544"]},
            ],
        },
    )
    done = evaluate_names(names_in(folder), names())
    assert done.by_kind == {Name.ACTOR: Score(right=1), Name.MALWARE: Score(right=1)}


def test_a_folder_without_reports_or_with_broken_ones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name a folder"):
        names_in(tmp_path)
    folder = reports(tmp_path, {"set": "annoctr", "id": "a", "text": "x", "entities": 1})
    with pytest.raises(CatalogError, match="a list of entities"):
        names_in(folder)


@pytest.mark.shared
@pytest.mark.skipif(not EVAL.is_dir(), reason="the evaluation data is not here")
def test_the_annotated_reports_are_read_as_well_as_ever() -> None:
    done = evaluate_names(names_in(EVAL), names())
    malware, groups = done.by_kind[Name.MALWARE], done.by_kind[Name.ACTOR]
    assert malware.precision >= 0.93, done.extras
    assert malware.recall >= 0.65, done.misses
    assert groups.precision >= 0.9, done.extras
    assert groups.recall >= 0.6, done.misses
