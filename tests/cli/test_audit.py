"""`audit` on the terminal."""

import csv
import io
import json
from pathlib import Path

import psycopg

from cli.terminal import Terminal
from ctiscraper.cli.exits import Exit


def seeded(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO audit_entry (actor_kind, actor_name, action, object_kind, object_id)"
            " SELECT 'user', '=Ann', 'source.change', 'source', 'key-' || n"
            " FROM generate_series(1, 250) n"
        )


def test_entries_are_listed_and_narrowed(terminal: Terminal, database: str) -> None:
    assert "No entry" in terminal.run("audit", "list").out
    seeded(database)
    assert "source.change" in terminal.run("audit", "list", "--limit", "2").out
    page = terminal.run("audit", "list", "--limit", "2", "--json").json
    assert [one["id"] for one in page["entries"]] == [250, 249]
    page = terminal.run("audit", "list", "--cursor", page["next"], "--json").json
    assert page["entries"][0]["id"] == 248
    narrowed = ("--about", "source:key-7", "--actor", "=ann", "--action", "source")
    page = terminal.run("audit", "list", *narrowed, "--since", "2020-01-01", "--json").json
    assert [one["id"] for one in page["entries"]] == [7]
    page = terminal.run("audit", "list", "--actor", "user:7", "--json").json
    assert page["entries"] == []
    assert terminal.run("audit", "list", "--until", "2020-01-01", "--json").json["entries"] == []


def test_an_export_has_all_of_it(terminal: Terminal, database: str, tmp_path: Path) -> None:
    seeded(database)
    lines = terminal.run("audit", "export").lines
    assert [one["id"] for one in lines] == list(range(250, 0, -1))
    file = tmp_path / "audit.csv"
    terminal.run("audit", "export", "--format", "csv", "--output", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"), newline="")))
    # The first export is an entry as well.
    assert len(rows) == 251
    assert (rows[0]["action"], rows[0]["actor_kind"]) == ("audit.export", "command")
    assert rows[1]["actor_name"] == "'=Ann"


def test_a_whole_chain_is_told_from_a_broken_one(terminal: Terminal, database: str) -> None:
    seeded(database)
    said = terminal.run("audit", "verify").out
    assert "250 entries, each as it was written" in said
    known = said.split("--known ")[1].strip()
    assert known.startswith("250:")
    assert terminal.run("audit", "verify", "--known", known, "--json").json["broken"] is None
    assert terminal.run("audit", "verify", "--known", "x", code=Exit.USAGE).err
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_stays")
        conn.execute("DELETE FROM audit_entry WHERE id = 250")
        assert terminal.run("audit", "verify").out
        assert "250" in terminal.run("audit", "verify", "--known", known, code=Exit.DEGRADED).out
        conn.execute("UPDATE audit_entry SET actor_name = 'Bob' WHERE id = 12")
    report = json.loads(terminal.run("audit", "verify", "--json", code=Exit.DEGRADED).out)
    assert report["broken"] == 12
