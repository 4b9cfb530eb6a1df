"""The script that runs the migration ends as the task ended, whatever AWS answers."""

import os
import subprocess
from pathlib import Path

import pytest

from model import INFRA

AWS = """#!/bin/sh
echo "$*" >>"{calls}"
case $2 in
run-task) echo "{task}" ;;
describe-tasks) printf '{codes}\\n' ;;
esac
"""
TASK = "arn:aws:ecs:us-east-1:111122223333:task/c/1"


def run(folder: Path, *, task: str = TASK, codes: str) -> "subprocess.CompletedProcess[str]":
    aws = folder / "aws"
    aws.write_text(AWS.format(calls=folder / "calls", task=task, codes=codes), "utf-8")
    aws.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", INFRA / "migrate", "migrate", "cluster", "awsvpcConfiguration={}"],
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_migration_that_went_well_is_waited_for(tmp_path: Path) -> None:
    done = run(tmp_path, codes="0\\t0\\t0")
    assert done.returncode == 0
    asked = [line.split()[1] for line in (tmp_path / "calls").read_text("utf-8").splitlines()]
    assert asked == ["run-task", "wait", "describe-tasks"]


@pytest.mark.parametrize("codes", ["0\\t1\\t0", "0\\t0\\tNone", "137\\tNone\\tNone", "0\\t0", ""])
def test_any_other_end_is_an_error(tmp_path: Path, codes: str) -> None:
    assert run(tmp_path, codes=codes).returncode == 1


def test_a_task_that_was_not_started_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, task="None", codes="0\\t0\\t0")
    assert done.returncode == 1
    assert "no task was started" in done.stderr
