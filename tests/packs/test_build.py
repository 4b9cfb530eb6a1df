"""The process that builds a default says it on standard output, and nothing else."""

import subprocess
import sys

from ctiscraper.packs.registry import build_default, known_pack


def test_the_process_gives_the_default() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ctiscraper.packs.build", "sigma"], capture_output=True, check=True
    )
    assert done.stdout == build_default(known_pack("sigma"))


def test_an_unknown_pack_ends_with_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ctiscraper.packs.build", "zoo"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"no data pack 'zoo'" in done.stderr
