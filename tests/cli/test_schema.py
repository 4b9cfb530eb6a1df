"""`db`: the schema of the database."""

from pathlib import Path

import pytest

from cli.terminal import Terminal, environment
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.migrate import downgrade


def test_a_current_schema_is_left_alone(terminal: Terminal) -> None:
    assert terminal.run("db", "check", "--json").json["current"] is True
    assert "nothing to do" in terminal.run("db", "upgrade").out


@pytest.mark.parametrize("command", [("db", "upgrade"), ("migrate",)])
def test_a_missing_schema_is_said_and_made(
    database: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    terminal = Terminal(environment(database, tmp_path))
    downgrade(database)
    assert "run 'ctiscraper db upgrade'" in terminal.run("db", "check", code=3).out
    assert "run 'ctiscraper db upgrade'" in terminal.run("sources", "list", code=3).err
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
