"""`indicators`, `indicator`, `lookup`, `verdict`, `enrichment`: what articles name, by command."""

import asyncio
import csv
import io
from pathlib import Path

import pytest

from cli.terminal import Terminal
from ctiscraper.db.enrichments import Finding
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Extractor, Verdict
from db import claimed
from db.stage import Stage

TEXT = "The loader calls evil[.]org and more. Nothing else."


async def _fill(conninfo: str) -> None:
    async with Database(conninfo, size=2) as database:
        stage = Stage(database)
        evil = claimed.mention("evil.org", verdict=Verdict.MALICIOUS, places=((17, 27),))
        await claimed.article(stage, "one", evil, text=TEXT)
        await claimed.article(
            stage, "two", evil, claimed.mention("=cmd()", "mutex"),
            claimed.mention("S0367", "malware", name="Emotet", verdict=None,
                            extractor=Extractor.NAMES), text=f"{TEXT} Heliotrope.",
        )  # fmt: skip
        await claimed.store(stage, "three", "What cannot be looked through.")
        texts = await claimed.claim(stage)
        await stage.enrichments.keep(
            [Finding(text=one, failure="parser_timeout: 5 s") for one in texts]
        )


@pytest.fixture
def named(terminal: Terminal, database: str) -> Terminal:
    """A terminal over two articles that name things, and one that cannot be looked through."""
    asyncio.run(_fill(database))
    return terminal


def test_the_list_is_narrowed_and_exported(named: Terminal) -> None:
    assert {one["value"] for one in named.run("indicators", "--json").json["entities"]} == {
        "evil.org", "=cmd()", "S0367",
    }  # fmt: skip
    only = ["--verdict", "malicious", "--under", "org", "--beginning", "ev", "--source", "acme"]
    shown = named.run("indicators", "--kind", "domain", *only, "--defanged").out
    assert "evil[.]org" in shown
    assert "S0367 Emotet" in named.run("indicators", "--kind", "malware").out
    table = named.run("indicators", "--csv").out
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert sorted(row["value"] for row in rows) == ["'=cmd()", "S0367", "evil.org"]
    assert len(named.run("indicators", "--csv", "--limit", "1").out.splitlines()) == 2
    first = named.run("indicators", "--limit", "2", "--json").json
    rest = named.run("indicators", "--cursor", first["next"], "--json").json
    assert len(rest["entities"]) == 1
    assert named.run("indicators", "--kind", "ja3").out == "Nothing here.\n"
    assert "the kinds are ipv4, ipv6" in named.run("indicators", "--kind", "x", code=2).err
    assert named.noted() == ["entity.export"] * 2


@pytest.mark.parametrize("asked", [["evil[.]org"], ["evil.org", "--kind", "domain"]])
def test_one_is_shown_with_its_articles(named: Terminal, asked: list[str]) -> None:
    found = named.run("indicator", *asked, "--json").json
    assert found["entity"]["summary"]["articles"] == 2
    number = str(found["entity"]["summary"]["id"])
    shown = named.run("indicator", number, "--defanged").out
    assert "Named by    2 articles of 1 source" in shown
    assert "evil[.]org" in shown
    assert len(named.run("indicator", number, "--csv").out.splitlines()) == 3
    assert named.noted() == ["article.export"]
    assert named.run("indicator", "emotet").out.startswith("Number")
    assert "no article names 'nowhere.org'" in named.run("indicator", "nowhere.org", code=5).err


