"""`data`: the reference data of the installation, as versioned packs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.drafts import write_whole
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import exit_of
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import (
    ago,
    counted,
    print_error,
    print_facts,
    print_json,
    print_lines,
    print_note,
    print_table,
    print_text,
)
from ctiscraper.config import Settings
from ctiscraper.db.packs import Installed, Packs, StoredPack
from ctiscraper.db.session import Database
from ctiscraper.db.touched import Touched
from ctiscraper.errors import CTIScraperError
from ctiscraper.http import Client
from ctiscraper.loop import run_async
from ctiscraper.packs import cve
from ctiscraper.packs.registry import KNOWN, known_pack
from ctiscraper.reference import Reference, Round, Update
from ctiscraper.scoring import Scoring

DEFAULT = "default"

app = typer.Typer(
    no_args_is_help=True,
    help="Reference data in versions: ATT&CK, names, warning lists, vulnerabilities, Sigma rules.",
)

Name = Annotated[str, typer.Argument(help="Which pack: see 'data list'.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Which packs; all of them by default.", metavar="NAME...")
]
File = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Take a pack file, or a file of a publisher, instead of asking the network; "
        "may be repeated.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option("--from", metavar="URL", help="Fetch such a file from here.", show_default=False),
]
Again = Annotated[
    bool, typer.Option("--reprocess", help="Have the articles that it touches looked through.")
]
Version = Annotated[
    str, typer.Argument(help="A version that is kept, a checksum's start, or 'default'.")
]
Target = Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")]
All = Annotated[bool, typer.Option("--all", help="List the versions that are kept as well.")]


@dataclass(frozen=True, slots=True)
class _Opened:
    database: Database
    packs: Packs
    reference: Reference


@asynccontextmanager
async def _opened(settings: Settings, *, again: bool = False) -> AsyncIterator[_Opened]:
    async with open_database(settings) as database:
        packs = Packs(database, again=again)
        yield _Opened(database, packs, Reference(packs))


@app.command("list")
def list_packs(*, every: All = False, data: Data = None, json: Json = False) -> None:
    """List the packs in use, with version, licence and where they come from."""
    settings = settings_for(data)

    async def read() -> list[StoredPack]:
        async with _opened(settings) as at:
            await at.reference.install_defaults()
            return await at.packs.all()

    packs = [pack for pack in run_async(read()) if every or pack.active]
    if json:
        print_json({"packs": [_document(pack) for pack in packs]})
        return
    print_table(
        ["name", "version", "records", "installed", "licence", "source", "checksum"],
        [
            (
                pack.info.name,
                pack.info.version + ("" if pack.active else " (kept)"),
                pack.records,
                ago(pack.installed_at),
                pack.info.licence,
                pack.info.source,
                pack.sha256.hex()[:12],
            )
            for pack in packs
        ],
    )
    print_lines(
        f"There is no data in {pack.info.name} yet: run 'ctiscraper data update {pack.info.name}'."
        for pack in packs
        if pack.active and not pack.records
    )


@app.command()
def info(name: Name, *, data: Data = None, json: Json = False) -> None:
    """Show what a pack is, under which terms, and the words that these want shown."""
    known = known_pack(name)
    settings = settings_for(data)

    async def read() -> StoredPack:
        async with _opened(settings) as at:
            await at.reference.install_defaults()
            return (await at.packs.active())[name]

    pack = run_async(read())
    if json:
        print_json(_document(pack) | {"title": known.title})
        return
    print_facts(
        [
            ("Pack", f"{name}: {known.title}"),
            ("Version", pack.info.version),
            ("Records", pack.records),
            ("Source", pack.info.source),
            ("Licence", pack.info.licence),
            ("Installed", ago(pack.installed_at)),
            ("Comes from", "a package of this installation" if pack.build else "an update"),
            ("SHA-256", pack.sha256.hex()),
            ("Extractors", ", ".join(known.extractors) or "none: it is joined in when read"),
        ]
    )
    if pack.info.notice:
        print_lines([""])
        print_text(pack.info.notice)


@app.command()
def update(
    names: Names = None,
    *,
    file: File = None,
    url: Url = None,
    reprocess: Again = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring packs up to date from their publishers, or from a file where there is no network.

    What is damaged is refused whole, and what was in use stays.
    """
    if file and url:
        raise typer.BadParameter("--file and --from exclude each other")
    chosen = [known_pack(name).name for name in names or ()]
    settings = settings_for(data)

    async def work() -> tuple[list[tuple[Update, int]], Sequence[CTIScraperError]]:
        async with _opened(settings, again=reprocess) as at:
            await at.reference.install_defaults()
            if file:
                found = Round(
                    done=tuple(await at.reference.update_from_files(file, chosen)), failed=()
                )
            else:
                found = await _from_network(at, settings, chosen, url)
            for one in found.done:
                await _note(at, "pack.update", one.installed)
            shown = [(one, await _reach(at, one)) for one in found.done]
            return shown, found.failed

    done, failed = run_async(work())
    _show(done, failed, again=reprocess, json=json)
    if failed:
        raise typer.Exit(exit_of(failed[0]))


