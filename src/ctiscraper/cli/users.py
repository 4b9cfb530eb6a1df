"""`user`: who may log in."""

import sys
from collections.abc import Awaitable, Callable
from getpass import getpass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts, NewUser
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import ago, counted, print_json, print_lines, print_table
from ctiscraper.cli.texts import read_text
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.user_access import Ended, UserAccess, ended_words
from ctiscraper.db.users import Users
from ctiscraper.errors import InputError
from ctiscraper.identity import Access, Role, User
from ctiscraper.loop import run_async

Answer = TypeVar("Answer")

app = typer.Typer(no_args_is_help=True, help="Who may log in, and what each may do.")

Login = Annotated[str, typer.Argument(help="Login of the user.", show_default=False)]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="File with the password; by default it is read from standard input.",
        show_default=False,
    ),
]
Admin = Annotated[bool, typer.Option("--admin", help="Make an administrator.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What the user may do.")]
Name = Annotated[str, typer.Option("--name", help="Name, as others see it.")]
End = Annotated[bool, typer.Option("--end", help="End them all.")]
Only = Annotated[
    list[Access] | None,
    typer.Option("--only", help="This alone; may be repeated.", show_default=False),
]


@app.command("list")
def list_users(data: Data = None, json: Json = False) -> None:
    """List everybody."""
    users = _with_database(data, lambda database: Users(database).all())
    if json:
        print_json([_told(user) for user in users])
        return
    print_table(
        ("Login", "Name", "Role", "Last login", "Sessions", "State"),
        [
            (
                user.login,
                user.name,
                user.role.value,
                ago(user.last_login_at),
                user.sessions,
                _state(user),
            )
            for user in users
        ],
    )


@app.command()
def create(  # noqa: PLR0913 - one parameter for each option
    login: Login,
    *,
    admin: Admin = False,
    role: RoleOption = Role.VIEWER,
    name: Name = "",
    password_file: PasswordFile = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Let somebody in; the password comes by standard input or from a file."""
    password = _password(password_file)
    new = NewUser(login=login, name=name, role=Role.ADMIN if admin else role)

    async def act(database: Database) -> User:
        made = await Accounts(database, Passwords()).create(new, password)
        state = {"login": made.login, "role": made.role}
        await note_deed(database, "user.add", made.id, after=state)
        return made

    user = _with_database(data, act)
    _tell(user, f"{user.login} may log in as {user.role}.", as_json=json)


@app.command("role")
def change_role(
    login: Login,
    role: Annotated[Role, typer.Argument(help="The new role.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Give a user another role; he has to log in again."""

    async def act(database: Database) -> User:
        users = Users(database)
        before = await users.named(_login(login))
        await users.set_role(before.id, role)
        await note_deed(
            database, "user.role", before.id, before={"role": before.role}, after={"role": role}
        )
        return await users.get(before.id)

    user = _with_database(data, act)
    _tell(user, f"{user.login} is {user.role} now.", as_json=json)


@app.command()
def disable(login: Login, data: Data = None, json: Json = False) -> None:
    """Log a user out and let him in no more."""
    user = _with_database(data, lambda database: _switch(database, login, disabled=True))
    _tell(user, f"{user.login} may not log in any more.", as_json=json)


@app.command()
def enable(login: Login, data: Data = None, json: Json = False) -> None:
    """Let a user in again."""
    user = _with_database(data, lambda database: _switch(database, login, disabled=False))
    _tell(user, f"{user.login} may log in again.", as_json=json)


@app.command("password")
def change_password(
    login: Login, password_file: PasswordFile = None, data: Data = None, json: Json = False
) -> None:
    """Give a user another password, by standard input or from a file; his sessions end."""
    password = _password(password_file)

    async def act(database: Database) -> User:
        accounts = Accounts(database, Passwords())
        user = await accounts.users.named(_login(login))
        await accounts.set_password(user.id, password)
        await note_deed(database, "user.password", user.id)
        return user

    user = _with_database(data, act)
    _tell(user, f"The password of {user.login} was changed.", as_json=json)


@app.command("sessions")
def list_sessions(login: Login, end: End = False, data: Data = None, json: Json = False) -> None:
    """List where a user is logged in, or end it."""

    async def act(database: Database) -> tuple[int, list[dict[str, object]]]:
        sessions = Sessions(database)
        user = await Users(database).named(_login(login))
        if end:
            ended = await sessions.end_all(user.id)
            await note_deed(database, "user.end_sessions", user.id, detail={"count": ended})
            return ended, []
        found = await sessions.of_user(user.id)
        rows: list[dict[str, object]] = [
            {"ip": one.ip, "agent": one.agent, "since": one.created_at, "seen": one.seen_at}
            for one in found
        ]
        return 0, rows

    ended, rows = _with_database(data, act)
    if json:
        print_json({"ended": ended} if end else rows)
    elif end:
        print_lines([f"Ended {counted(ended, 'session')}."])
    else:
        print_table(("Address", "Browser", "Since", "Seen"), [tuple(row.values()) for row in rows])


@app.command("end-access")
def end_access(login: Login, only: Only = None, data: Data = None, json: Json = False) -> None:
    """End what lets somebody in as this user: all of it, or what --only names."""

    async def act(database: Database) -> Ended:
        user = await Users(database).named(_login(login))
        ended = await UserAccess(database).end(user.id, tuple(only or Access))
        detail = {"ended": ended_words(ended)}
        await note_deed(database, "user.end_access", user.id, detail=detail)
        return ended

    ended = _with_database(data, act)
    if json:
        print_json({part.value: count for part, count in ended.items()})
        return
    print_table(("Access", "Ended"), [(part.value, count) for part, count in ended.items()])


async def _switch(database: Database, login: str, *, disabled: bool) -> User:
    """Return a user who is let in no more, or again."""
    users = Users(database)
    before = await users.named(_login(login))
    act = users.disable if disabled else users.enable
    await act(before.id)
    await note_deed(
        database,
        "user.state",
        before.id,
        before={"disabled": before.disabled_at is not None},
        after={"disabled": disabled},
    )
    return await users.get(before.id)


def _with_database(data: Path | None, act: Callable[[Database], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with open_database(settings_for(data)) as database:
            return await act(database)

    return run_async(run())


def _login(given: str) -> str:
    return given.strip().lower()


def _password(file: Path | None) -> str:
    """Return a password: one line of a file or of standard input, or typed where nobody sees it.

    Raises InputError and SettingsError.
    """
    if file is None and sys.stdin.isatty():
        typed = getpass("Password: ")
        if typed != getpass("The same again: "):
            raise InputError("the two passwords are not the same")
        return typed
    lines = read_text(file or Path("-")).splitlines()
    if len(lines) != 1:
        raise InputError("the password should stand alone, on one line")
    return lines[0]


def _state(user: User) -> str:
    return "disabled" if user.disabled_at else "enabled"


def _told(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "role": user.role,
        "state": _state(user),
        "sessions": user.sessions,
    }


def _tell(user: User, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(user))
    else:
        print_lines([words])
