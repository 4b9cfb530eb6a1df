"""`migrate` and `db`: the schema of the database."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cli.terminal import PATIENCE, Terminal, environment
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.migrate import LOCK_KEY, downgrade, newest


def test_a_current_schema_is_left_alone(terminal: Terminal) -> None:
    assert terminal.run("db", "check", "--json").json["current"] is True
    assert "nothing to do" in terminal.run("migrate").out
    assert "nothing to do" in terminal.run("db", "upgrade").out


@pytest.mark.parametrize("command", [("db", "upgrade"), ("migrate",)])
def test_a_missing_schema_is_said_and_made(
    database: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    terminal = Terminal(environment(database, tmp_path))
    downgrade(database)
    assert "run 'ctiscraper migrate'" in terminal.run("db", "check", code=3).out
    assert "run 'ctiscraper migrate'" in terminal.run("sources", "list", code=3).err
    assert "was empty and is" in terminal.run(*command).out
    assert terminal.run("sources", "list", "--json").json == []
    assert "current" in terminal.run("db", "check").out


def test_a_deployment_starts_with_the_catalogue(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    assert terminal.run("migrate", "--json").json["added"] == 0
    first = terminal.run("migrate", "--seed", "--json").json
    assert first["before"] == first["after"]
    assert first["added"] == len(default_catalog())
    assert terminal.run("migrate", "--seed").out.count("\n") == 1
    assert len(terminal.run("sources", "list", "--json").json) == first["added"]


def test_started_twice_the_second_waits_and_finds_it_done(database: str, tmp_path: Path) -> None:
    downgrade(database)
    terminal = Terminal(environment(database, tmp_path))
    with psycopg.connect(database, autocommit=True) as turn:
        turn.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        with terminal.running("migrate") as one, terminal.running("migrate", "--json") as two:
            for running in (one, two):
                assert running.process.stderr is not None
                assert "another process migrates" in running.process.stderr.readline()
            turn.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))
            for running in (one, two):
                running.process.communicate(timeout=PATIENCE)
                assert running.process.returncode == 0
    assert f"schema {newest()}" in terminal.run("db", "check").out


def test_a_newer_schema_is_worked_on_but_not_migrated(database: str, tmp_path: Path) -> None:
    """After an upgrade that is taken back the older program must start again."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29990101_0000'")
    terminal = Terminal(environment(database, tmp_path))
    refused = terminal.run("migrate", code=3).err
    assert "29990101_0000, newer than this program" in refused
    assert str(newest()) in refused
    assert "DATABASE_URL" in refused
    assert "newer than" in terminal.run("db", "check").out
    assert terminal.run("sources", "list", "--json").json == []


def test_a_read_only_server_is_not_migrated(database: str, tmp_path: Path) -> None:
    read_only = make_conninfo(database, options="-c default_transaction_read_only=on")
    said = Terminal(environment(read_only, tmp_path)).run("migrate", code=3).err
    assert "take default_transaction_read_only back" in said
    assert "DATABASE_URL" in said
