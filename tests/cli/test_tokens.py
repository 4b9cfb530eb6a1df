"""`token` on the terminal."""

import asyncio

from cli.terminal import Terminal
from ctiscraper.access.tokens import read_token
from ctiscraper.cli.exits import Exit
from ctiscraper.db.principals import Principals
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Permission, Principal, Role
from people import person


def prepared(database: str) -> int:
    async def make() -> int:
        async with Database(database, size=1) as opened:
            return await person(opened, Role.ANALYST, "ann")

    return asyncio.run(make())


def let_in(database: str, secret: str) -> Principal | None:
    async def ask() -> Principal | None:
        key = read_token(secret)
        assert key is not None
        async with Database(database, size=1) as opened:
            return await Principals(opened).of_token(key)

    return asyncio.run(ask())


def test_a_token_is_printed_once_and_lets_in(terminal: Terminal, database: str) -> None:
    assert "There is no token yet" in terminal.run("token", "list").out
    ended = terminal.run("token", "create", "a script", "--scope", "article:read")
    [secret] = ended.out.splitlines()
    assert secret not in ended.err
    principal = let_in(database, secret)
    assert principal is not None
    assert (principal.user_id, principal.permissions) == (
        None,
        frozenset({Permission.ARTICLE_READ}),
    )
    listed = terminal.run("token", "list", "--json")
    assert secret.split("_")[2] not in listed.out
    [token] = listed.json
    assert (token["name"], token["live"]) == ("a script", True)
    assert "nobody" in terminal.run("token", "list").out
    assert "lets nobody in" in terminal.run("token", "revoke", token["id"]).out
    assert let_in(database, secret) is None
    assert terminal.run("token", "revoke", "nothing", code=Exit.NOT_FOUND).err
    actions = [one["action"] for one in terminal.run("audit", "list", "--json").json["entries"]]
    assert actions == ["token.revoke", "token.make"]


def test_a_token_of_somebody_may_do_what_he_may(terminal: Terminal, database: str) -> None:
    user = prepared(database)
    arguments = ("token", "create", "his", "--user", "Ann")
    made = terminal.run(*arguments, "--role", "analyst", "--forever", "--json").json
    principal = let_in(database, made["secret"])
    assert principal is not None
    assert (principal.user_id, principal.permissions) == (user, GRANTS[Role.ANALYST])
    assert made["token"]["expires_at"] is None
    beyond = terminal.run(*arguments, "--role", "curator", code=Exit.BAD_FILE)
    assert "queue:write, source:write" in beyond.err
    assert terminal.run(*arguments, code=Exit.USAGE).err
    assert terminal.run(*arguments, "--scope", "everything", code=Exit.USAGE).err
    assert terminal.run(*arguments, "--days", "0", "--role", "viewer", code=Exit.USAGE).err
    nobody = ("token", "create", "x", "--role", "viewer", "--user", "bob")
    assert "no user 'bob'" in terminal.run(*nobody, code=Exit.NOT_FOUND).err