async def _note(at: _Opened, action: str, done: Installed) -> None:
    """Note that another version of a pack is in use."""
    if not done.changed:
        return
    before = None if done.old is None else {"version": done.old.info.version}
    after = {"version": done.new.info.version}
    await note_deed(at.database, action, done.new.info.name, before=before, after=after)


async def _reach(at: _Opened, done: Update) -> int:
    """Return how many articles an update touches."""
    if done.change is None:
        return 0
    if done.installed.new.info.name == cve.NAME:
        # No text has to be read again: what is known of vulnerabilities is joined to scores.
        await Scoring(at.database).touch_cves()
    return await Touched(at.database).count(done.change)


async def _from_network(
    at: _Opened, settings: Settings, names: Sequence[str], url: str | None
) -> Round:
    client = Client(settings.egress_policy(), clock=at.database.clock)
    try:
        if url is not None:
            done = await at.reference.update_from_url(client, url, names, told=print_note)
            return Round(done=tuple(done), failed=())
        return await at.reference.update_from_network(
            client,
            names or [name for name, known in KNOWN.items() if known.updates],
            now=at.database.clock(),
            told=print_note,
        )
    finally:
        await client.aclose()


@app.command()
def use(name: Name, version: Version, *, data: Data = None, json: Json = False) -> None:
    """Go back to a version that is kept, to the start of a checksum, or to the default."""
    known_pack(name)
    settings = settings_for(data)

    async def work() -> list[tuple[Update, int]]:
        async with _opened(settings) as at:
            if version == DEFAULT:
                done = await at.reference.install_default(name)
            else:
                done = await at.packs.use(name, version)
            await _note(at, "pack.use", done)
            change = await at.reference.change_of(done)
            count = 0 if change is None else await Touched(at.database).count(change)
            return [(Update(installed=done, notes=(), change=change), count)]

    _show(run_async(work()), json=json)


@app.command()
def export(name: Name, target: Target, *, data: Data = None, json: Json = False) -> None:
    """Write the pack in use to a file, for a machine without network."""
    known_pack(name)
    settings = settings_for(data)

    async def read() -> tuple[StoredPack, bytes]:
        async with _opened(settings) as at:
            await at.reference.install_defaults()
            return await at.reference.export(name)

    pack, body = run_async(read())
    write_whole(target, body)
    if json:
        print_json(_document(pack) | {"file": str(target)})
        return
    print_lines(
        [
            f"Wrote {name} {pack.info.version} to {target}; its SHA-256 is {pack.sha256.hex()}.",
            f"There: ctiscraper data update --file {target.name}",
        ]
    )


def _show(
    done: Sequence[tuple[Update, int]],
    failed: Sequence[CTIScraperError] = (),
    *,
    json: bool,
    again: bool = False,
) -> None:
    for error in failed:
        print_error(error, as_json=json)
    if json:
        print_json(
            {
                "updates": [_update_document(one, count) for one, count in done],
                "failed": [str(error) for error in failed],
            }
        )
        return
    for one, count in done:
        new = one.installed.new
        print_lines([f"{new.info.name}: {_words(one)}", *one.notes])
        if one.change is None:
            continue
        if not one.change.extractors:
            print_lines(["  No article has to be read again."])
            continue
        which = f"  It touches {', '.join(one.change.extractors)}: {counted(count, 'article')}"
        print_lines(
            [
                f"{which} that workers will look through again, from two minutes on."
                if again
                else f"{which} to be looked through again; --reprocess queues them."
            ]
        )


def _words(one: Update) -> str:
    old, new = one.installed.old, one.installed.new
    records = counted(new.records, "record")
    if not one.installed.changed:
        return f"nothing new, {new.info.version} with {records} stays."
    if old is None:
        return f"{new.info.version} with {records} installed."
    return f"{new.info.version} with {records} in place of {old.info.version} with {old.records}."


def _update_document(one: Update, count: int) -> dict[str, object]:
    old, change = one.installed.old, one.change
    return {
        "pack": _document(one.installed.new),
        "changed": one.installed.changed,
        "before": old.info.version if old is not None else None,
        "notes": list(one.notes),
        "extractors": list(change.extractors) if change is not None else [],
        "names": sorted(change.names) if change is not None and change.names is not None else None,
        "articles": count,
    }


def _document(pack: StoredPack) -> dict[str, object]:
    return {
        "name": pack.info.name,
        "version": pack.info.version,
        "records": pack.records,
        "licence": pack.info.licence,
        "source": pack.info.source,
        "notice": pack.info.notice,
        "sha256": pack.sha256.hex(),
        "bytes": pack.size,
        "active": pack.active,
        "default": pack.build is not None,
        "installed_at": pack.installed_at,
    }
