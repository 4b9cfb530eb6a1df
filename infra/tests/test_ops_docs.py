"""Pages give commands that there are, and tell of every verb."""

import re
import shlex
from pathlib import Path

import pytest

from cti_ops.cli import VERBS, main, make_parser
from model import ROOT

DOCS = ROOT / "docs"
COMMAND = re.compile(r"(?:^|`)\s*\./ctiscraper ops ([^`#\n]+)", re.MULTILINE)
PAGES = {
    file: found
    for file in sorted(DOCS.rglob("*.md"))
    if (found := COMMAND.findall(file.read_text("utf-8")))
}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_each_command_of_a_page_is_understood(file: Path) -> None:
    parser = make_parser()
    for text in PAGES[file]:
        if text != "VERB":
            assert parser.parse_args(shlex.split(text)).verb


def test_every_verb_is_told_of() -> None:
    told = {text.split()[0] for texts in PAGES.values() for text in texts}
    assert told == {*VERBS, "smoke", "VERB"}


def test_without_a_verb_it_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in (*VERBS, "smoke"))


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["status", "--env=production"], ["scale", "--env=prod", "web", "-1"], ["reboot"]],
)
def test_what_is_not_understood_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_the_codes_are_those_of_the_product() -> None:
    text = (DOCS / "reference" / "exit-codes.md").read_text("utf-8")
    ours = (ROOT / "infra/cti_ops/errors.py").read_text("utf-8")
    theirs = (ROOT / "src/ctiscraper/cli/exits.py").read_text("utf-8")
    for name, code in re.findall(r"^    ([A-Z_]+) = (\d+)$", ours, re.MULTILINE):
        assert re.search(rf"^    {name} = {code}\b", theirs, re.MULTILINE), name
        assert f"| {code} |" in text
