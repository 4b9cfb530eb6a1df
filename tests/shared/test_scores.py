"""The quick scorers of the evaluation data beside the repository, as floors."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVAL = ROOT.parent / "shared" / "eval"

pytestmark = [pytest.mark.shared, pytest.mark.timeout(100)]


def score(script: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """What a scorer finds, run as its own README says."""
    if not (EVAL / script).is_file():
        pytest.skip("the evaluation data is not beside the repository")
    out = folder / "answer.json"
    places = os.pathsep.join((str(ROOT / "src"), str(ROOT / "bench")))
    subprocess.run(
        [sys.executable, str(EVAL / script), "--out", str(out), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
    )
    found = json.loads(out.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_mozilla_pages(tmp_path: Path) -> None:
    found = score(
        "score_articles2.py", tmp_path, "--set", "mozilla", "--fn", "adapters:article_text"
    )

    assert found["pages"] == 130
    assert found["errors"] == found["empty"] == 0
    assert found["f1"] >= 0.935


def test_feed_core_cases(tmp_path: Path) -> None:
    found = score("score_feeds.py", tmp_path, "--fn", "feed_adapters:score_feed")
    core = set(found["total"]) - {"sanitize"}
    right, total = (sum(found[key].get(name, 0) for name in core) for key in ("ok", "total"))

    assert total == 683
    assert right / total >= 0.985


def test_w3c_feeds_are_read_or_refused(tmp_path: Path) -> None:
    found = score(
        "score_feeds.py", tmp_path, "--task", "robust", "--fn", "adapters:feed_or_refusal"
    )

    assert set(found) <= {"ok", "raised ParseError"}
    assert sum(found.values()) == 2156
    # What is refused is no feed: outlines, places, pages, and two with entities of their own.
    assert found["raised ParseError"] <= 299


def test_no_answer_of_the_sanitiser_is_unsafe(tmp_path: Path) -> None:
    found = score("score_sanitise.py", tmp_path, "--fn", "adapters:sanitised")

    assert sum(total for _, total in found["unsafe"].values()) == 2325
    assert found["failed"] == []
    assert found["kept"] >= 0.94


@pytest.mark.parametrize(
    ("kind", "function", "count"),
    [("feed", "feed_adapters:parse_hostile", 16), ("html", "adapters:hostile_page", 13)],
)
def test_hostile_files_do_no_harm(tmp_path: Path, kind: str, function: str, count: int) -> None:
    found = score("score_hostile.py", tmp_path, "--kind", kind, "--fn", function)

    assert found["good"] == found["n"] == count


def test_techniques_of_labelled_reports(tmp_path: Path) -> None:
    found = score(
        "score_attack.py", tmp_path, "--split", "dev", "--fn", "attack_adapter:techniques"
    )

    assert found["tram2"]["docs"] == 123
    assert found["tram2"]["p"] >= 0.75
    assert found["tram2"]["f"] >= 0.70
    assert found["annoctr/base"]["f"] >= 0.50
