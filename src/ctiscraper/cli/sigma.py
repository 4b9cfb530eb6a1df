"""`sigma`: rules drafted from articles, checked, converted and handed on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.analyses import ModelDesk
from ctiscraper.cli.actor import command_actor, note_deed
from ctiscraper.cli.drafts import write_whole
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Cursor, Data, Json, Limit
from ctiscraper.cli.output import (
    moment,
    print_facts,
    print_json,
    print_lines,
    print_note,
    print_table,
    print_text,
)
from ctiscraper.cli.texts import hand_over, on_a_line, read_text
from ctiscraper.db.analyses import Analyses
from ctiscraper.db.detections import DetectionDrafts, DetectionQuery
from ctiscraper.detect.drafted import Checked, DraftState, Grade, Target
from ctiscraper.detect.drafted import Query as RuleQuery
from ctiscraper.detect.stored import Detection, DetectionPage, DetectionSummary
from ctiscraper.detecting import Detections, Drafting, converted, open_sandbox
from ctiscraper.loop import run_async
from ctiscraper.model_use import model_use
from ctiscraper.model_views import ArticleAnalyses
from ctiscraper.share.bundle import archive_of, file_name

app = typer.Typer(no_args_is_help=True, help="Sigma rules drafted from articles.")

Number = Annotated[int, typer.Argument(metavar="ID", help="The detection's number.", min=1)]
Article = Annotated[
    int | None,
    typer.Option("--article", metavar="ID", min=1, help="Of this article.", show_default=False),
]
State = Annotated[DraftState | None, typer.Option("--state", show_default=False)]
OfGrade = Annotated[
    Grade | None,
    typer.Option("--grade", help="Against the known rules.", show_default=False),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A rule as YAML; - is standard input.")]


@asynccontextmanager
async def _open(data: Path | None) -> AsyncIterator[Detections]:
    async with open_database(settings_for(data)) as database, open_sandbox() as sandbox:
        yield Detections(database, sandbox)


@app.command()
def draft(
    article: Annotated[int, typer.Argument(metavar="ARTICLE", help="The article's number.", min=1)],
    data: Data = None,
    json: Json = False,
) -> None:
    """Draft rules from what an article shows; what gave none is told with its reason."""

    async def make() -> Drafting:
        async with _open(data) as detections:
            made = await detections.draft(article, by=command_actor().name)
            await note_deed(
                detections.database, "detection.draft", article, detail={"added": made.added}
            )
            return made

    _print_drafting(run_async(make()), json=json)


def _print_drafting(made: Drafting, *, json: bool) -> None:
    if json:
        print_json(made)
        return
    print_lines([f"{made.added} new of {len(made.detections)} drafts."])
    _print_list(made.detections)
    if made.refused:
        print_lines(["", "These gave no rule:"])
        print_table(
            ["words", "reason"], [(on_a_line(one.quote), one.reason) for one in made.refused]
        )


@app.command()
def ask(
    *,
    article: Annotated[int, typer.Argument(metavar="ARTICLE", help="The article's number.", min=1)],
    model: Annotated[
        str, typer.Option("--model", help="Another model of the same server.", show_default=False)
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Ask anew what has an answer already.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Have a model asked for rules from an article; `add` makes drafts of what it answers."""
    settings = settings_for(data)

    async def have_asked() -> ArticleAnalyses:
        async with open_database(settings) as database:
            desk = ModelDesk(database, model_use(settings))
            number = await desk.ask_for_rules(
                article, model=model, actor=command_actor().name, again=again
            )
            detail = {"model": model, "analysis": number}
            await note_deed(database, "detection.ask", article, detail=detail)
            return await desk.rules_of(article)

    found = run_async(have_asked())
    if json:
        print_json(found)
        return
    print_table(
        ["analysis", "model", "state", "rules", "asked"],
        [
            (one.id, on_a_line(one.model), one.state, len(one.claims), moment(one.asked_at))
            for one in found.analyses
        ],
    )
    if found.busy:
        print_lines(["", "A model worker asks; look again: ctiscraper analysis show ID"])
    print_lines(["", "Make drafts of what holds: ctiscraper sigma add ID"])


@app.command()
def add(
    number: Annotated[int, typer.Argument(metavar="ID", help="The analysis's number.", min=1)],
    data: Data = None,
    json: Json = False,
) -> None:
    """Add the rules that a model answered to the drafts of their article."""

    async def keep() -> Drafting:
        async with _open(data) as detections:
            asked = (await Analyses(detections.database).get(number)).analysis
            made = await detections.keep_by_model(asked, by=command_actor().name)
            detail = {"added": made.added, "analysis": number}
            await note_deed(detections.database, "detection.draft", asked.article_id, detail=detail)
            return made

    _print_drafting(run_async(keep()), json=json)


