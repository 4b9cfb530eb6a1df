"""`verdict`: what the team decides of values and domains."""

from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Because, Cursor, Data, Json, Limit
from ctiscraper.cli.output import moment, print_json, print_lines, print_table
from ctiscraper.cli.texts import on_a_line
from ctiscraper.db.verdicts import Scope, Verdicts
from ctiscraper.entity_views import TeamVerdict, VerdictPage
from ctiscraper.intelligence import Verdict
from ctiscraper.lookup import to_decision
from ctiscraper.loop import run_async

ACTOR = "command line"

app = typer.Typer(no_args_is_help=True, help="What the team decided of values and domains.")


@app.command()
def make(  # noqa: PLR0913 - one parameter for each option
    *,
    value: Annotated[str, typer.Argument(help="A value, defanged or not.")],
    verdict: Annotated[Verdict, typer.Argument(help="What it is held to be.")],
    children: Annotated[
        bool, typer.Option("--children", help="A domain: it and all below it.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="KEY", help="Only where this source names it.", show_default=False
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="If the value does not tell it.", show_default=False
        ),
    ] = None,
    reason: Because = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Decide of a value, for all articles, past and future."""
    if children and source is not None:
        raise typer.BadParameter("--children and --source cannot be given together")
    scope = Scope.DOMAIN if children else Scope.SOURCE if source is not None else Scope.VALUE
    decision = to_decision(
        value, verdict, scope=scope, kind=kind or "", source=source, reason=reason
    )

    async def decide() -> TeamVerdict:
        async with open_database(settings_for(data)) as database:
            made = await Verdicts(database).make(decision, actor=ACTOR)
            await note_deed(database, "verdict.make", made.id, after=made.decided)
            return made

    made = run_async(decide())
    if json:
        print_json(made)
        return
    reach = " and all below it" if children else f" in {source}" if source else ""
    print_lines(
        [
            f"{made.value}{reach} is held to be {made.verdict}.",
            f"Undo it: ctiscraper verdict undo {made.id}",
        ]
    )


@app.command()
def undo(
    number: Annotated[int, typer.Argument(metavar="ID", help="The verdict's number.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Let a verdict hold no more; it stays on record."""

    async def take_back() -> TeamVerdict:
        async with open_database(settings_for(data)) as database:
            undone, held = await Verdicts(database).undo(number, actor=ACTOR)
            if held:
                await note_deed(database, "verdict.undo", undone.id, before=undone.decided)
            return undone

    undone = run_async(take_back())
    if json:
        print_json(undone)
        return
    print_lines([f"That {undone.value} is {undone.verdict} holds no more."])


@app.command("list")
def list_verdicts(
    *,
    standing: Annotated[
        bool, typer.Option("--standing", help="Leave out what was undone.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Verdicts, the latest first, with who made them and why."""

    async def read() -> VerdictPage:
        async with open_database(settings_for(data)) as database:
            return await Verdicts(database).page(cursor=cursor, limit=limit, standing=standing)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.verdicts:
        print_lines(["Nothing was decided yet."])
        return
    print_table(
        ["id", "made", "verdict", "scope", "value", "source", "by", "reason", "undone"],
        [
            (
                one.id,
                moment(one.made_at),
                one.verdict,
                one.scope,
                on_a_line(one.value),
                one.source.key if one.source else "",
                one.actor,
                one.reason,
                f"{moment(one.undone_at)} by {one.undone_by}" if one.undone_at else "",
            )
            for one in page.verdicts
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])
