"""`backup` and `restore` as an operator runs them."""

import signal
from pathlib import Path

import psycopg
import pytest

from cli.conftest import Collected
from cli.terminal import Terminal, environment

DUMPING = (
    "SELECT 1 FROM pg_stat_activity"
    " WHERE application_name = 'pg_dump' AND datname = current_database()"
)


def test_a_collected_installation_goes_into_an_archive_and_back(
    collected: Collected, tmp_path: Path
) -> None:
    terminal = collected.terminal
    made = terminal.run("backup", str(tmp_path / "archive"), "--json").json
    total = terminal.run("accounting", "--json").json["total"]
    assert made["tables"]["sighting"]["rows"] == total["discovered"] > 0
    assert made["raw"] > 0
    assert made["raw_missing"] == 0
    said = terminal.run("backup", "--verify", str(tmp_path / "archive")).out
    assert f"{tmp_path / 'archive'} is whole: " in said
    assert "raw pages, of 20" in said
    again = terminal.run("backup", str(tmp_path / "archive"), code=6).err
    assert "is there already" in again

    back = terminal.run("restore", str(tmp_path / "archive"), "--into", str(tmp_path / "data"))
    assert "is restored and whole" in back.out
    elsewhere = Terminal({"CTISCRAPER_DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": ""})
    assert elsewhere.run("accounting", "--json").json["total"] == total
    number = elsewhere.run("articles", "list", "--json").json["articles"][0]["id"]
    assert elsewhere.run("articles", "show", str(number), "--json").json["snapshot"]


def test_a_damaged_archive_and_a_full_target_end_with_their_codes(
    collected: Collected, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    collected.terminal.run("backup", str(archive))
    database = collected.terminal.environment["DATABASE_URL"]
    refused = collected.terminal.run("restore", str(archive), "--into", database, code=6).err
    assert "is not empty" in refused
    dump = archive / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-500])
    said = collected.terminal.run("backup", "--verify", str(archive), code=7).err
    assert "database.dump is damaged" in said


def test_a_killed_backup_leaves_nothing_that_looks_whole_and_its_dump_ends_too(
    collected: Collected, tmp_path: Path
) -> None:
    database = collected.terminal.environment["DATABASE_URL"]
    with (
        psycopg.connect(database) as holder,
        psycopg.connect(database, autocommit=True) as watcher,
        collected.terminal.running("backup", str(tmp_path / "all" / "one")) as running,
    ):
        holder.execute("LOCK TABLE article")
        while not watcher.execute(DUMPING).fetchone():
            assert running.process.poll() is None
        running.stop(signal.SIGKILL)
        assert [path.name for path in (tmp_path / "all").iterdir()] == [".one.part"]
        holder.rollback()
        while watcher.execute(DUMPING).fetchone():
            pass
    again = collected.terminal.run("backup", str(tmp_path / "all" / "two"))
    assert "removed .one.part: a backup that was killed left it" in again.err
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["two"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_backup_that_is_told_to_stop_leaves_nothing_at_all(
    collected: Collected, tmp_path: Path, number: signal.Signals
) -> None:
    database = collected.terminal.environment["DATABASE_URL"]
    (tmp_path / "temporary").mkdir()
    terminal = Terminal({**collected.terminal.environment, "TMPDIR": str(tmp_path / "temporary")})
    with (
        psycopg.connect(database) as holder,
        psycopg.connect(database, autocommit=True) as watcher,
        terminal.running("backup", str(tmp_path / "all" / "one")) as running,
    ):
        holder.execute("LOCK TABLE article")
        while not watcher.execute(DUMPING).fetchone():
            assert running.process.poll() is None
        ended = running.stop(number)
        assert (ended.code, ended.out, ended.err) == (130, "", "")
        assert list((tmp_path / "all").iterdir()) == []
        assert list((tmp_path / "temporary").iterdir()) == []


def test_a_folder_that_is_no_archive_is_said(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    assert "is no archive" in terminal.run("backup", "--verify", str(tmp_path), code=7).err
