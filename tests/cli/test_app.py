"""The program as a whole: its help, its errors and its exit codes."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.terminal import PROGRAM, Terminal, environment
from ctiscraper import __version__
from ctiscraper.cli.app import app
from ctiscraper.cli.commands import COMMANDS


def test_the_help_names_every_command(terminal: Terminal) -> None:
    said = terminal.run("--help").out
    assert [name for name in COMMANDS if f" {name} " not in said] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(terminal: Terminal, command: str) -> None:
    assert "Usage: ctiscraper" in terminal.run(command, "--help").out


def test_a_list_of_commands_says_what_each_says_of_itself() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("ctiscraper", ["web"]) as context:
        for name, known in COMMANDS.items():
            command = group.get_command(context, name)
            assert command is not None
            assert (command.help or "").partition("\n\n")[0] == known.says, name


def test_help_loads_no_command() -> None:
    ask = "import sys; sys.argv = ['ctiscraper', '--help']; import ctiscraper.cli as c; c.main()"
    code = f"import atexit, sys; atexit.register(lambda: print(sorted(sys.modules))); {ask}"
    said = subprocess.run([PROGRAM[0], "-c", code], capture_output=True, check=True, text=True)
    assert " doctor " in said.stdout
    assert "'ctiscraper.cli.app'" in said.stdout
    assert "'ctiscraper.bootstrap'" not in said.stdout
    assert "'fastapi'" not in said.stdout


def test_a_command_is_loaded_without_full_collections() -> None:
    tell = "print(gc.get_stats()[2]['collections'], gc.get_freeze_count())"
    ask = "sys.argv = ['ctiscraper', '--verbose', 'web', '--help']; c.main()"
    code = f"import atexit, gc, sys, ctiscraper.cli as c; {tell}; atexit.register(lambda: {tell})"
    said = subprocess.run([PROGRAM[0], "-c", f"{code}; {ask}"], capture_output=True, check=True)
    first, *_, last = said.stdout.decode().splitlines()
    (before, frozen), (after, kept) = (map(int, line.split()) for line in (first, last))
    assert (frozen, after) == (0, before)
    assert kept > 100_000


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, check=True, text=True)
    assert done.stdout == f"ctiscraper {__version__}\n"


@pytest.mark.parametrize("line", [["nothing"], ["articles", "list", "--limit", "0"], ["up", "--x"]])
def test_what_is_not_understood_is_usage(terminal: Terminal, line: list[str]) -> None:
    assert terminal.run(*line, code=2).err


def test_wrong_settings_are_all_named(tmp_path: Path) -> None:
    wrong = {
        **environment("postgresql://localhost/none", tmp_path),
        "CTISCRAPER_WORKERS": "none",
        "CTISCRAPER_EGRESS_ALLOW_CIDRS": "everywhere",
    }
    ended = Terminal(wrong).run("accounting", code=3)
    assert "CTISCRAPER_WORKERS" in ended.err
    assert "CTISCRAPER_EGRESS_ALLOW_CIDRS" in ended.err
    assert "Traceback" not in ended.err


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    away = environment("postgresql://nobody:secret@127.0.0.1:1/none", tmp_path)
    ended = Terminal(away).run("articles", "list", "--json", code=8)
    error = json.loads(ended.err)
    assert error["error"] == "storage"
    assert "127.0.0.1:1/none" in error["message"]
    assert "secret" not in ended.err


def test_an_address_of_no_database_is_a_setting(tmp_path: Path) -> None:
    ended = Terminal(environment("mysql;//x", tmp_path)).run("articles", "list", code=3)
    assert "DATABASE_URL cannot be read" in ended.err


def test_a_folder_that_cannot_be_made_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    here = {"CTISCRAPER_DATA_DIR": str(tmp_path / "file" / "data"), "DATABASE_URL": ""}
    ended = Terminal(here).run("articles", "list", code=3)
    assert "choose another data folder" in ended.err
