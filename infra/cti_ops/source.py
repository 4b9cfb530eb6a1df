"""The commit that is deployed: templates come from this working tree, images bear its tag."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAG = re.compile(r"[0-9a-f]{7,40}")
TAG_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Source:
    """A clone of the repository."""

    folder: Path = ROOT

    def tag(self) -> str:
        """Return the tag of the commit that is checked out, empty when there is none."""
        return self._git("rev-parse", f"--short={TAG_LENGTH}", "HEAD") or ""

    def faults(self, tag: str) -> Iterator[str]:
        """Yield what stands against deploying this tree with images of that tag."""
        changed = self._git("status", "--porcelain")
        if changed is None:
            yield f"tag: {self.folder} is no clone of the repository; deploy from one"
            return
        if changed:
            first = changed.splitlines()[0][3:]
            yield (
                f"tag: {len(changed.splitlines())} files differ from the commit ({first} …), so "
                "nobody could tell later what was deployed; commit or stash them"
            )
        if not TAG.fullmatch(tag):
            yield f"tag: {tag!r} should be 7 to 40 digits of a commit; git log shows them"
        elif self._git("cat-file", "-e", f"{tag}^{{commit}}") is None:
            yield f"tag: there is no commit {tag} here; git fetch, or take another"

    def _git(self, *arguments: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603 - arguments, never a shell
                ["git", "-C", str(self.folder), *arguments],  # noqa: S607 - whichever git there is
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return None
        return done.stdout.strip("\n") if done.returncode == 0 else None
