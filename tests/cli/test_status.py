"""`status`: the state in a terminal, for programs, and as an exit code."""

import asyncio
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from rich.text import Text

import make_operations as made
from cli.conftest import Collected
from cli.terminal import PATIENCE, Terminal, environment
from ctiscraper import loop
from ctiscraper.cli import status
from ctiscraper.config import load_settings
from ctiscraper.db.migrate import downgrade
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.embedding import Embedding
from ctiscraper.operations import OURS_AWAY
from ctiscraper.tasks.bell import Bell
from ctiscraper.tasks.watch import OperationsReport, report
from web.shelf import Shelf
from worded_vectors import WordedEmbedder


def test_after_a_collection_all_ends_are_counted(collected: Collected) -> None:
    told = collected.terminal.run("status", "--json", code=None).json
    total = collected.terminal.run("accounting", "--json").json["total"]
    ended = told["work"]["flow"]["ended"]
    assert sum(ended.values()) == total["discovered"] - total["pending"]
    assert ended["failed"] == total["failed"] > 0
    assert told["work"]["balanced"] is True
    traffic = told["work"]["traffic"]
    assert traffic["checks"] == 5
    assert traffic["pages"] > 0
    assert traffic["page_bytes"] > 1000


def test_a_person_sees_tiers_and_findings(collected: Collected) -> None:
    shown = collected.terminal.run("status", code=None).out.splitlines()
    heads = [line.split() for line in shown]
    assert heads[0] == ["part", "found", "what", "to", "do"]
    assert any(line[:2] == ["tier", "due"] for line in heads)
    assert any(line[:1] == ["standard"] for line in heads)
    assert any(line.startswith("24 hours") for line in shown)


def test_how_far_vectors_are_is_said(terminal: Terminal, database: str) -> None:
    assert "Vectors   no text has any yet" in terminal.run("status").out
    Shelf(database).article("one", text="Words.")

    async def embed() -> None:
        async with Database(database, size=2) as opened:
            await Embedding(Passages(opened), WordedEmbedder()).embed_all()

    asyncio.run(embed())
    told = terminal.run("status", code=None).out
    assert "Vectors   of 1 texts by " in told
    assert "searched by" in told
    assert terminal.run("status", "--json", code=None).json["work"]["vectors"]["texts"] == 1


def test_a_host_that_rests_for_our_sake_is_not_blamed(terminal: Terminal, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO host (host, open_until) VALUES ('fine.example', now() + interval '1 m')"
        )
    said = " ".join(terminal.run("status", code=None).out.split())
    assert "None" not in said
    assert OURS_AWAY in said


def test_sums_that_are_not_known_and_workers_that_are_not_listed_are_said() -> None:
    work = made.work(workers=(made.worker(),), worker_count=151, summed_seconds=None)
    seen = OperationsReport(degraded=True, findings=(), database=made.database(), work=work)
    assert "151 at work, how many are dead is not known" in status._one_line(seen)
    facts = "\n".join(status._facts(work))
    assert "0 requests; checks not known; 0 pages" in facts
    assert "Standing" not in facts
    assert "Vectors" not in facts
    said = [part.plain for part in status._screen(seen) if isinstance(part, Text)]
    assert "and 150 more, who ended an item before these did" in said


def test_an_idle_installation_is_well(terminal: Terminal) -> None:
    assert terminal.run("status").err == ""


def test_work_without_workers_is_degraded(terminal: Terminal, database: str) -> None:
    _due_source(database)
    ended = terminal.run("status", code=9)
    assert "1 item or check wait" in ended.out
    assert "run 'ctiscraper worker'" in ended.out
    told = terminal.run("status", "--json", code=9).json
    assert told["degraded"] is True


def test_a_schema_that_is_behind_is_said(database: str, terminal: Terminal) -> None:
    downgrade(database, "20261122_1800")
    assert "run 'ctiscraper migrate'" in terminal.run("status", code=9).out


def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    away = environment("postgresql://nobody:secret@127.0.0.1:1/none", tmp_path)
    ended = Terminal(away).run("status", code=9)
    assert "127.0.0.1:1/none cannot be used" in ended.out
    assert "secret" not in ended.out + ended.err


def test_watching_goes_on_until_it_is_stopped(terminal: Terminal, database: str) -> None:
    with terminal.running("status", "--watch", "--every", "0.5", "--json") as running:
        assert running.process.stdout is not None
        assert '"sources_due":0' in running.process.stdout.readline()
        _due_source(database)
        while '"sources_due":1' not in running.process.stdout.readline():
            assert running.process.poll() is None
        assert running.stop().code == 0


async def test_watching_ends_though_a_look_missed_that_it_should(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    begun = asyncio.Event()

    async def deaf(board: OperationsBoard, bell: Bell) -> OperationsReport:
        if not begun.is_set():
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return await report(board, bell)

    monkeypatch.setattr(status, "report", deaf)
    settings = load_settings(data_dir=tmp_path, database_url=database)
    watching = asyncio.create_task(status._watch(settings, 0.01, as_json=True))
    await begun.wait()
    watching.cancel()
    done, _ = await asyncio.wait({watching}, timeout=PATIENCE)
    assert done == {watching}
    assert watching.cancelled()


def test_watching_through_a_pipe_gives_a_line_a_look(terminal: Terminal, database: str) -> None:
    _due_source(database)
    with terminal.running("status", "--watch", "--every", "0.5") as running:
        assert running.process.stdout is not None
        line = running.process.stdout.readline()
        assert line.startswith("1 waiting, 0 in flight, 0.0 ended a minute, 0 at work, 0 dead; ")
        assert "no worker is at work" in line


def _due_source(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            """
            WITH s AS (
                INSERT INTO source (key, settings)
                VALUES ('acme', '{"name": "Acme", "tier": "standard", "active": true}')
                RETURNING id)
            INSERT INTO source_state (source_id, host) SELECT id, 'acme.example' FROM s
            """
        )
