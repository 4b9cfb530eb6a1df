"""`collect`: collecting without the pages."""

from typing import Annotated

import typer

from ctiscraper.bootstrap import check_worker_settings
from ctiscraper.cli.display import Display, one_line
from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json, Workers
from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.cli.stopping import until_signal
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.config import Settings
from ctiscraper.db.progress import CheckedSource, ProgressBoard
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.loop import alongside, run_async
from ctiscraper.reasons import health_words, words_of
from ctiscraper.tasks.check import refuse_paused
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.run import COMMAND, write_order

Key = Annotated[
    str | None,
    typer.Option("--source", metavar="KEY", help="Check this source now.", show_default=False),
]
Once = Annotated[bool, typer.Option("--once", help="End when nothing is due any more.")]


def collect(
    source: Key = None,
    once: Once = False,
    data: Data = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Collect what is due, showing how it goes. Ctrl-C stops it; nothing is lost."""
    settings = settings_for(data, workers=workers)
    check_worker_settings(settings)
    code = run_async(_collect(settings, source=source, once=once, as_json=json))
    raise typer.Exit(code)


async def _collect(settings: Settings, *, source: str | None, once: bool, as_json: bool) -> int:
    async with (
        open_ready_engine(settings) as engine,
        Database(engine.conninfo, size=2) as database,
    ):
        sources, board = Sources(database), ProgressBoard(database)
        if not await sources.all():
            await sources.seed(default_catalog())
        since = await board.now()
        source_id = None
        if source is not None:
            chosen = await sources.get(source)
            refuse_paused(chosen)
            await sources.check_now(source)
            source_id = chosen.id
        crew = Crew(
            COMMAND,
            write_order(engine.conninfo, settings, once=once, source_id=source_id),
            1 if source else settings.workers,
            settings.data_dir / "worker.log",
            once=once,
        )
        display = Display(board, since, lambda: len(crew.pids), as_json=as_json)
        await until_signal(_round(crew, display))
        failed = await board.failed_since(since, key=source)
        progress = await board.read(since)
        if as_json:
            print_json({"event": "done", "progress": progress, "failed": failed})
        else:
            print_lines([f"Done: {one_line(progress, 0.0).rpartition(';')[0]}."])
            _print_failed(failed)
        return Exit.SOURCES_FAILED if failed else Exit.OK


async def _round(crew: Crew, display: Display) -> int:
    """Run the workers until they are done, or this is cancelled."""
    async with alongside(display.run()), crew:
        await crew.finished()
    return 0


def _print_failed(failed: tuple[CheckedSource, ...]) -> None:
    if not failed:
        return
    print_lines(["", f"{counted(len(failed), 'source')} did not answer well:"])
    print_table(
        ["source", "state", "cause", "what can be done"],
        [
            (source.key, health_words(source.health), words.cause, words.advice)
            if (words := words_of(source.reason))
            else (source.key, health_words(source.health), source.detail, "")
            for source in failed
        ],
    )
