"""`enrichment`: articles that could not be looked through, and a second go."""

from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Cursor, Data, Json, Limit
from ctiscraper.cli.output import counted, moment, print_json, print_lines, print_table
from ctiscraper.db.enrichment_records import EnrichmentRecords
from ctiscraper.entity_views import FailedPage
from ctiscraper.loop import run_async

app = typer.Typer(no_args_is_help=True, help="Finding what articles name: what failed, and again.")


@app.command()
def failed(limit: Limit = 50, cursor: Cursor = None, data: Data = None, json: Json = False) -> None:
    """Articles that could not be looked through, the latest first, with the reason."""

    async def read() -> FailedPage:
        async with open_database(settings_for(data)) as database:
            return await EnrichmentRecords(database).failures(cursor=cursor, limit=limit)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.failures:
        print_lines(["Every article that had its turn was looked through."])
        return
    print_table(
        ["article", "failed", "source", "title", "reason"],
        [
            (one.article, moment(one.failed_at), one.source.key, one.title, one.failure)
            for one in page.failures
        ],
    )
    more = [f"More: --cursor {page.next}"] if page.next else []
    print_lines(["", *more, "Try again: ctiscraper enrichment retry ID... or --all"])


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID...", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Have articles looked through once more, in the background."""
    if bool(ids) == every:
        raise typer.BadParameter("give the numbers of the articles, or --all")

    async def queue() -> int:
        async with open_database(settings_for(data)) as database:
            count = await EnrichmentRecords(database).retry(ids)
            await note_deed(database, "enrichment.retry", detail={"articles": ids, "count": count})
            return count

    done = run_async(queue())
    if json:
        print_json({"count": done})
    else:
        print_lines([f"{counted(done, 'article')} queued to be looked through again."])
    if ids and done < len(set(ids)):
        raise typer.Exit(Exit.NOT_FOUND)
