"""`techniques` and `technique`: counts, the layer, and the words that say so, by command."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest

from cli.terminal import Terminal
from ctiscraper.db.enrichments import Finding
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor, Mention
from ctiscraper.packs.registry import KNOWN, build_default
from db import claimed
from db.stage import Stage

FIRST = "It ran powershell -enc and slept. " * 3
SECOND = "The heliotrope used PowerShell after a phishing mail came."
ATTACK = KNOWN["attack"]


def _technique(text: str, words: str, number: str, name: str) -> Mention:
    start = text.index(words)
    return claimed.mention(
        number, "technique", name=name, verdict=None, extractor=Extractor.ATTACK,
        places=((start, start + len(words)),), rule="powershell", reasons=(),
    )  # fmt: skip


async def _fill(conninfo: str) -> None:
    async with Database(conninfo, size=2) as database:
        stage = Stage(database)
        await Packs(database).install(build_default(ATTACK), build=ATTACK.build())
        for name, text in (("one", FIRST), ("two", SECOND)):
            said = [
                _technique(text, "owers" if name == "one" else "PowerS", "T1059.001", "PowerShell")
            ]
            if name == "two":
                said.append(_technique(text, "phishing", "T1566", "Phishing"))
            number = await claimed.store(stage, name, text)
            [waiting] = await claimed.claim(stage)
            assert waiting.article_id == number
            found = claimed.enrichment(said, Extractor.ATTACK)
            await stage.enrichments.keep([Finding(text=waiting, enrichment=found)])


@pytest.fixture
def named(terminal: Terminal, database: str) -> Terminal:
    """A terminal over two articles that name techniques."""
    asyncio.run(_fill(database))
    return terminal


def test_techniques_are_counted_narrowed_and_exported(named: Terminal) -> None:
    shown = named.run("techniques").out
    assert [line.split() for line in shown.splitlines()[1:3]] == [
        ["T1059.001", "PowerShell", "2"],
        ["T1566", "Phishing", "1"],
    ]
    assert shown.splitlines()[-1] == "Of 2 articles, near-duplicates counted."
    counted = named.run("techniques", "--words", "heliotrope", "--source", "acme", "--json").json
    assert [(one["technique"]["value"], one["articles"]) for one in counted] == [
        ("T1059.001", 1), ("T1566", 1),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(named.run("techniques", "--csv").out, newline="")))
    assert [(row["technique"], row["articles"]) for row in rows] == [
        ("T1059.001", "2"), ("T1566", "1"),
    ]  # fmt: skip
    assert len(named.run("techniques", "--limit", "1", "--json").json) == 1
    assert named.run("techniques", "--since", "2099-01-01").out == (
        "None of 0 articles names a technique.\n"
    )


def test_a_layer_is_written_for_the_navigator(named: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "layer.json"
    ended = named.run("techniques", "--words", "heliotrope", "--layer", str(file))
    assert "a layer for the ATT&CK Navigator" in ended.err
    layer = json.loads(file.read_bytes())
    assert (layer["name"], layer["domain"]) == (
        "CTIScraper: techniques in 1 article (heliotrope)", "enterprise-attack",
    )  # fmt: skip
    scores = {one["techniqueID"]: one.get("score") for one in layer["techniques"]}
    assert scores == {"T1059": None, "T1059.001": 1, "T1566": 1}
    assert named.noted() == ["technique.export"]
    named.run("techniques", "--matrix", "ics", "--layer", str(file))
    assert json.loads(file.read_bytes())["techniques"] == []
    nowhere = str(tmp_path / "none" / "layer.json")
    assert "cannot be written" in named.run("techniques", "--layer", nowhere, code=8).err


def test_one_technique_shows_the_words_that_say_so(named: Terminal) -> None:
    shown = named.run("technique", "t1059.001").out
    assert "Technique   T1059.001 PowerShell" in shown
    assert "Tactics     Execution" in shown
    assert "“PowerS” (by the rule powershell): The heliotrope used PowerShell" in shown
    assert "“owers” (by the rule powershell)" in shown
    found = named.run("technique", "T1059.001", "--words", "heliotrope", "--json").json
    [one] = found["articles"]
    assert one["evidence"]["places"][0]["sentence"] == SECOND
    first = named.run("technique", "T1059.001", "--limit", "1", "--json").json
    rest = named.run("technique", "T1059.001", "--cursor", first["next"], "--json").json
    assert len(rest["articles"]) == 1
    assert named.run("technique", "T9999", code=5).err
