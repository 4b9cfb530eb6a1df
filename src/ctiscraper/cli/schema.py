"""`migrate` and `db`: the schema of the database."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines, print_note
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.migrate import Patience
from ctiscraper.db.migrate import upgrade as apply
from ctiscraper.db.server import ServerFacts, is_newer, read_server, schema_wanted
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.loop import run_async

app = typer.Typer(no_args_is_help=True, help="The schema of the database.")


Seed = Annotated[
    bool,
    typer.Option("--seed", help="Then add the new sources of the catalogue that comes along."),
]


def migrate(seed: Seed = False, data: Data = None, json: Json = False) -> None:
    """Bring the database up to this version of the program; safe when started twice.

    Tables are locked for less than a second at a time, and only tried for when others hold them.
    """

    async def act() -> tuple[str | None, str | None, int, bool]:
        settings = settings_for(data)
        async with open_engine(settings) as engine:
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


def _state(revision: str | None) -> str:
    wanted = schema_wanted()
    if revision == wanted:
        return "current"
    if is_newer(revision):
        return f"newer than {wanted}: update the program"
    return f"not {wanted}: run 'ctiscraper migrate'"
