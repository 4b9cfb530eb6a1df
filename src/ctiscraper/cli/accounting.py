"""`accounting`: what became of everything that was announced."""

import typer

from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_json, print_lines, print_table
from ctiscraper.db.overview import Overview
from ctiscraper.loop import run_async
from ctiscraper.types import Accounting
from ctiscraper.views import AccountingReport

HEADS = ["discovered", "stored", "duplicate", "filtered", "failed", "dead", "pending"]


def accounting(data: Data = None, json: Json = False) -> None:
    """Everything announced and where it stands, for each source: nothing is lost."""

    async def read() -> AccountingReport:
        async with open_database(settings_for(data)) as database:
            return await Overview(database).accounting()

    report = run_async(read())
    if json:
        print_json(report)
    else:
        rows = [(row.source.key, *_numbers(row.accounting)) for row in report.sources]
        print_table(["source", *HEADS, ""], [*rows, ("all", *_numbers(report.total))])
    if not report.total.balanced:
        print_lines([] if json else ["", "The sum does not hold: run 'ctiscraper doctor'."])
        raise typer.Exit(Exit.FAILED)


def _numbers(account: Accounting) -> tuple[object, ...]:
    counts = [getattr(account, head) for head in HEADS]
    return (*counts, "" if account.balanced else "does not add up")
