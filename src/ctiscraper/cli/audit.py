"""`audit`: who did what, and whether the log is whole."""

import sys
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from ctiscraper.audit_views import AuditEntry, AuditPage, AuditQuery, ChainReport
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Cursor, Data, Json, Limit, Output, utc
from ctiscraper.cli.output import moment, print_json, print_lines, print_table
from ctiscraper.db.audit import LIMIT_MOST, Audit
from ctiscraper.loop import run_async
from ctiscraper.share.tabular import AUDIT, csv_heads, csv_lines, json_lines

app = typer.Typer(no_args_is_help=True, help="Who did what.")

By = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="WHO",
        help="Who did it: a login, user:ID or token:ID.",
        show_default=False,
    ),
]
Did = Annotated[
    str | None,
    typer.Option(
        "--action", metavar="WORD", help="An action, or its first part.", show_default=False
    ),
]
About = Annotated[
    str | None,
    typer.Option("--about", metavar="KIND[:ID]", help="What it was done to.", show_default=False),
]
From = Annotated[
    datetime | None, typer.Option("--since", help="Done since (UTC).", show_default=False)
]
Before = Annotated[
    datetime | None, typer.Option("--until", help="Done before (UTC).", show_default=False)
]


class Form(StrEnum):
    """In which form the log is written."""

    NDJSON = "ndjson"
    CSV = "csv"


@app.command("list")
def list_entries(  # noqa: PLR0913 - one parameter for each option
    *,
    actor: By = None,
    action: Did = None,
    about: About = None,
    since: From = None,
    until: Before = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Entries, the latest first."""
    query = _query(actor, action, about, since, until)

    async def read() -> AuditPage:
        async with open_database(settings_for(data)) as database:
            return await Audit(database).page(query, cursor=cursor, limit=limit)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.entries:
        print_lines(["No entry is like this."])
        return
    print_table(
        ["entry", "at", "by", "who", "action", "object", "changes", "from"],
        [
            (
                one.id,
                moment(one.at),
                one.actor_kind,
                one.actor_name,
                one.action,
                one.object_id,
                one.changes if one.changes != "{}" else "",
                one.ip,
            )
            for one in page.entries
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


@app.command()
def export(  # noqa: PLR0913 - one parameter for each option
    *,
    actor: By = None,
    action: Did = None,
    about: About = None,
    since: From = None,
    until: Before = None,
    form: Annotated[Form, typer.Option("--format", help="ndjson or csv.")] = Form.NDJSON,
    output: Output = None,
    data: Data = None,
) -> None:
    """Write all entries, the latest first."""
    query = _query(actor, action, about, since, until)

    async def write(put: Callable[[str], object]) -> None:
        async with open_database(settings_for(data)) as database:
            audit, cursor = Audit(database), None
            if form is Form.CSV:
                put(csv_heads(AUDIT))
            while True:
                page = await audit.page(query, cursor=cursor, limit=LIMIT_MOST)
                if cursor is None:
                    asked = {name: value for name, value in to_builtins(query).items() if value}
                    await note_deed(
                        database, "audit.export", detail={"format": form, "query": asked}
                    )
                put(_written(page.entries, form))
                cursor = page.next
                if cursor is None:
                    return

    if output is None:
        run_async(write(sys.stdout.write))
        return
    with Path(output).open("w", encoding="utf-8", newline="") as file:
        run_async(write(file.write))


@app.command()
def verify(
    *,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="ENTRY:HASH",
            help="What an earlier run has said of the last entry; may be repeated.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say whether every entry is as it was written. Ends with code 9 if not."""
    hashes = dict(map(_known, known or ()))

    async def look() -> ChainReport:
        async with open_database(settings_for(data)) as database:
            return await Audit(database).verify(known=hashes)

    report = run_async(look())
    if json:
        print_json(report)
    elif report.broken is None:
        count = "1 entry" if report.entries == 1 else f"{report.entries} entries"
        known_next = f"{report.last_id}:{report.last_hash}"
        print_lines(
            [
                f"{count}, each as it was written.",
                f"Keep this elsewhere, and give it next time: --known {known_next}",
            ]
        )
    else:
        print_lines([f"Entry {report.broken}: {report.fault}."])
    if report.broken is not None:
        raise typer.Exit(Exit.DEGRADED)


def _query(
    actor: str | None,
    action: str | None,
    about: str | None,
    since: datetime | None,
    until: datetime | None,
) -> AuditQuery:
    kind, _, name = (about or "").partition(":")
    return AuditQuery(
        actor=actor,
        action=action,
        object_kind=kind or None,
        object_id=name or None,
        since=utc(since),
        until=utc(until),
    )


def _known(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:  # noqa: PLR2004 - a SHA-256 in hexadecimal
        raise typer.BadParameter("--known reads ENTRY:HASH, as a run of verify has said it")
    return int(number), digest


def _written(entries: tuple[AuditEntry, ...], form: Form) -> str:
    if form is Form.CSV:
        return "".join(csv_lines(AUDIT, entries, defanged=False))
    return "".join(json_lines(entries))
