"""`migrate` and `db`: the schema of the database."""

import asyncio

import typer

from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_json, print_lines, print_note
from ctiscraper.db.migrate import Patience
from ctiscraper.db.migrate import upgrade as apply
from ctiscraper.db.server import is_newer, read_server, schema_wanted
from ctiscraper.tasks.loop import run_async

app = typer.Typer(no_args_is_help=True, help="The schema of the database.")


def migrate(data: Data = None, json: Json = False) -> None:
    """Bring the database up to this version of the program; safe when started twice.

    Tables are locked for less than a second at a time, and only tried for when others hold them.
    """

    async def act() -> tuple[str | None, str | None]:
        async with open_engine(settings_for(data)) as engine:
            await asyncio.to_thread(apply, engine.conninfo, patience=Patience(told=print_note))
            return engine.facts.revision, (await read_server(engine.conninfo)).revision

    before, after = run_async(act())
    if json:
        print_json({"before": before, "after": after})
    elif before == after:
        print_lines([f"The schema is {after}: nothing to do."])
    else:
        print_lines([f"The schema was {before or 'empty'} and is {after} now."])


app.command("upgrade", help="The same as 'migrate'.")(migrate)


@app.command()
def check(data: Data = None, json: Json = False) -> None:
    """Say whether the database is what this program needs; change nothing."""

    async def read() -> tuple[str, str | None]:
        async with open_engine(settings_for(data)) as engine:
            return engine.facts.version, engine.facts.revision

    version, revision = run_async(read())
    wanted = schema_wanted()
    if json:
        facts = {"postgresql": version, "schema": revision, "wanted": wanted}
        print_json({**facts, "current": revision == wanted})
    else:
        print_lines([f"PostgreSQL {version}, schema {revision or 'empty'}, {_state(revision)}"])
    if revision != wanted:
        raise typer.Exit(Exit.SETTINGS)


def _state(revision: str | None) -> str:
    wanted = schema_wanted()
    if revision == wanted:
        return "current"
    if is_newer(revision):
        return f"newer than {wanted}: update the program"
    return f"not {wanted}: run 'ctiscraper migrate'"
