"""`eval llm`: how well a language model does what it is asked of articles."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ctiscraper.analysing import Within
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.judged import JudgedSet, judged_set
from ctiscraper.analysis.labelled import LabelledSet, bundled_set
from ctiscraper.analysis.scored import ModelScore, Scored, TaskScore
from ctiscraper.bootstrap import model_server
from ctiscraper.cli.actor import command_actor
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.output import counted, print_json, print_lines, print_note, print_table
from ctiscraper.config import Settings
from ctiscraper.db.judged import JudgedTexts
from ctiscraper.db.model_report import ModelBoard
from ctiscraper.db.model_spending import Spending, Spent
from ctiscraper.errors import InputError, ModelError, SettingsError
from ctiscraper.evaluating import Cases, Evaluation
from ctiscraper.known_techniques import TechniquesInUse
from ctiscraper.loop import run_async
from ctiscraper.model_use import limits_of
from ctiscraper.models.meter import Metered
from ctiscraper.models.server import ModelServer, leaves
from ctiscraper.paying import spent_of
from ctiscraper.types import Tlp

_HEADS = [
    "task", "asked", "valid at once", "valid", "claims", "dropped", "faithful", "precision",
    "recall", "F1", "seconds", "tokens in", "tokens out",
]  # fmt: skip


@dataclass(slots=True)
class _Measured:
    """How models did, with what each cost; and what the one cost that was broken off."""

    scores: list[tuple[ModelScore, Spent]] = field(default_factory=list)
    broken_off: list[tuple[str, Spent]] = field(default_factory=list)


def evaluation_of_models(  # noqa: PLR0913 - one parameter for each option
    *,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model at the server, again for another; else the set one."),
    ] = None,
    task: Annotated[
        list[TaskName] | None, typer.Option("--task", help="A task, again for another; else all.")
    ] = None,
    article: Annotated[
        list[str] | None,
        typer.Option("--article", help="The name of a bundled article, again for another."),
    ] = None,
    from_thumbs: Annotated[
        int | None,
        typer.Option(
            "--from-thumbs",
            metavar="ARTICLES",
            min=1,
            help="Instead of the bundled set, so many of your articles whose claims people "
            "judged, those judged last first.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the results to this file, as JSON.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the results, for the page of models.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How well a language model does what it is asked of articles."""
    settings = settings_for(None)
    models = model or ([settings.model] if settings.model else [])
    if not settings.model_url or not models:
        raise SettingsError(
            "there is no model to ask: set CTISCRAPER_MODEL_URL, and CTISCRAPER_MODEL or --model"
        )
    if from_thumbs and article:
        raise InputError("--article names articles of the bundled set: leave out one of the two")
    cases: Cases
    within = Within(context_tokens=settings.model_context)
    if from_thumbs:
        # What was judged here is held against the ATT&CK in use here, the set that comes along
        # against the one that it was labelled by.
        judged, techniques = run_async(_judged(settings, models, from_thumbs))
        cases, within = judged, replace(within, techniques=techniques)
        if not judged.articles:
            raise InputError(_nothing_judged(judged))
    else:
        cases = _chosen(bundled_set(), article or ())
    tasks = list(dict.fromkeys(task or TaskName))
    measured = _Measured()
    try:
        asking = _scores(settings, models, tasks, cases, measured, within=within, quiet=json)
        asyncio.run(asking)
    finally:
        # What was measured before it broke off has cost as much as any other.
        if keep:
            run_async(_keep(settings, measured))
        if measured.scores:
            _tell([score for score, _ in measured.scores], cases, write, as_json=json)


def _tell(scores: Sequence[ModelScore], cases: Cases, write: Path | None, *, as_json: bool) -> None:
    documents = [score.document() for score in scores]
    if write is not None:
        write.write_bytes(msgspec.json.format(msgspec.json.encode(documents), indent=2) + b"\n")
    if as_json:
        print_json(documents)
        return
    for score in scores:
        _print(score)
    _print_set(cases)


def _chosen(labelled: LabelledSet, names: Sequence[str]) -> LabelledSet:
    known = {one.name: one for one in labelled.articles}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no article is called {unknown[0]!r}; there are {', '.join(known)}")
    if not names:
        return labelled
    chosen = tuple(known[name] for name in dict.fromkeys(names))
    return replace(labelled, articles=chosen, version=f"{labelled.version}, {len(chosen)} of it")


