"""`db`: the schema of the database."""

from pathlib import Path

from cli.terminal import Terminal, environment
from ctiscraper.db.migrate import downgrade


def test_a_current_schema_is_left_alone(terminal: Terminal) -> None:
    assert terminal.run("db", "check", "--json").json["current"] is True
    assert "nothing to do" in terminal.run("db", "upgrade").out


def test_a_missing_schema_is_said_and_made(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    downgrade(database)
    assert "run 'ctiscraper migrate'" in terminal.run("db", "check", code=3).out
    assert "run 'ctiscraper migrate'" in terminal.run("sources", "list", code=3).err
    assert "was empty and is" in terminal.run("db", "upgrade").out
    assert terminal.run("sources", "list", "--json").json == []
    assert "current" in terminal.run("db", "check").out
