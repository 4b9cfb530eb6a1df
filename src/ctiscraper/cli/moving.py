"""`db move`: the whole database into another PostgreSQL, with a short stop."""

from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.archive.move import LONGEST_STOP, Move, Moved, move, undo
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines, print_note
from ctiscraper.cli.stopping import run_stoppable
from ctiscraper.cli.texts import read_text
from ctiscraper.db.server import describe_place
from ctiscraper.db.session import Database
from ctiscraper.errors import InputError, SettingsError
from ctiscraper.loop import run_async

ToFile = Annotated[
    Path | None,
    typer.Option(
        "--to-file",
        metavar="FILE",
        help="File with the connection string of an empty database; - is standard input.",
        show_default=False,
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Ask both databases; change nothing.")]
CopyOnly = Annotated[
    bool, typer.Option("--copy-only", help="Copy while collection goes on, and stop nobody.")
]
LongestStop = Annotated[
    float,
    typer.Option("--longest-stop", metavar="SECONDS", min=1, help="Else the move is given up."),
]
Undo = Annotated[
    bool, typer.Option("--undo", help="Let the database that was moved be written again.")
]


def move_database(  # noqa: PLR0913 - one parameter for each option
    *,
    to_file: ToFile = None,
    check: Check = False,
    copy_only: CopyOnly = False,
    longest_stop: LongestStop = LONGEST_STOP,
    undone: Undo = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Move the whole database into another PostgreSQL: copy, short stop, compare, close the old.

    Until it ends with success the old database is the truth; started again, it goes on.
    """
    if undone == (to_file is not None):
        raise InputError("name the new database with --to-file, or take a move back with --undo")
    settings = settings_for(data)

    async def back() -> bool:
        async with open_engine(settings) as engine:
            return await undo(engine.conninfo)

    async def act(place: str) -> Moved:
        async with open_engine(settings) as engine:
            return await move(
                Move(
                    source=engine.conninfo,
                    target=place,
                    told=print_note,
                    copy_only=copy_only,
                    check_only=check,
                    longest_stop=longest_stop,
                )
            )

    if to_file is None:
        _report_undone(run_stoppable(back()), json=json)
        return
    place = _connection_string(to_file)
    moved = run_stoppable(act(place))
    _report(moved, place, json=json, check=check)
    if moved.stop_seconds is not None:
        run_async(_note(place, moved, moved.stop_seconds))


async def _note(place: str, moved: Moved, seconds: float) -> None:
    """Tell the audit log, which is in the new database now."""
    async with Database(place, size=1) as database:
        detail = {"rows": moved.rows, "stop_seconds": round(seconds, 1)}
        await note_deed(database, "database.move", describe_place(place), detail=detail)


def _connection_string(file: Path) -> str:
    """Return the connection string in a file. Raises InputError and SettingsError."""
    lines = read_text(file).split("\n")
    found = [line.strip() for line in lines if line.strip()]
    if len(found) != 1:
        raise InputError(
            f"{file} should hold the connection string of the new database, on one line"
        )
    try:
        describe_place(found[0])
    except SettingsError as error:
        raise InputError(
            f"{file} holds no connection string; write "
            "postgresql://user:password@host:5432/database, or host=… dbname=… user=…"
        ) from error
    return found[0]


def _report_undone(was: bool, *, json: bool) -> None:
    if json:
        print_json({"reopened": was})
    else:
        print_lines(
            ["The database can be written again." if was else "The database was not closed."]
        )


def _report(moved: Moved, place: str, *, json: bool, check: bool) -> None:
    if json:
        print_json(
            {
                "target": describe_place(place),
                "notes": moved.notes,
                "copied": moved.copied,
                "passes": moved.passes,
                "stop_seconds": moved.stop_seconds,
                "tables": {
                    name: {"rows": one.rows, "sha256": one.hash}
                    for name, one in moved.tables.items()
                },
            }
        )
        return
    if check:
        print_lines(["Nothing stands in the way of the move; nothing was changed."])
    elif moved.stop_seconds is None:
        print_lines(
            [
                f"{counted(moved.copied, 'row')} were copied and what changed was followed.",
                "Start it again without --copy-only to stop the writers for the rest.",
            ]
        )
    else:
        print_lines(
            [
                (
                    f"Moved to {describe_place(place)}: {counted(moved.rows, 'row')} in "
                    f"{len(moved.tables)} tables are equal, by count and by hash."
                ),
                (
                    f"Nobody could write for {moved.stop_seconds:.1f} s; the old database stays "
                    "readable and refuses to be written."
                ),
                "Now name the new one in DATABASE_URL and start web, workers and beat with it.",
            ]
        )
