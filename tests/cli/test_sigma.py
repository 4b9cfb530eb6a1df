"""`sigma`: what a person drafts, checks, converts and takes along at a terminal."""

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from cli.terminal import Terminal, environment
from ctiscraper.cli.exits import Exit
from ctiscraper.db.detections import DetectionDrafts
from ctiscraper.db.session import Database
from ctiscraper.detect.drafted import DraftState
from detect.material import COMMAND, TEXT
from detect.test_modelled import GOOD
from web import claims
from web.said import claim
from web.shelf import Shelf

MATCHES_ALL = """
title: Any program at all
id: 5f0f1a39-6d1e-4b52-8f5c-0a4a6d1e4b52
status: experimental
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    CommandLine|contains: e
  condition: selection
level: low
"""


@pytest.fixture
def terminal(database: str, tmp_path: Path) -> Terminal:
    shelf = Shelf(database)
    shelf.article("one", text=TEXT)
    asyncio.run(
        claims.name(database, shelf, 1, claims.at(TEXT, COMMAND, "command_line", verdict=None))
    )
    return Terminal(environment(database, tmp_path))


async def _accept(database: str, number: int) -> None:
    async with Database(database, size=1) as opened:
        drafts = DetectionDrafts(opened)
        version = (await drafts.get(number)).summary.version
        await drafts.decide(number, DraftState.ACCEPTED, version=version, by="ann")


def test_a_model_is_asked_for_rules_and_people_add_them(terminal: Terminal, database: str) -> None:
    refused = terminal.run("sigma", "ask", "1", code=Exit.FAILED)
    assert "set CTISCRAPER_MODEL_URL" in refused.err
    with_one = Terminal(
        {
            **terminal.environment,
            "CTISCRAPER_MODEL_URL": "http://127.0.0.1:1",
            "CTISCRAPER_MODEL": "small",
        }
    )
    assert "pending" in with_one.run("sigma", "ask", "1").out
    assert terminal.noted()[-1] == "detection.ask"
    [asked] = with_one.run("sigma", "ask", "1", "--json").json["analyses"]
    early = terminal.run("sigma", "add", str(asked["id"]), code=Exit.CONFLICT)
    assert "has no rules" in early.err
    made = claim("A task", TEXT, "DefenderUPD", rule=GOOD)
    Shelf(database).run(
        "UPDATE model_analysis SET state = 'done', claims = %s::jsonb", (json.dumps([made]),)
    )
    assert "title: Task Made For DefenderUPD" in terminal.run("analysis", "show", "1").out
    added = terminal.run("sigma", "add", "1", "--json").json
    assert (added["added"], added["detections"][0]["origin"]) == (1, "model")
    assert terminal.noted()[-1] == "detection.draft"
    assert "model small sigma_rules-" in terminal.run("sigma", "show", "1").out


def test_a_rule_is_drafted_shown_checked_and_converted(terminal: Terminal, tmp_path: Path) -> None:
    made = terminal.run("sigma", "draft", "1", "--json").json
    assert made["added"] == len(made["detections"]) == 2
    assert terminal.noted()[-1] == "detection.draft"
    assert made["detections"][0]["title"] in terminal.run("sigma", "list").out
    assert "There is no such draft." in terminal.run("sigma", "list", "--state", "accepted").out
    shown = terminal.run("sigma", "show", "1").out
    assert COMMAND.split()[0] in shown
    whole = terminal.run("sigma", "show", "1", "--json").json
    rule = tmp_path / "rule.yml"
    rule.write_text(whole["yaml"], "utf-8")
    terminal.run("sigma", "check", str(rule), "--article", "1")
    query = terminal.run("sigma", "convert", str(rule), "--to", "splunk").out
    assert "CommandLine=" in query


@pytest.mark.parametrize("text", [MATCHES_ALL, "title: [", "", "a: &x [*x, *x]\n"])
def test_a_rule_that_is_none_or_matches_anything_fails(
    terminal: Terminal, tmp_path: Path, text: str
) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(text, "utf-8")
    ended = terminal.run("sigma", "check", str(rule), code=None)
    assert ended.code != 0
    assert ended.out + ended.err


def test_accepted_rules_are_handed_on_as_an_archive(
    terminal: Terminal, database: str, tmp_path: Path
) -> None:
    terminal.run("sigma", "draft", "1")
    file = tmp_path / "rules.zip"
    assert terminal.run("sigma", "export", "--zip", str(file), "--json").json["rules"] == []
    asyncio.run(_accept(database, 1))
    [name] = terminal.run("sigma", "export", "--zip", str(file), "--json").json["rules"]
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [f"rules/{name}"]
        assert archive.read(f"rules/{name}").startswith(b"title:")
    assert terminal.noted()[-1] == "detection.export"


@pytest.mark.parametrize("words", [("draft", "99"), ("show", "99")])
def test_what_is_not_there_is_told(terminal: Terminal, words: tuple[str, str]) -> None:
    assert "99" in terminal.run("sigma", *words, code=5).err
