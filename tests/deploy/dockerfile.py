"""The Dockerfile as its instructions, stage by stage."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KNOWN = {
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "RUN",
    "STOPSIGNAL",
    "USER",
    "WORKDIR",
}


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined."""

    word: str
    value: str

    @property
    def words(self) -> list[str]:
        """The value as a shell would split it."""
        return shlex.split(self.value)

    @property
    def command(self) -> list[str]:
        """The command in exec form. Raises ValueError for any other form."""
        found = json.loads(self.value.removeprefix("CMD ") if self.word == "CMD" else self.value)
        assert isinstance(found, list)
        return [str(part) for part in found]


@dataclass(frozen=True)
class Stage:
    """What one FROM begins."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        """The instructions of one kind."""
        return [each for each in self.instructions if each.word == word]

    def one(self, word: str) -> Instruction:
        """The only instruction of its kind."""
        [found] = self.all(word)
        return found

    @property
    def env(self) -> dict[str, str]:
        """What ENV sets."""
        pairs = [word.partition("=") for each in self.all("ENV") for word in each.words]
        return {name: value for name, _, value in pairs}


def instructions(text: str) -> Iterator[Instruction]:
    """Every instruction of a Dockerfile. Raises ValueError for a line that is none."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(kept))
    for line in joined.splitlines():
        if not line.strip():
            continue
        word, _, value = line.partition(" ")
        if word not in KNOWN or not value.strip():
            raise ValueError(f"no instruction: {line}")
        yield Instruction(word, value.strip())


def stages(text: str) -> dict[str, Stage]:
    """The stages by their names, in order, each with what it is made from.

    Raises ValueError for one without a name.
    """
    found: dict[str, Stage] = {}
    for each in instructions(text):
        if each.word == "FROM":
            match = re.fullmatch(r"(\S+) AS (\w+)", each.value)
            if match is None:
                raise ValueError(f"a stage without a name: {each.value}")
            below = found.get(match[1], Stage("", match[1], ()))
            found[match[2]] = Stage(match[2], below.base, below.instructions)
        else:
            name, last = next(reversed(found.items()))
            found[name] = Stage(name, last.base, (*last.instructions, each))
    return found


def product_stages() -> dict[str, Stage]:
    """The stages of our Dockerfile."""
    return stages((ROOT / "Dockerfile").read_text("utf-8"))
