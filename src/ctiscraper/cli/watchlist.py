"""`watchlist`: what the team looks for in every article."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed, noting_what_breaks_off
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, DryRun, Json, Output
from ctiscraper.cli.output import ago, counted, print_json, print_lines, print_table
from ctiscraper.cli.texts import hand_over, read_file
from ctiscraper.errors import NotFoundError
from ctiscraper.loop import run_async
from ctiscraper.scoring import Scoring
from ctiscraper.views import WatchEntry, WatchImport
from ctiscraper.weighing import DEFAULT_WATCH_WEIGHT, WatchKind, watch_given

ACTOR = "command line"

app = typer.Typer(no_args_is_help=True, help="What the team looks for in every article.")


@asynccontextmanager
async def _scoring(data: Path | None) -> AsyncIterator[Scoring]:
    settings = settings_for(data)
    async with open_database(settings) as database:
        yield Scoring(database, settings.score_weights)


@app.command("list")
def list_entries(data: Data = None, json: Json = False) -> None:
    """Every entry, and how many articles of the last 30 days have it."""

    async def read() -> tuple[WatchEntry, ...]:
        async with _scoring(data) as scoring:
            return await scoring.watchlist.entries()

    entries = run_async(read())
    if json:
        print_json(entries)
        return
    if not entries:
        print_lines(["Nothing is watched for: ctiscraper watchlist add vendor NAME"])
        return
    print_table(
        ["id", "kind", "term", "weight", "articles, 30 days", "since", "note"],
        [
            (
                one.id,
                one.kind,
                one.term,
                one.weight,
                one.recent_articles,
                ago(one.made_at),
                one.note,
            )
            for one in entries
        ],
    )


@app.command()
def add(
    *,
    kind: Annotated[WatchKind, typer.Argument(help="What the term names.")],
    term: Annotated[str, typer.Argument(metavar="TERM", help="A name, words or a domain.")],
    weight: Annotated[
        float, typer.Option("--weight", help="What one match alone makes of relevance, up to 1.")
    ] = DEFAULT_WATCH_WEIGHT,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Watch for something; the newest articles are scored by it at once."""

    async def act() -> WatchEntry:
        given = watch_given(kind, term, weight, note)
        async with _scoring(data) as scoring:
            made = await scoring.add(given, actor=ACTOR)
            await note_deed(scoring.database, "watchlist.add", made.id, after=made.watched)
            await scoring.rescore()
            return await scoring.watchlist.get(made.id)

    entry = run_async(act())
    if json:
        print_json(entry)
        return
    found = counted(entry.recent_articles, "article")
    print_lines([f"{entry.id}: {entry.kind} {entry.term}, in {found} of the last 30 days so far."])


@app.command()
def remove(
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers of entries.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Watch for entries no more."""
    wanted = tuple(dict.fromkeys(ids))

    async def act() -> tuple[int, ...]:
        async with _scoring(data) as scoring:
            return tuple([number for number in wanted if not await _remove(scoring, number)])

    unknown = run_async(act())
    count = len(wanted) - len(unknown)
    if json:
        print_json({"count": count})
    elif count:
        print_lines([f"{count} removed."])
    if unknown:
        missing = ", ".join(map(str, unknown))
        raise NotFoundError(f"the watchlist has no entry {missing}")


async def _remove(scoring: Scoring, number: int) -> bool:
    """Watch for an entry no more; return whether there was one."""
    try:
        entry = await scoring.watchlist.get(number)
        await scoring.watchlist.remove(number, actor=ACTOR)
    except NotFoundError:
        return False
    await note_deed(scoring.database, "watchlist.remove", number, before=entry.watched)
    await scoring.rescore()
    return True


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A text or CSV; - is standard input.")
    ],
    dry_run: DryRun = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add the entries of a file: a term a line, 'kind: term', or a table with 'term'."""
    body = read_file(file)

    async def act() -> WatchImport:
        async with _scoring(data) as scoring:
            detail: dict[str, object] = {"file": file.name}
            async with noting_what_breaks_off(
                scoring.database, "watchlist.import", detail, dry_run=dry_run
            ):
                report = await scoring.import_file(
                    body, name=file.name, actor=ACTOR, dry_run=dry_run
                )
            if not dry_run:
                detail |= {name: report.count(name) for name in ("added", "known")}
                await note_deed(scoring.database, "watchlist.import", detail=detail)
            await scoring.rescore()
            return report

    report = run_async(act())
    if json:
        print_json(report)
    else:
        _print_import(report)
    if report.count("bad"):
        raise typer.Exit(Exit.BAD_FILE)


@app.command()
def export(
    output: Output = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Write every entry as CSV, which import reads."""

    async def act() -> str:
        async with _scoring(data) as scoring:
            await note_deed(scoring.database, "watchlist.export")
            return await scoring.export()

    hand_over(run_async(act()), output, json=json)


@app.command()
def rescore(data: Data = None, json: Json = False) -> None:
    """Make all scores anew that watchlist, weights or age changed; workers do so by themselves."""

    async def act() -> int:
        steps = 0
        async with _scoring(data) as scoring:
            while done := await scoring.rescore():
                steps += done
        return steps

    count = run_async(act())
    if json:
        print_json({"count": count})
    else:
        print_lines(["All scores are up to date."])


def _print_import(report: WatchImport) -> None:
    bad = [row for row in report.rows if row.outcome == "bad"]
    would = "would be " if report.dry_run else ""
    print_lines(
        [
            *(f"line {row.row}: {row.kind} {row.term}: {row.detail}" for row in bad),
            f"{report.count('added')} {would}added, {report.count('known')} known, {len(bad)} bad.",
        ]
    )
