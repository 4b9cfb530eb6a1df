"""The program: its commands, its log, and how errors end it."""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ctiscraper import __version__
from ctiscraper.cli.commands import COMMANDS
from ctiscraper.cli.exits import Exit, exit_of
from ctiscraper.cli.output import print_error
from ctiscraper.errors import CTIScraperError
from ctiscraper.garbage import loading
from ctiscraper.telemetry import configure_logs

if TYPE_CHECKING:
    from ctiscraper.config import LogSettings

# What runs for long without a person before it says what it does.
SERVICES = frozenset({"web", "worker", "model-worker", "beat"})


class Commands(TyperGroup):
    """The commands, each imported when it is asked for and not when all are listed.

    A worker must not carry the web pages in its memory.
    """

    _lists = False

    def format_help(self, ctx, formatter):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - the types are typer's own
        """Write the help, where a command is its name and its first line."""
        self._lists = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._lists = False

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer carries its own click
        """Return the names in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201 - the type is typer's own
        """Return a command by its name, None when there is none."""
        del ctx
        known = COMMANDS.get(cmd_name)
        if known is None:
            return None
        if self._lists:
            return TyperCommand(cmd_name, help=known.says, rich_help_panel=known.panel)
        module, _, name = known.place.partition(":")
        found = getattr(importlib.import_module(f"ctiscraper.cli.{module}"), name)
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


def _load(words: Sequence[str]) -> None:
    """Import the command that is asked for: the process has it for as long as it lives."""
    known = next((COMMANDS[word] for word in words if word in COMMANDS), None)
    if known is not None:
        with loading():
            importlib.import_module(f"ctiscraper.cli.{known.place.partition(':')[0]}")


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        _load(sys.argv[1:])
        app(prog_name="ctiscraper")
    except CTIScraperError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(exit_of(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    sys.exit(Exit.OK)
