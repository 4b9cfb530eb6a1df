"""`db`: the schema of the database."""

import asyncio

import typer

from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_json, print_lines
from ctiscraper.db.migrate import upgrade as migrate
from ctiscraper.db.server import ServerFacts, read_server, schema_wanted
from ctiscraper.tasks.loop import run_async

app = typer.Typer(no_args_is_help=True, help="The schema of the database.")


@app.command()
def upgrade(data: Data = None, json: Json = False) -> None:
    """Bring the database up to this version of the program; safe when started twice."""

    async def act() -> tuple[str | None, str | None]:
        async with open_engine(settings_for(data)) as engine:
            if not engine.facts.has_schema:
                await asyncio.to_thread(migrate, engine.conninfo)
            return engine.facts.revision, (await read_server(engine.conninfo)).revision

    before, after = run_async(act())
    if json:
        print_json({"before": before, "after": after})
    elif before == after:
        print_lines([f"The schema is {after}: nothing to do."])
    else:
        print_lines([f"The schema was {before or 'empty'} and is {after} now."])


@app.command()
def check(data: Data = None, json: Json = False) -> None:
    """Say whether the database is what this program needs; change nothing."""

    async def read() -> ServerFacts:
        async with open_engine(settings_for(data)) as engine:
            return engine.facts

    facts = run_async(read())
    wanted = schema_wanted()
    if json:
        said = {"postgresql": facts.version, "schema": facts.revision, "wanted": wanted}
        print_json({**said, "current": facts.has_schema})
    else:
        state = "current" if facts.has_schema else f"not {wanted}: run 'ctiscraper db upgrade'"
        print_lines([f"PostgreSQL {facts.version}, schema {facts.revision or 'empty'}, {state}"])
    if not facts.has_schema:
        raise typer.Exit(Exit.SETTINGS)
