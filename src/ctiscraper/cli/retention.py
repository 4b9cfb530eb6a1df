"""`retention`: what is past its time goes."""

from typing import Annotated

import msgspec
import typer

from ctiscraper.bootstrap import open_raw_store
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines
from ctiscraper.db.retention import Outlived
from ctiscraper.loop import run_async
from ctiscraper.tasks.upkeep import Removed, count_outlived, remove_outlived

Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")]
Seconds = Annotated[float, typer.Option("--seconds", min=1, help="Stop after so long.")]


def retention(
    *, dry_run: Dry = False, seconds: Seconds = 3600.0, data: Data = None, json: Json = False
) -> None:
    """Delete raw pages, earlier texts and records of checks that are past their time.

    Articles and what accounts for them stay for ever. Safe beside collection and beside itself.
    """
    settings = settings_for(data)

    async def count() -> tuple[Outlived, int]:
        with open_raw_store(settings) as raw:
            async with open_database(settings) as database:
                return await count_outlived(database, raw, settings.keep())

    async def remove() -> Removed:
        with open_raw_store(settings) as raw:
            async with open_database(settings) as database:
                removed = await remove_outlived(database, raw, settings.keep(), seconds=seconds)
                await note_deed(database, "retention.run", detail=msgspec.to_builtins(removed))
                return removed

    if dry_run:
        _show_outlived(*run_async(count()), json=json)
    else:
        _show_removed(run_async(remove()), json=json)


def _show_outlived(rows: Outlived, orphans: int, *, json: bool) -> None:
    if json:
        print_json({**msgspec.to_builtins(rows), "unreferenced_bodies": orphans})
        return
    print_lines(
        [
            f"{counted(rows.checks, 'record')} of checks would go.",
            f"{counted(rows.revisions, 'earlier text')} would go.",
            f"{counted(rows.snapshots, 'page')} would go, with the raw bodies that only they have.",
            f"{counted(orphans, 'raw body')} without a page would go a day after it was put."
            if orphans == 1
            else f"{orphans} raw bodies without a page would go a day after they were put.",
            f"{counted(rows.workers, 'heartbeat')} of dead workers would go.",
        ]
    )


def _show_removed(removed: Removed, *, json: bool) -> None:
    if json:
        print_json(removed)
        return
    lines = [
        f"Deleted: {counted(removed.checks, 'record')} of checks,",
        f"{counted(removed.revisions, 'earlier text')},",
        f"{counted(removed.snapshots, 'page')} and {removed.bodies} raw bodies,",
        f"{counted(removed.workers, 'heartbeat')} of dead workers.",
    ]
    if removed.undeleted:
        words = "1 raw body" if removed.undeleted == 1 else f"{removed.undeleted} raw bodies"
        lines.append(f"The raw store does not let {words} go: see the log.")
    if not removed.done:
        lines.append("The time was up before the end: the next run goes on from here.")
    print_lines(lines)
