"""What the predecessor collected comes in once, and every article of it is accounted for."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cli.terminal import Terminal, environment
from ctiscraper.db.imports import LOCK_KEY
from predecessor import Old, story

MANY = 300


@pytest.fixture
def make_old(postgres: str) -> Iterator[Callable[..., Old]]:
    """Makes databases of the predecessor."""
    made: list[str] = []

    def make(*, later: bool = False) -> Old:
        name = f"old_{uuid.uuid4().hex[:12]}"
        made.append(name)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return Old(make_conninfo(postgres, dbname=name), later)

    with psycopg.connect(postgres, autocommit=True) as admin:
        yield make
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def terminal(database: str, tmp_path: Path) -> Terminal:
    return Terminal(environment(database, tmp_path / "data"))


def command(old: Old, folder: Path) -> list[str]:
    file = folder / "predecessor"
    file.write_text(old.conninfo)
    return ["import", "predecessor", "--from-file", str(file)]


def brought(terminal: Terminal, old: Old, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = terminal.run(*command(old, folder), "--json").json
    return found


def total(terminal: Terminal) -> dict[str, int]:
    found: dict[str, int] = terminal.run("accounting", "--json").json["total"]
    parts = ("stored", "duplicate", "filtered", "failed", "dead", "pending")
    assert found["discovered"] == sum(found[part] for part in parts)
    return found


def contents(place: str) -> dict[str, object]:
    """What an import may change."""
    tables = ("source", "source_change", "fetch_job", "sighting", "article", "article_revision")
    with psycopg.connect(place) as conn:
        return {
            table: conn.execute(
                sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
            ).fetchall()
            for table in tables
        }


def test_sources_and_articles_come_in_with_where_they_come_from(
    terminal: Terminal, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    acme = old.source(
        "Acme_Labs", "https://acme.example/", config={"min_content_length": 20, "image_ocr": True}
    )
    old.source("quiet", "https://quiet.example/", active=False, rss_url=None)
    number = old.article(acme, "https://acme.example/one", story(1), modified_at="2025-09-02 09:00")
    old.article(acme, "https://acme.example/two", f"<p>{story(2)}</p><script>alert(1)</script>")
    done = brought(terminal, old, tmp_path)
    assert done["stored"] == done["articles"] == 2
    assert done["sources_added"] == 2
    assert total(terminal)["stored"] == 2

    sources = {one["key"]: one for one in terminal.run("sources", "list", "--json").json}
    assert sources["acme_labs"]["name"] == "Acme Labs"
    assert sources["quiet"]["health"] == "paused"
    changes = terminal.run("sources", "changes", "acme_labs", "--json").json
    assert [one["reason"] for one in changes] == ["imported"]

    listed = terminal.run("articles", "list", "--json").json["articles"]
    shown = [terminal.run("articles", "show", str(a["id"]), "--json").json for a in listed]
    one = next(a for a in shown if a["url"] == "https://acme.example/one")
    assert one["method"] == "imported"
    assert one["notes"] == [f"imported from the predecessor, its article {number}"]
    assert one["published_at"] == "2025-09-01T10:00:00Z"
    assert one["authors"] == ["Ann Example"]
    assert one["text"].startswith("The actor moved laterally, report 1.")
    assert "\n\nSecond paragraph 1." in one["text"]
    two = next(a for a in shown if a["url"] == "https://acme.example/two")
    assert "alert" not in two["html"] + two["text"]
    assert "source.import" in terminal.noted()


def test_what_is_double_is_folded_and_what_cannot_be_kept_is_told(
    terminal: Terminal, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old(later=True)
    acme = old.source("acme", "https://acme.example/", tier=1)
    picky = old.source(
        "picky", "https://picky.example/", config={"title_filter_keywords": ["webinar"]}
    )
    broken = old.source("broken", "no address", rss_url=None)
    first = old.article(acme, "https://acme.example/one", story(1), summary="In short.")
    same = old.article(acme, "https://acme.example/one?utm_source=feed", story(2))
    old.article(picky, "https://picky.example/copy", story(1))
    held = old.article(picky, "https://picky.example/held", story(3), title="A webinar")
    lost = old.article(broken, "https://broken.example/one", story(4))
    nowhere = old.article(acme, "javascript:alert(1)", story(5))
    empty = old.article(acme, "https://acme.example/empty", "", title="")
    old.run(f"INSERT INTO text_highlights VALUES (1, {first}, 'rundll32', true)")

    report = tmp_path / "report"
    done = terminal.run(*command(old, tmp_path), "--json", "--report", str(report)).json
    counts = {name: number for name, number in done.items() if name != "unmapped"}
    assert counts == {
        "articles": 7,
        "stored": 2,
        "duplicate": 0,
        "known": 0,
        "same_address": 1,
        "filtered": 1,
        "failed": 3,
        "sources_added": 2,
        "sources_known": 0,
    }
    sums = total(terminal)
    assert (sums["stored"], sums["duplicate"], sums["filtered"], sums["failed"]) == (1, 1, 1, 2)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert lines == done["unmapped"]
    told = {line["of"]: line["value"] for line in lines if line["kind"] == "article"}
    assert told[str(same)] == f"has the address of {first}"
    assert "quarantine" in told[str(held)]
    assert "source" in told[str(lost)]
    assert told.keys() >= {str(nowhere), str(empty)}
    assert {"kind": "table", "of": "text_highlights", "name": "rows", "value": "1"} in lines
    assert ("broken", "all of it") in {(line["of"], line["name"]) for line in lines}
    assert ("acme", "lookback_days") in {(line["of"], line["name"]) for line in lines}


def test_a_second_import_changes_nothing(
    terminal: Terminal, database: str, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    acme = old.source("acme", "https://acme.example/")
    for n in range(4):
        old.article(acme, f"https://acme.example/{n}", story(n))
    old.article(acme, "https://acme.example/3#top", story(9))
    brought(terminal, old, tmp_path)
    before = contents(database)
    again = brought(terminal, old, tmp_path)
    assert contents(database) == before
    assert (again["known"], again["same_address"], again["stored"]) == (4, 1, 0)
    assert (again["sources_added"], again["sources_known"]) == (0, 1)
    old.article(acme, "https://acme.example/new", story(10))
    assert brought(terminal, old, tmp_path)["stored"] == 1
    assert total(terminal)["stored"] == 5


def test_an_import_that_was_killed_goes_on(
    terminal: Terminal, database: str, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    acme = old.source("acme", "https://acme.example/")
    for n in range(MANY):
        old.article(acme, f"https://acme.example/{n}", story(n))
    with (
        terminal.running(*command(old, tmp_path)) as running,
        psycopg.connect(database, autocommit=True) as watcher,
    ):
        while not watcher.execute("SELECT 1 FROM article OFFSET 20 LIMIT 1").fetchone():
            assert running.process.poll() is None
        running.process.kill()
        running.process.wait()
        query = "SELECT count(*) FILTER (WHERE state = 'leased'), count(*) FROM fetch_job"
        held, begun = watcher.execute(query).fetchone() or (0, 0)
    assert 0 < held < begun < MANY
    sums = total(terminal)
    assert sums["discovered"] == begun
    again = brought(terminal, old, tmp_path)
    assert again["known"] + again["stored"] == MANY
    assert again["stored"] == MANY - (begun - held)
    assert total(terminal)["stored"] == MANY


def test_what_a_site_did_not_give_any_more_is_filled_in(
    terminal: Terminal, database: str, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    acme = old.source("acme", "https://acme.example/")
    old.article(acme, "https://acme.example/gone", story(1))
    old.article(acme, "https://acme.example/here", story(2))
    brought(terminal, old, tmp_path)
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM outbox")
        conn.execute("DELETE FROM article WHERE url LIKE '%gone'")
        conn.execute(
            "UPDATE fetch_job SET state = 'failed', reason = 'gone', article_id = NULL "
            "WHERE url LIKE '%gone'"
        )
    assert total(terminal)["failed"] == 1
    again = brought(terminal, old, tmp_path)
    assert (again["stored"], again["known"]) == (1, 1)
    assert total(terminal)["stored"] == 2


def test_a_database_of_something_else_is_refused(
    terminal: Terminal, database: str, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    file = tmp_path / "other"
    file.write_text(database)
    said = terminal.run("import", "predecessor", "--from-file", str(file), code=7).err
    assert "its table sources is not there" in said
    old.run("ALTER TABLE articles DROP COLUMN content")
    assert "has no content" in terminal.run(*command(old, tmp_path), code=7).err
    file.write_text("one\ntwo")
    said = terminal.run("import", "predecessor", "--from-file", str(file), code=7).err
    assert "should hold the connection string" in said


def test_two_imports_do_not_go_on_at_once(
    terminal: Terminal, database: str, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        assert "is under way" in terminal.run(*command(old, tmp_path), code=6).err
    said = terminal.run(*command(old, tmp_path)).out
    assert "0 things had no place here" in said


def test_the_predecessor_is_never_written(
    terminal: Terminal, make_old: Callable[..., Old], tmp_path: Path
) -> None:
    old = make_old()
    acme = old.source("acme", "https://acme.example/")
    old.article(acme, "https://acme.example/one", story(1))
    name = f"reader_{uuid.uuid4().hex[:8]}"
    old.run(f"CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    try:
        old.conninfo, owner = make_conninfo(old.conninfo, user=name), old.conninfo
        assert brought(terminal, old, tmp_path)["stored"] == 1
    finally:
        old.conninfo = owner
        old.run(f"DROP OWNED BY {name}; DROP ROLE {name}")
