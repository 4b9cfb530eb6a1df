"""The one command of the infrastructure tells what it does, and does it from anywhere."""

import re
import subprocess
from pathlib import Path

from model import INFRA, ROOT

VERBS = {"venv", "test", "render", "table", "cost", "cdk", "ops", "lock"}


def test_without_a_verb_it_lists_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "ctiscraper", "infra"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"^  run (\w+)", done.stdout, re.MULTILINE)) == VERBS


def test_the_environment_is_made_of_pins_with_hashes() -> None:
    lines = (INFRA / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if re.match(r"[a-z]", line)]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not [line for line in lines if "://" in line]


def test_the_toolkit_is_pinned_and_names_no_registry() -> None:
    lock = (INFRA / "package-lock.json").read_text("utf-8")
    assert '"aws-cdk": "2.1148.1"' in lock
    assert "resolved" not in lock
