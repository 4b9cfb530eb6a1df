"""What commands change and write out stands in the audit log, under who gave them."""

import json
import os
import pwd
import re

import pytest
import typer
from typer.main import get_command

from cli.terminal import Terminal
from ctiscraper.cli.actor import command_actor
from ctiscraper.cli.app import app
from ctiscraper.db.vector_index import IndexState
from ctiscraper.tasks.findings import said_of_index

PASSWORD = "seven lanterns hum at noon"
NOTED = """
    analysis cancel | analysis judge | analysis retry | analysis run | articles entities
    | audit export
    | data update | data use | db move | db upgrade | dead discard | dead retry | enrichment retry
    | import predecessor | indicator | indicators | lookup | migrate | quarantine release
    | reprocess | retention | sigma add | sigma ask | sigma draft | sigma export | sources add
    | sources check | sources edit | sources export | sources import | sources preview
    | sources remove | stories merge | stories move | stories split | stories undo | techniques
    | token create | token revoke | user create | user disable | user enable | user end-access
    | user password | user role | user sessions | verdict make | verdict undo | watchlist add
    | watchlist export | watchlist import | watchlist remove
"""
# They only look, run what works by itself, or are about files of this machine.
NOT_NOTED = """
    accounting | analysis compare | analysis cost | analysis judged | analysis list
    | analysis show | articles list
    | articles search | articles show | articles similar | ask | audit list | audit verify
    | backup | beat | collect | data export | data info | data list | db check | db roles
    | dead list | demo | doctor | embed | enrichment failed | eval llm | eval texts | health
    | model check | model list | model pull | model-worker | observables | quarantine list
    | restore | scoreboard | search | secrets make | secrets renew-key | secrets seal-anew
    | sigma check | sigma convert | sigma list | sigma show | sources changes | sources list
    | sources show | stack | status | stories list | stories show | technique | token list | up
    | user list | verdict list | watchlist list | watchlist rescore | web | worker
"""


def named(text: str) -> set[str]:
    return {" ".join(name.split()) for name in text.split("|")}


def commands() -> set[str]:
    """Every command of the program."""
    context = typer.Context(get_command(app))
    found: set[str] = set()
    for name in context.command.list_commands(context):  # type: ignore[attr-defined]  # a group
        command = context.command.get_command(context, name)  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found |= {f"{name} {one}" for one in below} if below else {name}
    return found


def test_of_every_command_it_is_known_whether_it_is_noted() -> None:
    assert commands() == named(NOTED) | named(NOT_NOTED)
    assert not named(NOTED) & named(NOT_NOTED)


@pytest.mark.parametrize("state", IndexState)
def test_what_is_advised_of_vectors_are_commands_that_there_are(state: IndexState) -> None:
    _, advice = said_of_index(state)
    for words in re.findall("'ctiscraper ([a-z ]+)'", advice):
        assert words in commands()


def test_who_gave_a_command_is_the_user_of_the_machine() -> None:
    assert command_actor().name == pwd.getpwuid(os.getuid()).pw_name


def test_what_commands_do_to_users_is_noted(terminal: Terminal) -> None:
    def run(*arguments: str) -> None:
        terminal.run("user", *arguments, stdin=f"{PASSWORD}\n".encode())

    run("create", "--admin", "jane")
    run("create", "john")
    run("role", "john", "curator")
    run("disable", "john")
    run("enable", "john")
    run("password", "john")
    run("sessions", "john")
    run("sessions", "john", "--end")
    terminal.run("user", "disable", "jane", code=6)
    listed = terminal.run("audit", "list", "--json")
    assert PASSWORD not in listed.out
    entries = list(reversed(listed.json["entries"]))
    users = {one["login"]: str(one["id"]) for one in terminal.run("user", "list", "--json").json}
    assert {one["actor_kind"] for one in entries} == {"command"}
    assert {one["object_kind"] for one in entries} == {"user"}
    assert {one["object_id"] for one in entries[1:]} == {users["john"]}
    assert [(one["action"], json.loads(one["changes"])) for one in entries] == [
        ("user.add", {"login": [None, "jane"], "role": [None, "admin"]}),
        ("user.add", {"login": [None, "john"], "role": [None, "viewer"]}),
        ("user.role", {"role": ["viewer", "curator"]}),
        ("user.state", {"disabled": [False, True]}),
        ("user.state", {"disabled": [True, False]}),
        ("user.password", {}),
        ("user.end_sessions", {"count": 0}),
    ]
