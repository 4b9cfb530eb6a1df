"""`sources`: what is collected, and how it stands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli import source_tables as tables
from ctiscraper.cli.actor import note_deed, noting_what_breaks_off
from ctiscraper.cli.collecting import open_collecting
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Because, Data, DryRun, Json, Output
from ctiscraper.cli.output import print_json, print_lines
from ctiscraper.cli.texts import hand_over, read_file
from ctiscraper.collect.source_fields import settings_to_mapping
from ctiscraper.db.overview import Overview
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.loop import run_async
from ctiscraper.sourcing import Preview, edited, read_changes
from ctiscraper.tasks.check import check_source
from ctiscraper.types import Health, Source, SourceSettings

ACTOR = "command line"

app = typer.Typer(no_args_is_help=True, help="What is collected, and how it stands.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="The source's key.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting as in the catalogue, such as tier=premium; an empty value: its default.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_sources(
    health: Annotated[
        Health | None, typer.Option("--health", help="Only those.", show_default=False)
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Every source, premium first, with its state and next check."""

    async def read() -> None:
        async with open_database(settings_for(data)) as database:
            found = await Overview(database).sources()
        shown = [source for source in found if health in {None, source.health}]
        print_json(shown) if json else tables.print_sources(shown)

    run_async(read())


@app.command()
def show(key: Key, data: Data = None, json: Json = False) -> None:
    """One source with its settings, its accounts and its last checks."""

    async def read() -> None:
        async with open_database(settings_for(data)) as database:
            detail = await Overview(database).source(key)
        print_json(detail) if json else tables.print_source(detail)

    run_async(read())


@app.command()
def changes(key: Key, data: Data = None, json: Json = False) -> None:
    """Who changed a source, when and why."""

    async def read() -> None:
        async with open_database(settings_for(data)) as database:
            detail = await Overview(database).source(key)
        print_json(detail.changes) if json else tables.print_changes(detail)

    run_async(read())


@app.command()
def preview(
    url: Annotated[str, typer.Argument(metavar="URL", help="Any page of a site, or its feed.")],
    given: Set = None,
    samples: Annotated[int, typer.Option("--samples", min=0, max=20)] = 5,
    data: Data = None,
    json: Json = False,
) -> None:
    """Look for a site's feed and read its newest articles; nothing is kept."""

    async def look() -> None:
        async with open_collecting(settings_for(data)) as services:
            settings = await services.sourcing.propose(url, **read_changes(given or []))
            await note_deed(services.database, "source.preview", detail={"url": url})
            found = await services.sourcing.preview(settings, samples=samples)
        print_json(found) if json else tables.print_preview(found)

    run_async(look())


