"""Pages give commands that there are, and tell of every verb."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from cti_ops.cli import VERBS, main, make_parser
from cti_ops.tasks import run_admin
from installation import Installation
from model import ROOT, load

DOCS = ROOT / "docs"
# How botocore names a service in its events, where it is not by its own name.
EVENTS = {"logs": "cloudwatch-logs"}
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


def test_each_command_of_the_product_in_a_task_is_one() -> None:
    """Commands after `run-task --` are in the list of the product's."""
    text = (DOCS / "reference" / "cli.md").read_text("utf-8")
    known = set(re.findall(r"`([a-z][a-z -]*[a-z])(?: [A-Z-].*?)?`", text))
    given = [words for texts in PAGES.values() for words in texts if " -- " in words]
    assert len(given) > 5
    for words in given:
        asked = words.partition(" -- ")[2].split()
        assert asked[0] in known or " ".join(asked[:2]) in known, words


def test_each_refusal_of_the_guide_has_its_test() -> None:
    page = (DOCS / "howto" / "deploy-on-aws.md").read_text("utf-8")
    table = page.partition("## What is refused")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(test_\w+)`", table))
    tests = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert len(named) > 12
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_rights_of_a_task_are_those_that_are_asked_for(installed: Installation) -> None:
    asked: set[str] = set()

    def note(model: Any, **_: object) -> None:
        asked.add(f"{model.service_model.signing_name}:{model.name}")

    for service in ("ecs", "ec2", "logs"):
        installed.hook(service, f"before-call.{EVENTS.get(service, service)}", note)
    assert run_admin(installed.place, ["doctor"]) == 0
    page = (DOCS / "howto" / "operate-on-aws.md").read_text("utf-8")
    table = page.partition("needs these rights")[2].partition("\n## ")[0]
    assert asked == set(re.findall(r"`((?:ecs|ec2|logs):\w+)`", table))


def test_no_task_can_be_entered() -> None:
    for service in load("prod").of("ECS::Service"):
        assert service["EnableExecuteCommand"] is False


def test_every_verb_is_told_of() -> None:
    told = {text.split()[0] for texts in PAGES.values() for text in texts}
    assert told == {*VERBS, "smoke", "rehearse", "VERB"}


def test_without_a_verb_it_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in (*VERBS, "smoke", "rehearse"))


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