@app.command("list")
def list_detections(  # noqa: PLR0913 - one parameter for each option
    *,
    article: Article = None,
    state: State = None,
    grade: OfGrade = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Drafts, the newest first."""
    query = DetectionQuery(article=article, state=state, grade=grade)

    async def read() -> DetectionPage:
        async with open_database(settings_for(data)) as database:
            return await DetectionDrafts(database).page(query, cursor=cursor, limit=limit)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.detections:
        print_lines(["There is no such draft."])
        return
    _print_list(page.detections)
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


@app.command()
def show(number: Number, data: Data = None, json: Json = False) -> None:
    """One draft: its rule, the words that it rests on, and what was found out about it."""

    async def read() -> Detection:
        async with open_database(settings_for(data)) as database:
            return await DetectionDrafts(database).get(number)

    found = run_async(read())
    if json:
        print_json(found)
        return
    summary = found.summary
    print_facts(
        [
            ("Title", summary.title),
            ("Article", f"{summary.article.id} {summary.article.title}"),
            ("State", f"{summary.state} {summary.decided_by}".strip()),
            ("Made from", f"{summary.origin} {summary.model} {found.prompt}".strip()),
            ("Version", f"{summary.version} {summary.edited_by}".strip()),
        ]
    )
    _print_checked(found.checked)
    print_lines(["", "It rests on:"])
    print_table(
        ["item", "words", "at"],
        [(on_a_line(one.item), on_a_line(one.quote), one.start) for one in found.evidence],
    )
    print_text(f"\n{found.yaml}")


@app.command()
def check(file: File, article: Article = None, data: Data = None, json: Json = False) -> None:
    """Check a rule: by pySigma, on an article's events and on ordinary ones. 1 if it fails."""
    text = read_text(file)

    async def ask() -> Checked:
        async with _open(data) as detections:
            return await detections.check(text, article_id=article)

    found = run_async(ask())
    if json:
        print_json(found)
    else:
        _print_checked(found)
    replay = found.replay
    missed = article is not None and not replay.matched
    if not found.is_valid or replay.failure or replay.benign_matched or missed:
        raise typer.Exit(Exit.FAILED)


@app.command()
def convert(
    file: File,
    to: Annotated[Target, typer.Option("--to", help="The query language.")],
    json: Json = False,
) -> None:
    """Print a rule as a query; exit 1 where it cannot be one."""
    text = read_text(file)

    async def ask() -> RuleQuery:
        async with open_sandbox() as sandbox:
            return await converted(sandbox, text, to)

    found = run_async(ask())
    if json:
        print_json(found)
    elif found.text:
        hand_over(f"{found.text}\n", None, json=False)
    else:
        print_note(f"it cannot be converted: {found.failure}")
    if not found.text:
        raise typer.Exit(Exit.FAILED)


@app.command()
def export(
    zip_file: Annotated[Path, typer.Option("--zip", help="The archive to write.")],
    article: Article = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Write the accepted rules as an archive of .yml files."""

    async def gather() -> list[tuple[str, str]]:
        async with open_database(settings_for(data)) as database:
            query = DetectionQuery(article=article)
            found = await DetectionDrafts(database).accepted(query)
            await note_deed(database, "detection.export", detail={"rules": len(found)})
            return [(file_name(one.title, one.id), text) for one, text in found]

    files = run_async(gather())
    write_whole(zip_file.absolute(), archive_of(files))
    if json:
        print_json({"file": str(zip_file), "rules": [name for name, _ in files]})
        return
    print_lines([f"{len(files)} accepted rules in {zip_file}"])


def _print_list(found: tuple[DetectionSummary, ...]) -> None:
    print_table(
        ["id", "state", "level", "log", "grade", "matches", "ordinary", "title", "drafted"],
        [
            (
                one.id,
                one.state,
                one.level,
                one.category,
                one.grade or "",
                f"{one.matched}/{one.positives}",
                one.benign_matched,
                on_a_line(one.title),
                moment(one.made_at),
            )
            for one in found
        ],
    )


def _print_checked(found: Checked) -> None:
    replay = found.replay
    novelty = found.novelty
    print_facts(
        [
            ("Valid", "yes" if found.is_valid else "no"),
            *(("Issue", issue.what) for issue in found.issues),
            *((("Not tried", replay.failure),) if replay.failure else ()),
            ("Matches", f"{replay.matched} of {len(replay.positives)} events of the article"),
            ("Ordinary", f"{replay.benign_matched} of {replay.benign} ordinary events"),
            *(("Also matches", hit) for hit in replay.false_hits),
            ("Known rules", f"{novelty.grade}, by {novelty.basis}" if novelty else "not compared"),
            *(
                ("Near to", f"{near.title} by {near.author or 'an unnamed author'} ({near.id})")
                for near in (novelty.nearest if novelty else ())
            ),
        ]
    )