@app.command()
def add(  # noqa: PLR0913 - one parameter for each option
    *,
    url: Annotated[str, typer.Argument(metavar="URL", help="Any page of a site, or its feed.")],
    given: Set = None,
    samples: Annotated[int, typer.Option("--samples", min=0, max=20)] = 5,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Save it as given, without asking the site.")
    ] = False,
    yes: Yes = False,
    reason: Because = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Add a source by any address of it: its feed is found, and its articles shown first."""

    async def save() -> Source | None:
        async with open_collecting(settings_for(data)) as services:
            settings = await services.sourcing.propose(url, **read_changes(given or []))
            if not unchecked:
                found = await services.sourcing.preview(settings, samples=samples)
                if not json:
                    tables.print_preview(found)
                if not _wanted(found, asked=yes or json):
                    return None
                settings = found.settings
            made = await services.sourcing.add(settings, actor=ACTOR, reason=reason)
            await _note(services.database, "source.add", None, made.settings, reason)
            return made

    source = run_async(save())
    if json:
        print_json(source)
    elif source is None:
        print_lines(["Nothing was saved."])
        raise typer.Exit(Exit.FAILED)
    else:
        print_lines([f"Saved as '{source.settings.key}'; it is checked at once while 'up' runs."])


def _wanted(found: Preview, *, asked: bool) -> bool:
    """Whether the person at the terminal wants the source; without one it was wanted by calling."""
    if asked or not sys.stdin.isatty():
        return True
    return typer.confirm(f"Save it as '{found.settings.key}'?", default=True)


@app.command()
def edit(
    key: Key, given: Set = None, reason: Because = "", data: Data = None, json: Json = False
) -> None:
    """Change settings of a source; what it collected stays."""

    async def save() -> Source:
        async with open_database(settings_for(data)) as database:
            sources = Sources(database)
            before = await sources.get(key)
            after = edited(before.settings, read_changes(given or []))
            changed = await sources.update(key, after, actor=ACTOR, reason=reason)
            await _note(database, "source.change", before.settings, changed.settings, reason)
            return changed

    if not given:
        raise typer.BadParameter("say what to change, such as --set tier=premium")
    source = run_async(save())
    print_json(source) if json else print_lines([f"'{key}' is changed and due at once."])


@app.command()
def remove(
    key: Key, yes: Yes = False, reason: Because = "", data: Data = None, json: Json = False
) -> None:
    """Stop collecting a source; its articles stay."""

    async def act() -> None:
        async with open_database(settings_for(data)) as database:
            sources = Sources(database)
            before = await sources.get(key)
            await sources.remove(key, actor=ACTOR, reason=reason)
            await _note(database, "source.remove", before.settings, None, reason)

    if not (yes or json) and sys.stdin.isatty():
        typer.confirm(f"Stop collecting '{key}'? Its articles stay.", abort=True)
    run_async(act())
    print_json({"removed": key}) if json else print_lines([f"'{key}' is removed."])


@app.command()
def check(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="The sources' keys.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask sources now what is new, and say what they answered."""

    async def ask() -> bool:
        well = True
        async with open_collecting(settings_for(data)) as services:
            overview = Overview(services.database)
            for key in keys:
                await check_source(services, key)
                await note_deed(services.database, "source.check", key)
                detail = await overview.source(key)
                well = well and detail.overview.health is Health.OK
                if json:
                    print_json({"source": detail.overview, "check": detail.checks[0]})
                else:
                    tables.print_check(detail)
        return well

    if not run_async(ask()):
        raise typer.Exit(Exit.SOURCES_FAILED)


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="OPML, or a catalogue; - is standard input.")
    ],
    dry_run: DryRun = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add the sources of an OPML file of any reader, or of a catalogue file."""
    body = read_file(file)

    async def act() -> None:
        async with open_collecting(settings_for(data)) as services:
            detail: dict[str, object] = {"file": file.name}
            async with noting_what_breaks_off(
                services.database, "source.import", detail, dry_run=dry_run
            ):
                report = await services.sourcing.import_file(
                    body, name=file.name, actor=ACTOR, dry_run=dry_run
                )
            if not dry_run:
                detail |= {name: report.count(name) for name in ("added", "known")}
                await note_deed(services.database, "source.import", detail=detail)
        print_json(report) if json else tables.print_import(report)
        if report.count("bad"):
            raise typer.Exit(Exit.BAD_FILE)

    run_async(act())


@app.command()
def export(
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="As a catalogue file (YAML) instead of OPML.")
    ] = False,
    output: Output = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Write every source with its settings, as OPML that other readers take too."""

    async def act() -> str:
        async with open_collecting(settings_for(data)) as services:
            detail = {"form": "yaml" if catalogue else "opml"}
            await note_deed(services.database, "source.export", detail=detail)
            if catalogue:
                return await services.sourcing.export_catalog()
            return (await services.sourcing.export_opml()).decode()

    hand_over(run_async(act()), output, json=json)


async def _note(
    database: Database,
    action: str,
    before: SourceSettings | None,
    after: SourceSettings | None,
    reason: str,
) -> None:
    """Note how a source was and is; None is one that is not here."""
    known = after or before
    assert known is not None, "there is a source before or after"
    await note_deed(
        database,
        action,
        known.key,
        before=None if before is None else settings_to_mapping(before),
        after=None if after is None else settings_to_mapping(after),
        detail={"reason": reason or None},
    )