async def _judged(
    settings: Settings, models: Sequence[str], most: int
) -> tuple[JudgedSet, frozenset[str] | None]:
    """The set that thumbs make, without what may not go to a server on another network.

    With it the techniques of the data pack in use.
    """
    async with open_database(settings) as database:
        texts = await JudgedTexts(database).latest(most)
        techniques = await TechniquesInUse(database).read()
    server = _server(settings)
    await server.close()
    is_far = any(leaves(server, model) for model in models)
    ceiling = Tlp(settings.model_tlp) if is_far else None
    return judged_set(texts, ceiling), techniques


def _server(settings: Settings) -> ModelServer:
    server = model_server(settings)
    if server is None:
        raise SettingsError("CTISCRAPER_MODEL_URL is not set")
    return server


def _nothing_judged(judged: JudgedSet) -> str:
    told = _left_out(judged)
    return (
        "no claim was judged that a model could be measured by"
        f"{f' ({told})' if told else ''}: press Right or Wrong at claims on pages of articles"
    )


def _left_out(judged: JudgedSet) -> str:
    return ", ".join(f"{number} {why}" for why, number in sorted(judged.left_out.items()))


def _print_set(cases: Cases) -> None:
    read = f"{counted(len(cases.articles), 'article')} read, set {cases.version}."
    if not isinstance(cases, JudgedSet):
        print_lines([read])
        return
    told = _left_out(cases)
    left_out = f" Left out: {told}." if told else ""
    print_lines([read, f"{counted(cases.claims, 'judged claim')} in it.{left_out}"])


async def _scores(  # noqa: PLR0913 - who is asked what, and where it goes
    settings: Settings,
    models: Sequence[str],
    tasks: Sequence[TaskName],
    cases: Cases,
    measured: _Measured,
    *,
    within: Within,
    quiet: bool,
) -> None:
    """Measure how each model does, and what that costs."""
    server = _server(settings)

    def told(task: TaskName, done: Scored) -> None:
        if not quiet:
            said = f"{len(done.analysis.claims)} kept" if done.analysis else done.fault
            print_note(f"{task.value}: {done.article}: {said}")

    try:
        for one in models:
            metered = Metered(server)
            evaluation = Evaluation(metered, one, seconds=settings.model_seconds, within=within)
            try:
                score = await evaluation.score(tasks, cases, told)
            except (ModelError, asyncio.CancelledError):
                measured.broken_off.append((one, spent_of(metered)))
                raise
            measured.scores.append((score, spent_of(metered)))
    finally:
        await server.close()


async def _keep(settings: Settings, measured: _Measured) -> None:
    """Keep results, and count what they cost, and what came to none."""
    async with open_database(settings) as database:
        board, spending = ModelBoard(database), Spending(database)
        for score, spent in measured.scores:
            actor = command_actor().name
            await board.keep_evaluation(score.model, score.document(), actor=actor)
            await spending.pay(score.model, spent, limits_of(settings))
        for model, spent in measured.broken_off:
            await spending.pay(model, spent, limits_of(settings))


def _print(score: ModelScore) -> None:
    print_lines([f"{score.model} at {score.server}", ""])
    print_table(_HEADS, [_row(one) for one in score.tasks])
    for one in score.tasks:
        for what, counts in (("not answered", one.faults), ("dropped", one.dropped)):
            reasons = ", ".join(f"{why} {number}" for why, number in sorted(counts.items()))
            print_lines([f"{one.task.value}, {what}: {reasons}"] if reasons else [])
    print_lines([""])


def _row(one: TaskScore) -> tuple[object, ...]:
    shares = (one.faithful, one.precision, one.recall, one.f1)
    return (
        one.task.value,
        one.asked,
        f"{one.valid_first:.2f}",
        f"{one.valid:.2f}",
        one.claims,
        sum(one.dropped.values()),
        *(f"{share:.2f}" for share in shares),
        f"{one.median_seconds:.1f}",
        one.prompt_tokens,
        one.answer_tokens,
    )
