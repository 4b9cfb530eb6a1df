"""`import`: what other programs collected, into this one."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.collecting import open_collecting
from ctiscraper.cli.engine import settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_facts, print_json, print_lines, print_note
from ctiscraper.cli.texts import hand_over, read_text
from ctiscraper.db.imports import Imports
from ctiscraper.db.predecessor import open_predecessor
from ctiscraper.errors import InputError
from ctiscraper.importing import Imported, Importer
from ctiscraper.loop import run_async

app = typer.Typer(help="What other programs collected, into this one.")

ACTOR = "command line"

FromFile = Annotated[
    Path,
    typer.Option(
        "--from-file",
        metavar="FILE",
        help="File with the connection string of its database; - is standard input.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write what has no place here, one JSON object a line.",
        show_default=False,
    ),
]


@app.callback()
def of() -> None:
    """Let the program's name stand before what it is of."""


@app.command()
def predecessor(
    from_file: FromFile, report: Report = None, data: Data = None, json: Json = False
) -> None:
    """Bring in the sources and articles that the first CTIScraper collected.

    Its database is only read. Started again it goes on, and brings nothing in twice.
    """
    place = read_text(from_file).strip()
    if not place or "\n" in place:
        raise InputError(f"{from_file} should hold the connection string of its database")

    async def act() -> Imported:
        async with (
            open_predecessor(place) as found,
            open_collecting(settings_for(data)) as services,
        ):
            importer = Importer(
                sources=services.sources,
                imports=Imports(services.database),
                pipeline=services.pipeline,
                told=print_note,
            )
            done = await importer.run(found, actor=ACTOR)
            await note_deed(services.database, "source.import", detail=_counts(done))
            return done

    done = run_async(act())
    if report is not None:
        lines = [msgspec.json.encode(one).decode() + "\n" for one in done.unmapped]
        hand_over("".join(lines), report, json=False)
    if json:
        print_json({**_counts(done), "unmapped": done.unmapped})
        return
    print_facts((name.replace("_", " "), number) for name, number in _counts(done).items())
    print_lines([f"{counted(len(done.unmapped), 'thing')} had no place here."])


def _counts(done: Imported) -> dict[str, int]:
    return {
        "articles": done.articles,
        "stored": done.stored,
        "duplicate": done.duplicate,
        "known": done.known,
        "same_address": done.same,
        "filtered": done.filtered,
        "failed": done.failed,
        "sources_added": done.sources_added,
        "sources_known": done.sources_known,
    }
