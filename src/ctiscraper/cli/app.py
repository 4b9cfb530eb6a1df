"""The program: its commands, its log, and how errors end it."""

import importlib
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ctiscraper import __version__
from ctiscraper.cli.exits import Exit, exit_of
from ctiscraper.cli.output import print_error
from ctiscraper.errors import CTIScraperError
from ctiscraper.telemetry import configure_logs

if TYPE_CHECKING:
    from ctiscraper.config import LogSettings

# Only what a command needs is imported: a worker must not carry the web pages in its memory.
PLACES = {
    "up": "ctiscraper.cli.up:up",
    "demo": "ctiscraper.cli.up:demo",
    "collect": "ctiscraper.cli.collect:collect",
    "web": "ctiscraper.cli.web:web",
    "worker": "ctiscraper.cli.worker:worker",
    "model-worker": "ctiscraper.cli.model_worker:model_worker",
    "beat": "ctiscraper.cli.beat:beat",
    "stack": "ctiscraper.cli.stack:stack",
    "sources": "ctiscraper.cli.sources:app",
    "articles": "ctiscraper.cli.articles:app",
    "search": "ctiscraper.cli.articles:search",
    "ask": "ctiscraper.cli.ask:ask",
    "embed": "ctiscraper.cli.embed:embed",
    "indicators": "ctiscraper.cli.entities:indicators",
    "indicator": "ctiscraper.cli.entities:indicator",
    "techniques": "ctiscraper.cli.techniques:techniques",
    "technique": "ctiscraper.cli.techniques:technique",
    "lookup": "ctiscraper.cli.lookup:lookup",
    "verdict": "ctiscraper.cli.verdicts:app",
    "analysis": "ctiscraper.cli.analyses:app",
    "enrichment": "ctiscraper.cli.enrichment:app",
    "watchlist": "ctiscraper.cli.watchlist:app",
    "sigma": "ctiscraper.cli.sigma:app",
    "stories": "ctiscraper.cli.stories:app",
    "scoreboard": "ctiscraper.cli.stories:scoreboard",
    "dead": "ctiscraper.cli.queue:dead",
    "quarantine": "ctiscraper.cli.queue:quarantine",
    "reprocess": "ctiscraper.cli.queue:reprocess",
    "observables": "ctiscraper.cli.observables:observables",
    "eval": "ctiscraper.cli.evaluate:app",
    "model": "ctiscraper.cli.model:app",
    "data": "ctiscraper.cli.reference_data:app",
    "accounting": "ctiscraper.cli.accounting:accounting",
    "status": "ctiscraper.cli.status:status",
    "db": "ctiscraper.cli.schema:app",
    "migrate": "ctiscraper.cli.schema:migrate",
    "retention": "ctiscraper.cli.retention:retention",
    "import": "ctiscraper.cli.importing:app",
    "backup": "ctiscraper.cli.backup:backup",
    "restore": "ctiscraper.cli.backup:restore",
    "doctor": "ctiscraper.cli.doctor:doctor",
    "health": "ctiscraper.cli.health:health",
    "user": "ctiscraper.cli.users:app",
    "secrets": "ctiscraper.cli.secrets:app",
    "token": "ctiscraper.cli.tokens:app",
    "audit": "ctiscraper.cli.audit:app",
}
# What runs for long without a person before it says what it does.
SERVICES = frozenset({"web", "worker", "model-worker", "beat"})


class Commands(TyperGroup):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer carries its own click
        """Return the names in the order of the help."""
        del ctx
        return list(PLACES)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201 - the type is typer's own
        """Return a command by its name, None when there is none."""
        del ctx
        if cmd_name not in PLACES:
            return None
        module, _, name = PLACES[cmd_name].partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            found = single
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="ctiscraper", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ctiscraper {__version__}")
        raise typer.Exit


def _load_log_settings() -> "LogSettings":
    """Return what is set of the log; settings are loaded by a command, not by a first help."""
    found: LogSettings = importlib.import_module("ctiscraper.config").load_log_settings()
    return found


@app.callback()
def program(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log to standard error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Collects what security researchers publish, keeps it and lets you read it."""
    settings = _load_log_settings()
    level = "info" if verbose or ctx.invoked_subcommand in SERVICES else "error"
    configure_logs(json=settings.json_logs, level=settings.log_level or level)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        app(prog_name="ctiscraper")
    except CTIScraperError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(exit_of(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    sys.exit(Exit.OK)
