"""Cfn-lint has no word of what options add, which no committed template shows."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from made import AT_BALANCER, deployed, in_turns, with_endpoints
from model import System


@pytest.mark.parametrize(
    ("make", "stacks"),
    [
        (lambda: deployed(AT_BALANCER), ("app",)),
        (with_endpoints, ("network",)),
        (in_turns, ("app", "observability")),
    ],
    ids=["sign-on", "endpoints", "blue-green"],
)
def test_cfn_lint_has_no_word(
    tmp_path: Path, make: Callable[[], System], stacks: tuple[str, ...]
) -> None:
    files = []
    for stack in stacks:
        file = tmp_path / f"{stack}.json"
        file.write_text(json.dumps(make().stacks[stack]), "utf-8")
        files.append(str(file))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)
