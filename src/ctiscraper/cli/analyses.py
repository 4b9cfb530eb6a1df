"""`analysis`: what models say of articles: asked, shown, compared, judged, cancelled, paid."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from ctiscraper.analyses import ModelDesk
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.audit_views import Deed
from ctiscraper.cli.actor import command_actor, note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Cursor, Data, Json, Limit
from ctiscraper.cli.output import (
    moment,
    print_facts,
    print_json,
    print_lines,
    print_table,
)
from ctiscraper.cli.said import print_analysis, print_compared
from ctiscraper.cli.texts import on_a_line
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelFault
from ctiscraper.fault_words import advice_on, said_of
from ctiscraper.loop import run_async
from ctiscraper.model_use import model_use
from ctiscraper.model_views import (
    AnalysisPage,
    AnalysisRow,
    AnalysisState,
    AnalysisView,
    ArticleAnalyses,
    Compared,
    ModelReport,
)

app = typer.Typer(no_args_is_help=True, help="What models say of articles, and what it costs.")

Number = Annotated[int, typer.Argument(metavar="ID", help="The analysis's number.")]
Chosen = Annotated[
    int | None, typer.Argument(metavar="ID", help="The analysis's number.", show_default=False)
]
Tasks = Annotated[
    list[TaskName] | None,
    typer.Option("--task", help="What it is to do; may be repeated. [default: summary]"),
]


class Thumb(StrEnum):
    """What somebody holds a claim to be."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"


_GOOD = {Thumb.RIGHT: True, Thumb.WRONG: False, Thumb.NONE: None}


@asynccontextmanager
async def _open_desk(data: object) -> AsyncIterator[tuple[ModelDesk, Database]]:
    settings = settings_for(data)  # type: ignore[arg-type]  # the option's own type
    async with open_database(settings) as database:
        yield ModelDesk(database, model_use(settings)), database


