"""`backup` and `restore`: the whole installation in one folder, and back."""

from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.archive.make import Original, make_archive
from ctiscraper.archive.manifest import Manifest
from ctiscraper.archive.restore import restore_into_database, restore_into_folder, verify_archive
from ctiscraper.bootstrap import open_raw_store
from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines, print_note
from ctiscraper.cli.stopping import run_stoppable
from ctiscraper.config import Settings
from ctiscraper.db.server import schema_wanted, with_known_password

Target = Annotated[
    Path,
    typer.Argument(
        metavar="[FILE|FOLDER]",
        help="The archive to make, or an existing folder to make it in, under the date.",
        show_default="this folder",
    ),
]
Verify = Annotated[
    Path | None,
    typer.Option(
        "--verify",
        metavar="ARCHIVE",
        help="Restore this archive into a scratch server and compare; make none.",
        show_default=False,
    ),
]
Archive = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="What 'backup' made.")]
Into = Annotated[
    str,
    typer.Option(
        "--into",
        metavar="URL|DIR",
        help="An empty database (postgresql://…), or a data folder that is not there yet.",
        show_default=False,
    ),
]


def backup(
    target: Target = Path(), verify: Verify = None, data: Data = None, json: Json = False
) -> None:
    """Make an archive of database and raw pages, all of one moment, while collection goes on."""
    settings = settings_for(data)
    if verify is not None:
        manifest = run_stoppable(verify_archive(verify.absolute(), settings.pg_bin))
        _report(f"{verify} is whole", verify, manifest, json=json)
        return
    place, manifest = run_stoppable(_make(settings, target))
    _report(f"{place} was made", place, manifest, json=json)


def restore(archive: Archive, into: Into, data: Data = None, json: Json = False) -> None:
    """Restore an archive into an empty place and compare it with what was dumped.

    With a database the raw pages go to the data folder, beside those that are there.
    """
    settings = settings_for(data)
    folder = archive.absolute()
    if "=" in into or "://" in into:
        place = with_known_password(into, settings.database_url)
        with open_raw_store(settings) as raw:
            manifest = run_stoppable(restore_into_database(folder, place, raw, settings.pg_bin))
    else:
        manifest = run_stoppable(restore_into_folder(folder, Path(into), settings.pg_bin))
    _report(f"{archive} is restored and whole", archive, manifest, json=json)
    if manifest.schema != schema_wanted() and not json:
        print_lines([f"Its schema is {manifest.schema}: run 'ctiscraper migrate' next."])


async def _make(settings: Settings, target: Path) -> tuple[Path, Manifest]:
    with open_raw_store(settings) as raw:
        async with open_engine(settings) as engine:
            original = Original(
                conninfo=engine.conninfo,
                facts=engine.facts,
                raw=raw,
                pg_bin=settings.pg_bin,
            )
            return await make_archive(original, target, print_note)


def _report(words: str, place: Path, manifest: Manifest, *, json: bool) -> None:
    if json:
        print_json(
            {
                "archive": str(place),
                "made_at": manifest.made_at,
                "schema": manifest.schema,
                "postgresql": manifest.postgresql,
                "tables": manifest.tables,
                "raw": len(manifest.raw),
                "raw_missing": len(manifest.raw_missing),
            }
        )
        return
    lines = [
        (
            f"{words}: {counted(manifest.rows, 'row')} in {len(manifest.tables)} tables and "
            f"{counted(len(manifest.raw), 'raw page')}, of {manifest.made_at}."
        )
    ]
    if manifest.raw_missing:
        lines.append(f"The raw store did not have {counted(len(manifest.raw_missing), 'page')}.")
    print_lines(lines)
