"""`lookup`: which of many values do articles name."""

from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Defanged, Json
from ctiscraper.cli.output import moment, print_csv, print_json, print_lines, print_table
from ctiscraper.cli.texts import on_a_line, read_text
from ctiscraper.db.entities import Entities
from ctiscraper.defang import defang
from ctiscraper.entity_views import LookupReport
from ctiscraper.lookup import look_up_text, look_up_values, values_in
from ctiscraper.loop import run_async
from ctiscraper.share.tabular import LOOKUP


def lookup(  # noqa: PLR0913 - one parameter for each option
    *,
    file: Annotated[Path, typer.Argument(help="Values, one a line; - is standard input.")],
    text: Annotated[
        bool, typer.Option("--text", help="It is a report or a log: look for what it names.")
    ] = False,
    known: Annotated[bool, typer.Option("--known", help="Leave out what is unknown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    defanged: Defanged = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Up to 10,000 values at once, defanged or not: known, benign or unknown."""
    given = read_text(file)

    async def ask() -> LookupReport:
        async with open_database(settings_for(data)) as database:
            if csv:
                await note_deed(database, "lookup.export", detail={"format": "csv"})
            entities = Entities(database)
            if text:
                return await look_up_text(entities, given)
            return await look_up_values(entities, values_in(given))

    report = run_async(ask())
    answers = [one for one in report.answers if one.entity is not None or not known]
    if csv:
        print_csv(LOOKUP, answers, defanged=defanged)
        return
    if json:
        print_json(report)
        return
    print_table(
        ["state", "kind", "value", "verdict", "articles", "last seen", "id"],
        [
            (
                one.state,
                one.kind,
                on_a_line(defang(one.kind, one.value) if defanged else one.value),
                (one.entity.verdict or "") if one.entity else "",
                one.entity.articles if one.entity else "",
                moment(one.entity.last_seen) if one.entity else "",
                one.entity.id if one.entity else "",
            )
            for one in answers
        ],
    )
    print_lines(
        ["", f"{report.known:,} known, {report.benign:,} benign, {report.unknown:,} unknown."]
    )
