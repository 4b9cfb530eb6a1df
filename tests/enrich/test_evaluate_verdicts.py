"""Evaluation of verdicts: counted right, and no worse than it was."""

import gzip
import json
from pathlib import Path

import pytest

from ctiscraper.enrich.evaluate_verdicts import (
    Report,
    Tally,
    bundled_reports,
    evaluate_verdicts,
    reports_in,
)
from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.verdicts import Verdicts

SHARED = Path(__file__).parents[2] / ".." / "shared" / "eval"


def test_the_reports_that_come_along_are_judged_as_well_as_ever(verdicts: Verdicts) -> None:
    done = evaluate_verdicts(verdicts, bundled_reports())
    assert done.total.caught >= 23
    assert done.total.cleared >= 37
    assert (done.total.recall, done.total.specificity) == (1.0, 1.0), (done.let_off, done.accused)


def test_wrong_verdicts_are_counted_and_named(verdicts: Verdicts) -> None:
    report = Report(
        name="one",
        text="Write to evil-host.top. The malware calls other-host[.]top and third[.]top.",
        html="",
        url="",
        bad=frozenset({(Kind.DOMAIN, "evil-host.top"), (Kind.DOMAIN, "never.found")}),
        neutral=frozenset({(Kind.DOMAIN, "third.top")}),
    )
    done = evaluate_verdicts(verdicts, [report])
    assert done.by_kind == {"domain": Tally(caught=0, let_off=1, cleared=0, accused=1)}
    assert [one.mention.value for one in done.let_off] == ["evil-host.top"]
    assert [one.mention.value for one in done.accused] == ["other-host.top"]
    assert (done.total.recall, done.total.specificity) == (0.0, 0.0)


def test_nothing_to_judge_is_no_error() -> None:
    assert (Tally().recall, Tally().specificity) == (1.0, 1.0)


def test_reports_of_a_folder_are_read(tmp_path: Path) -> None:
    file = tmp_path / "data" / "ioc" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True)
    report = {"id": "r", "text": "x", "truth": [["domain", "a.top"]], "also": [["domain", "b.top"]]}
    file.write_bytes(gzip.compress(json.dumps(report).encode()))
    [read] = reports_in(tmp_path)
    assert read.bad == {(Kind.DOMAIN, "a.top")}
    assert (Kind.DOMAIN, "b.top") in read.neutral


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data is not here")
def test_real_reports_reach_the_bars(verdicts: Verdicts) -> None:
    done = evaluate_verdicts(verdicts, reports_in(SHARED))
    assert done.total.recall >= 0.95
    assert done.total.specificity >= 0.90