def test_many_values_are_looked_up(named: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "values.txt"
    file.write_text("# ours\nevil[.]org\n\n203.0.113.9\nemotet\n", "utf-8")
    shown = named.run("lookup", str(file)).out
    assert shown.splitlines()[-1] == "2 known, 0 benign, 1 unknown."
    report = named.run("lookup", "-", "--text", "--json", stdin=TEXT.encode()).json
    assert [(one["given"], one["state"]) for one in report["answers"]] == [("evil[.]org", "known")]
    known = named.run("lookup", str(file), "--known", "--csv", "--defanged").out
    assert named.noted() == ["lookup.export"]
    assert [row["value"] for row in csv.DictReader(io.StringIO(known, newline=""))] == [
        "evil[.]org", "S0367",
    ]  # fmt: skip


def test_too_many_values_are_refused_with_a_way_out(terminal: Terminal) -> None:
    values = "\n".join(f"10.{n >> 8}.{n & 255}.1" for n in range(10_001))
    ended = terminal.run("lookup", "-", stdin=values.encode(), code=7)
    assert "at most 10,000 are looked up at once: give them in parts" in ended.err


def test_a_verdict_is_made_listed_and_undone(named: Terminal) -> None:
    made = named.run("verdict", "make", "evil[.]org", "benign", "--children", "--reason", "ours")
    assert "evil.org and all below it is held to be benign." in made.out
    assert named.run("indicators", "--verdict", "benign", "--json").json["entities"]
    [kept] = named.run("verdict", "list", "--standing", "--json").json["verdicts"]
    assert (kept["reason"], kept["actor"]) == ("ours", "command line")
    for _ in range(2):
        assert "holds no more" in named.run("verdict", "undo", str(kept["id"])).out
    assert named.noted() == ["verdict.make", "verdict.undo"]
    assert "by command line" in named.run("verdict", "list").out
    assert named.run("verdict", "list", "--standing").out == "Nothing was decided yet.\n"
    assert named.run("verdict", "undo", "999", code=5).err
    assert "say its kind" in named.run("verdict", "make", "what is it", "benign", code=7).err
    both = ["--children", "--source", "acme"]
    assert named.run("verdict", "make", "evil.org", "benign", *both, code=2).err
    for_one = ["--source", "nobody", "--json"]
    assert named.run("verdict", "make", "evil.org", "benign", *for_one, code=5).err
    assert named.noted() == ["verdict.make", "verdict.undo"]


def test_what_failed_is_listed_and_tried_again(named: Terminal) -> None:
    shown = named.run("enrichment", "failed").out
    assert "parser_timeout: 5 s" in shown
    [failure] = named.run("enrichment", "failed", "--json").json["failures"]
    assert "1 could not be" in named.run("status", code=None).out
    assert named.run("enrichment", "retry", code=2).err
    assert named.run("enrichment", "retry", "999", "--json", code=5).json == {"count": 0}
    done = named.run("enrichment", "retry", str(failure["article"])).out
    assert done == "1 article queued to be looked through again.\n"
    assert "1 to be looked through" in named.run("status", code=None).out
    assert named.run("enrichment", "failed").out.startswith("Every article")
    assert named.noted() == ["enrichment.retry"] * 2


def test_an_article_shows_what_it_names_and_who_else_does(named: Terminal) -> None:
    [newest, *_] = named.run("articles", "search", "heliotrope", "--json").json["articles"]
    number = str(newest["id"])
    shown = named.run("articles", "entities", number).out
    assert "The loader calls evil[.]org and more." in shown
    assert "Articles that name the same rare things:" in shown
    found = named.run("articles", "entities", number, "--kind", "domain", "--json").json
    [one] = found["evidence"]["entities"]
    assert one["places"][0]["words"] == "evil[.]org"
    rows = named.run("articles", "entities", number, "--csv").out.splitlines()
    assert len(rows) == 4
    assert named.run("articles", "entities", "999", code=5).err
    assert named.noted() == ["entity.export"]


def test_texts_are_looked_through_again_by_what_is_named(named: Terminal) -> None:
    asked = ["--only", "observables,names", "--since", "2026-01-01", "--source", "acme"]
    queued = named.run("reprocess", *asked).out
    assert queued.startswith("3 articles queued to be looked through by observables, names.")
    assert "ctiscraper status --watch" in queued
    assert named.run("reprocess", *asked, "--json").json == {"count": 3, "waiting": 3}
    assert "name of observables" in named.run("reprocess", "--only", "x", code=2).err
    assert named.run("reprocess", "--since", "2026-01-01", code=2).err
    assert named.run("reprocess", "--only", "names", "--source", "nobody", code=5).err
