"""`user`: who may log in, by commands."""

import json
from pathlib import Path

import pytest

from cli.terminal import Terminal

PASSWORD = "seven lanterns hum at noon"


def made(terminal: Terminal, login: str = "jane", *more: str) -> None:
    terminal.run("user", "create", login, *more, stdin=f"{PASSWORD}\n".encode())


def test_somebody_is_let_in_and_listed(terminal: Terminal) -> None:
    assert terminal.run("user", "list", "--json").json == []
    ended = terminal.run("user", "create", "--admin", "Jane", stdin=PASSWORD.encode())
    assert ended.out == "jane may log in as admin.\n"
    made(terminal, "john", "--role", "analyst", "--name", "John Doe")
    listed = terminal.run("user", "list", "--json").json
    assert [(one["login"], one["name"], one["role"], one["state"]) for one in listed] == [
        ("jane", "jane", "admin", "enabled"),
        ("john", "John Doe", "analyst", "enabled"),
    ]
    assert "John Doe" in terminal.run("user", "list").out


def test_a_password_comes_from_a_file_and_never_from_an_argument(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", "utf-8")
    terminal.run("user", "create", "jane", "--password-file", str(file))
    assert terminal.run("user", "create", "john", "--password", PASSWORD, code=2).out == ""
    assert PASSWORD not in terminal.run("user", "list", "--json").out


@pytest.mark.parametrize("given", [b"", b"short\n", b"two\nlines of words\n", b"password1234\n"])
def test_a_bad_password_lets_nobody_in(terminal: Terminal, given: bytes) -> None:
    ended = terminal.run("user", "create", "jane", stdin=given, code=7)
    assert "password" in ended.err
    assert terminal.run("user", "list", "--json").json == []


def test_a_user_is_changed(terminal: Terminal) -> None:
    made(terminal, "jane", "--admin")
    made(terminal, "john")
    assert terminal.run("user", "role", "john", "curator", "--json").json["role"] == "curator"
    assert terminal.run("user", "disable", "john", "--json").json["state"] == "disabled"
    assert terminal.run("user", "enable", "john", "--json").json["state"] == "enabled"
    ended = terminal.run("user", "password", "john", stdin=b"eight herons by the mill\n")
    assert ended.out == "The password of john was changed.\n"
    assert terminal.run("user", "sessions", "john", "--json").json == []
    assert terminal.run("user", "sessions", "john", "--end").out == "Ended 0 sessions.\n"


def test_what_lets_a_user_in_is_ended(terminal: Terminal) -> None:
    made(terminal, "jane", "--admin")
    ended = terminal.run(
        "user", "end-access", "jane", "--only", "app", "--only", "tokens", "--json"
    )
    assert ended.json == {"tokens": 0, "app": 0}
    assert terminal.run("user", "end-access", "jane", "--json").json["password"] == 1
    assert "password" in terminal.run("user", "end-access", "jane").out
    terminal.run("user", "end-access", "jane", "--only", "everything", code=2)
    assert "no such user" in terminal.run("user", "end-access", "nobody", code=5).err
    listed = terminal.run("audit", "list", "--json").json["entries"]
    assert [one["action"] for one in listed].count("user.end_access") == 3


def test_the_last_administrator_stays(terminal: Terminal) -> None:
    made(terminal, "jane", "--admin")
    for command in (("disable", "jane"), ("role", "jane", "viewer")):
        assert "last administrator" in terminal.run("user", *command, code=6).err


def test_nobody_and_somebody_twice_are_told(terminal: Terminal) -> None:
    made(terminal, "jane", "--admin")
    assert "no such user" in terminal.run("user", "disable", "nobody", code=5).err
    ended = terminal.run("user", "create", "jane", stdin=PASSWORD.encode(), code=6)
    assert "already" in ended.err


def test_a_mounted_secret_makes_the_first_administrator_in_the_migration(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "admin.json"
    file.write_text(json.dumps({"username": "ops", "password": PASSWORD}), "utf-8")
    settings = {**terminal.environment, "CTISCRAPER_BOOTSTRAP_ADMIN_FILE": str(file)}
    starting = Terminal(settings)
    first = starting.run("migrate", "--json")
    assert first.json["administrator"] is True
    assert PASSWORD not in first.out + first.err
    assert starting.run("migrate", "--json").json["administrator"] is False
    [user] = terminal.run("user", "list", "--json").json
    assert (user["login"], user["role"]) == ("ops", "admin")
    [entry] = terminal.run("audit", "list", "--json").json["entries"]
    assert (entry["action"], entry["object_id"]) == ("user.setup", str(user["id"]))
    assert json.loads(entry["changes"]) == {"login": [None, "ops"], "role": [None, "admin"]}
    file.write_text("{}", "utf-8")
    assert "BOOTSTRAP_ADMIN_FILE" in starting.run("migrate", code=3).err