@app.command()
def run(
    *,
    article: Annotated[int, typer.Argument(metavar="ARTICLE", help="The article's number.")],
    task: Tasks = None,
    model: Annotated[
        str,
        typer.Option("--model", help="Another model of the same server.", show_default=False),
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Ask anew what has an answer already.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Have a model asked about an article, before what waits by itself."""
    tasks = task or [TaskName.SUMMARY]

    async def ask() -> ArticleAnalyses:
        async with _open_desk(data) as (desk, database):
            actor = command_actor().name
            numbers = await desk.ask(article, tasks, model=model, actor=actor, again=again)
            detail = {"tasks": [one.value for one in tasks], "model": model, "analyses": numbers}
            await note_deed(database, "analysis.ask", article, detail=detail)
            return await desk.of_article(article, actor=actor)

    found = run_async(ask())
    if json:
        print_json(found)
        return
    _print_table(found.analyses)
    if found.busy:
        looked = f"ctiscraper analysis list --article {article}"
        print_lines(["", f"A model worker asks; look again: {looked}"])


@app.command("list")
def list_analyses(
    *,
    article: Annotated[
        int | None,
        typer.Option("--article", metavar="ARTICLE", help="Of this one.", show_default=False),
    ] = None,
    state: Annotated[
        AnalysisState | None, typer.Option("--state", help="Only these.", show_default=False)
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Analyses, the newest first, or those of one article; asked anew they keep their place."""

    async def read() -> AnalysisPage | ArticleAnalyses:
        async with _open_desk(data) as (desk, _):
            if article is not None:
                found = await desk.of_article(article)
                of_state = [one for one in found.analyses if state in {None, one.state}]
                return replace(found, analyses=tuple(of_state[:limit]))
            return await desk.analyses.page(state=state, cursor=cursor, limit=limit)

    if article is not None and cursor is not None:
        raise typer.BadParameter("--cursor goes without --article, of which all are listed")
    page = run_async(read())
    if json:
        print_json(page)
        return
    if isinstance(page, ArticleAnalyses):
        _print_table(page.analyses)
        if len(page.analyses) == limit:
            print_lines(["", f"The first {limit}: --limit takes another number."])
        return
    _print_table([row.analysis for row in page.analyses])
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


@app.command()
def show(number: Number, data: Data = None, json: Json = False) -> None:
    """One analysis: each claim with its quotations, or what stood in the way and what to do."""

    async def read() -> AnalysisRow:
        async with _open_desk(data) as (desk, _):
            return await desk.analyses.get(number, actor=command_actor().name)

    row = run_async(read())
    if json:
        print_json(row)
        return
    print_analysis(row)


@app.command()
def compare(
    *,
    article: Annotated[int, typer.Argument(metavar="ARTICLE", help="The article's number.")],
    left: Annotated[
        str, typer.Option("--left", help="A model. [default: the first]", show_default=False)
    ] = "",
    right: Annotated[
        str, typer.Option("--right", help="Another. [default: the next]", show_default=False)
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """What two models made of an article as it is now, task by task."""

    async def read() -> Compared:
        async with _open_desk(data) as (desk, _):
            return await desk.compare(article, left, right, actor=command_actor().name)

    found = run_async(read())
    if json:
        print_json(found)
    else:
        print_compared(found)


@app.command()
def judge(
    *,
    number: Number,
    claim: Annotated[int, typer.Argument(metavar="CLAIM", help="The claim's number in it.")],
    thumb: Annotated[Thumb, typer.Argument(help="What you hold it to be; none takes it back.")],
    note: Annotated[str, typer.Option("--note", help="Why.", show_default=False)] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Say whether a claim is right or wrong: models are measured by it."""
    good = _GOOD[thumb]

    async def say() -> AnalysisRow:
        async with _open_desk(data) as (desk, database):
            actor = command_actor().name
            await desk.analyses.judge(number, claim, good=good, actor=actor, note=note)
            # That it was taken back is said too, as by the API.
            deed = Deed(
                action="analysis.judge",
                object_kind="analysis",
                object_id=str(number),
                detail={"claim": claim, "good": good},
            )
            await Audit(database).note(command_actor(), deed)
            return await desk.analyses.get(number, actor=actor)

    row = run_async(say())
    if json:
        print_json(row)
        return
    told = f"held to be {thumb}" if good is not None else "judged by you no more"
    words = next((one.text for one in row.analysis.claims if one.number == claim), "")
    print_lines([f"Claim {claim} of analysis {number} is {told}:", f"  {words}"])


@app.command()
def cancel(
    number: Chosen = None,
    every: Annotated[bool, typer.Option("--all", help="All that waits or is answered.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask no more, of one analysis or of all."""
    if (number is None) != every:
        raise typer.BadParameter("give the number of an analysis, or --all")

    async def stop() -> int:
        async with _open_desk(data) as (desk, database):
            if number is None:
                count = await desk.analyses.cancel_all()
                await note_deed(database, "analysis.cancel_all", detail={"count": count})
                return count
            await desk.analyses.cancel(number)
            await note_deed(database, "analysis.cancel", number)
            return 1

    count = run_async(stop())
    if json:
        print_json({"count": count})
    else:
        print_lines([f"{count:,} cancelled."])


@app.command()
def retry(
    number: Chosen = None,
    every: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    fault: Annotated[
        ModelFault | None,
        typer.Option("--fault", help="With --all: only what failed so.", show_default=False),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask once more, with all its attempts, one analysis or all that failed."""
    if (number is None) != every or (fault is not None and not every):
        raise typer.BadParameter("give the number of an analysis, or --all, with a --fault or not")

    async def again() -> AnalysisRow | int:
        async with _open_desk(data) as (desk, database):
            if number is None:
                count = await desk.retry_all(fault)
                await note_deed(
                    database, "analysis.retry_all", detail={"count": count, "fault": fault}
                )
                return count
            await desk.retry(number, actor=command_actor().name)
            await note_deed(database, "analysis.retry", number)
            return await desk.analyses.get(number)

    found = run_async(again())
    if isinstance(found, int):
        if json:
            print_json({"count": found})
        else:
            print_lines([f"{found:,} asked again."])
    elif json:
        print_json(found)
    else:
        print_lines([f"Analysis {number} {_state(found.analysis)}."])


@app.command()
def cost(data: Data = None, json: Json = False) -> None:
    """What models cost by day, what is left of today's budget, and what waits."""

    async def read() -> ModelReport:
        async with _open_desk(data) as (desk, _):
            return await desk.report()

    report = run_async(read())
    if json:
        print_json(report)
        return
    budget = f" of {report.budgets.day:,}" if report.budgets.day else ""
    counts = report.counts
    stand = (
        f"{counts.pending:,} waiting, {counts.running:,} being answered, "
        f"{counts.done:,} done, {counts.failed:,} failed"
    )
    print_facts(
        [
            ("Model", report.model or "none is configured, and nothing needs one"),
            ("Today", f"{report.tokens_today:,}{budget} tokens, cost {report.cost_today:.4f}"),
            ("Analyses", stand),
        ]
    )
    server = report.server
    if server is not None and server.fault is not None:
        print_lines(
            [
                f"{said_of(server.fault)}: {on_a_line(server.detail)}",
                f"What to do: {advice_on(server.fault, waits=True)}.",
            ]
        )
    if report.days:
        print_table(
            ["day", "questions", "given", "answered", "estimated", "cost"],
            [
                (
                    str(one.day),
                    f"{one.calls:,}",
                    f"{one.prompt_tokens:,}",
                    f"{one.answer_tokens:,}",
                    f"{one.estimated:,}",
                    f"{one.cost:.4f}",
                )
                for one in report.days
            ],
        )


@app.command()
def judged(data: Data = None) -> None:
    """Every claim that people judged, one JSON document a line: for sets of one's own."""

    async def write() -> None:
        async with _open_desk(data) as (desk, _):
            async for one in desk.board.judged():
                print_json(one)

    run_async(write())


def _print_table(found: Iterable[AnalysisView]) -> None:
    rows = list(found)
    if not rows:
        print_lines(["No model was asked."])
        return
    print_table(
        ["id", "article", "task", "model", "state", "claims", "tokens", "asked"],
        [
            (
                one.id,
                one.article_id,
                one.task,
                on_a_line(one.model),
                _state(one),
                len(one.claims),
                one.prompt_tokens + one.answer_tokens,
                moment(one.asked_at),
            )
            for one in rows
        ],
    )


def _state(one: AnalysisView) -> str:
    if one.fault is not None and one.state in {AnalysisState.FAILED, AnalysisState.PENDING}:
        return f"{one.state} ({one.fault})"
    return one.state.value
