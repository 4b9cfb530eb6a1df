"""`watchlist` and lists by score on the terminal."""

import asyncio
import json
from pathlib import Path

import psycopg

from cli.terminal import Terminal
from ctiscraper.cli.exits import Exit
from ctiscraper.db.session import Database
from make_scores import ScoredShelf
from web.shelf import Shelf


def stored(database: str, *titles: str) -> list[int]:
    async def store() -> list[int]:
        scored = ScoredShelf(Shelf(database))
        numbers = [scored.article(title, title) for title in titles]
        async with Database(database, size=1) as opened:
            await scored.join(opened)
        return numbers

    return asyncio.run(store())


def test_what_is_watched_for_comes_first(terminal: Terminal, database: str) -> None:
    plain, has = stored(database, "Nothing", "Example Firewall flaw")
    assert "Nothing is watched for" in terminal.run("watchlist", "list").out
    said = terminal.run("watchlist", "add", "product", "Example Firewall", "--weight", "0.9").out
    assert "in 1 article of the last 30 days" in said
    [entry] = terminal.run("watchlist", "list", "--json").json
    assert (entry["kind"], entry["weight"], entry["actor"]) == ("product", 0.9, "command line")
    assert "Example Firewall" in terminal.run("watchlist", "list").out
    best = terminal.run("articles", "list", "--best", "7", "--json").json["articles"]
    assert [one["id"] for one in best] == [has, plain]
    number = str(entry["id"])
    watched = terminal.run("articles", "list", "--watch", number, "--json").json["articles"]
    assert [one["id"] for one in watched] == [has]
    assert "Example Firewall (product" in terminal.run("articles", "show", str(has)).out
    assert terminal.run("watchlist", "remove", number, "--json").json == {"count": 1}
    assert terminal.run("watchlist", "remove", number, code=Exit.NOT_FOUND).err
    assert terminal.run("watchlist", "list", "--json").json == []
    assert "up to date" in terminal.run("watchlist", "rescore").out
    assert terminal.run("watchlist", "rescore", "--json").json == {"count": 0}
    assert terminal.noted() == ["watchlist.add", "watchlist.remove"]


def test_of_entries_to_remove_those_that_are_not_there_are_told(terminal: Terminal) -> None:
    for name in ("One", "Two", "Three"):
        terminal.run("watchlist", "add", "vendor", name)
    said = terminal.run("watchlist", "remove", "1", "99", "2", "98", "1", code=Exit.NOT_FOUND)
    assert said.out == "2 removed.\n"
    assert "no entry 99, 98" in said.err
    said = terminal.run("watchlist", "remove", "3", "99", "--json", code=Exit.NOT_FOUND)
    assert said.json == {"count": 1}
    assert "no entry 99" in said.err
    assert terminal.run("watchlist", "list", "--json").json == []
    assert terminal.noted() == [*("watchlist.add",) * 3, *("watchlist.remove",) * 3]


def test_what_is_wrong_has_its_code(terminal: Terminal) -> None:
    terminal.run("watchlist", "add", "vendor", "Acme", "--json")
    assert "remove it" in terminal.run("watchlist", "add", "vendor", "ACME", code=6).err
    assert terminal.run("watchlist", "add", "town", "Oslo", code=Exit.USAGE).err
    assert terminal.run("watchlist", "add", "cve", "12", code=Exit.BAD_FILE).err
    assert terminal.run("watchlist", "import", "nowhere.csv", code=Exit.SETTINGS).err


def test_an_import_that_breaks_off_is_noted(terminal: Terminal, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full; END $$"
        )
        conn.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON watchlist_entry FOR EACH ROW"
            " WHEN (NEW.term = 'Third') EXECUTE FUNCTION full_disk()"
        )
    body = b"vendor: First\nvendor: Third\n"
    assert terminal.run("watchlist", "import", "-", stdin=body, code=None).code
    assert len(terminal.run("watchlist", "list", "--json").json) == 1
    [entry] = terminal.run("audit", "list", "--json").json["entries"]
    assert json.loads(entry["changes"]) == {"file": "-", "whole": False}


def test_files_go_in_and_out(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "ours.txt"
    file.write_text("vendor: Example\nacme # ours\ncve: 12\n")
    dry = terminal.run("watchlist", "import", str(file), "--dry-run", code=Exit.BAD_FILE)
    assert "line 3: cve 12" in dry.out
    assert "2 would be added, 0 known, 1 bad." in dry.out
    body = b"vendor: Example\nacme # ours\n"
    done = terminal.run("watchlist", "import", "-", "--json", stdin=body).json
    assert [row["outcome"] for row in done["rows"]] == ["added", "added"]
    out = tmp_path / "out.csv"
    terminal.run("watchlist", "export", "--output", str(out))
    assert out.read_text() == terminal.run("watchlist", "export").out
    assert terminal.run("watchlist", "export", "--json").json["text"] == out.read_text()
    assert "0 added, 2 known, 0 bad." in terminal.run("watchlist", "import", str(out)).out
    assert terminal.run("watchlist", "export", "--output", str(tmp_path), code=1).err
    exported = "watchlist.export"
    assert terminal.noted() == [
        *("watchlist.import", exported, exported, exported, "watchlist.import", exported),
    ]
