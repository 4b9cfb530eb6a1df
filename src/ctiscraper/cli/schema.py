"""`migrate` and `db`: the schema of the database, and who may do what in it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_engine, open_ready_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.moving import move_database
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines, print_note
from ctiscraper.cli.texts import read_text
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.migrate import Patience
from ctiscraper.db.migrate import upgrade as apply
from ctiscraper.db.roles import DatabaseRole, Part, give_roles
from ctiscraper.db.server import ServerFacts, is_newer, read_server, schema_wanted
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.errors import InputError
from ctiscraper.loop import run_async

app = typer.Typer(no_args_is_help=True, help="The schema of the database.")


_NEWER = "of a newer version of this program"

Seed = Annotated[
    bool,
    typer.Option("--seed", help="Then add the new sources of the catalogue that comes along."),
]


def migrate(seed: Seed = False, data: Data = None, json: Json = False) -> None:
    """Bring the database up to this version of the program; safe when started twice.

    A schema of a newer version is left as it is: this one works on it. Tables are locked for less
    than a second at a time, and only tried for when others hold them.
    """

    async def act() -> tuple[str | None, str | None, int, bool]:
        settings = settings_for(data)
        async with open_engine(settings) as engine:
            if is_newer(engine.facts.revision):
                print_note(f"the schema is {engine.facts.revision}, {_NEWER}: left as it is")
            else:
                await asyncio.to_thread(apply, engine.conninfo, patience=Patience(told=print_note))
            added = await _seed(engine.conninfo) if seed else 0
            made = await _bootstrap(engine.conninfo, settings.bootstrap_admin_file)
            after = (await read_server(engine.conninfo)).revision
            return engine.facts.revision, after, added, made

    before, after, added, made = run_async(act())
    if json:
        print_json({"before": before, "after": after, "added": added, "administrator": made})
        return
    changed = f"was {before or 'empty'} and is {after} now." if before != after else ""
    print_lines([f"The schema {changed or f'is {after}: nothing to do.'}"])
    if added:
        print_lines([f"Added {counted(added, 'source')}."])
    if made:
        print_lines(["Made the first administrator."])


async def _seed(conninfo: str) -> int:
    """Return how many sources of the catalogue were not known yet."""
    async with Database(conninfo, size=1) as database:
        added = await Sources(database).seed(default_catalog())
        if added:
            await note_deed(database, "source.seed", detail={"count": added})
        return added


async def _bootstrap(conninfo: str, file: Path | None) -> bool:
    """Return whether the administrator of a file was made: the first, and he alone."""
    if file is None:
        return False
    async with Database(conninfo, size=1) as database:
        made = await Accounts(database, Passwords()).bootstrap(file)
        if made is not None:
            state = {"login": made.login, "role": made.role}
            await note_deed(database, "user.setup", made.id, after=state)
        return made is not None


app.command("upgrade", help="The same as 'migrate'.")(migrate)
app.command("move")(move_database)


@app.command()
def check(data: Data = None, json: Json = False) -> None:
    """Say whether the database is what this program needs; change nothing."""

    async def read() -> ServerFacts:
        async with open_engine(settings_for(data)) as engine:
            return engine.facts

    facts = run_async(read())
    if json:
        said = {"postgresql": facts.version, "schema": facts.revision, "wanted": schema_wanted()}
        print_json({**said, "current": facts.has_schema})
    else:
        schema = f"schema {facts.revision or 'empty'}, {_state(facts.revision)}"
        print_lines([f"PostgreSQL {facts.version}, {schema}"])
    if not facts.has_schema:
        raise typer.Exit(Exit.SETTINGS)


_WHOSE = {Part.WEB: "the pages", Part.WORKER: "workers and of beat"}

WebRole = Annotated[str, typer.Option("--web", metavar="NAME", help="Role of the pages.")]
WorkerRole = Annotated[
    str, typer.Option("--worker", metavar="NAME", help="Role of workers and of beat.")
]
WebPassword = Annotated[
    Path | None,
    typer.Option(
        "--web-password-file", metavar="FILE", help="File with its password.", show_default=False
    ),
]
WorkerPassword = Annotated[
    Path | None,
    typer.Option(
        "--worker-password-file", metavar="FILE", help="File with its password.", show_default=False
    ),
]


@app.command()
def roles(
    *,
    web: WebRole = "ctiscraper_web",
    worker: WorkerRole = "ctiscraper_worker",
    web_password_file: WebPassword = None,
    worker_password_file: WorkerPassword = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a role for the pages and one for workers, which may do no more than they need.

    Run it as the owner of the schema; a role without a password file must be there. The pages
    cannot change the audit log, and workers cannot read who users are or what lets them in.
    """
    if web == worker:
        raise InputError("pages and workers need a role each: give two names")
    wanted = [
        DatabaseRole(part=Part.WEB, name=web, password=_password(web_password_file)),
        DatabaseRole(part=Part.WORKER, name=worker, password=_password(worker_password_file)),
    ]

    async def act() -> None:
        async with open_ready_engine(settings_for(data)) as engine:
            is_ours = not is_newer(engine.facts.revision)
            if not is_ours:
                print_note(f"the schema is {engine.facts.revision}, {_NEWER}: its rights stay")
            await asyncio.to_thread(give_roles, engine.conninfo, wanted, rights=is_ours)

    run_async(act())
    if json:
        print_json({role.part.value: role.name for role in wanted})
        return
    print_lines([f"{role.name} has the rights of {_WHOSE[role.part]} now." for role in wanted])


def _password(file: Path | None) -> str | None:
    """Return the password in a file, as DATABASE_PASSWORD_FILE is read.

    Raises InputError and SettingsError.
    """
    if file is None:
        return None
    lines = read_text(file).splitlines()
    if len(lines) != 1 or not lines[0].strip():
        raise InputError(f"{file} should hold the password, on one line")
    return lines[0]


def _state(revision: str | None) -> str:
    wanted = schema_wanted()
    if revision == wanted:
        return "current"
    if is_newer(revision):
        return f"newer than {wanted}: update the program"
    return f"not {wanted}: run 'ctiscraper migrate'"
